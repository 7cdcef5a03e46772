"""What there is to choose from: samplers, schedules, checkpoints, VAEs, upscalers, styles, scripts; and memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import psutil
from fastapi import APIRouter

from modules.diffusion.latent_upscale import LATENT_MODES
from modules.diffusion.samplers.registry import SAMPLERS
from modules.diffusion.schedulers import SCHEDULERS
from modules.engine.checkpoints import display_path
from modules.enhance.catalog import REALESRGAN_MODELS, UpscalerInfo

from . import models
from .styles import style_database

if TYPE_CHECKING:
    from modules.engine.engine import Engine


def list_routes(engine: Engine, flags: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/sdapi/v1/samplers", response_model=list[models.SamplerItem])
    def samplers() -> Any:
        return [
            {"name": info.label, "aliases": info.aliases, "options": {key: str(value) for key, value in info.options.items()}}
            for info in SAMPLERS
        ]

    @router.get("/sdapi/v1/schedulers", response_model=list[models.SchedulerItem])
    def schedulers() -> Any:
        names = tuple(models.SchedulerItem.model_fields)
        return [{name: getattr(scheduler, name) for name in names} for scheduler in SCHEDULERS]

    @router.get("/sdapi/v1/sd-models", response_model=list[models.SDModelItem])
    def sd_models() -> Any:
        return [
            {
                "title": info.title,
                "model_name": info.model_name,
                "hash": info.shorthash,
                "sha256": info.sha256,
                "filename": str(info.filename),
                "config": None if info.config is None else str(info.config),
            }
            for info in engine.checkpoints.list()
        ]

    @router.post("/sdapi/v1/refresh-checkpoints")
    def refresh_checkpoints() -> None:
        engine.checkpoints.refresh()

    @router.get("/sdapi/v1/sd-vae", response_model=list[models.SDVaeItem])
    def sd_vae() -> Any:
        return [{"model_name": name, "filename": str(file)} for name, file in engine.vaes.files.items()]

    @router.post("/sdapi/v1/refresh-vae")
    def refresh_vae() -> None:
        engine.vaes.refresh()

    @router.post("/sdapi/v1/unload-checkpoint")
    def unload_checkpoint() -> dict[str, str]:
        engine.unload_models()
        return {}

    @router.post("/sdapi/v1/reload-checkpoint")
    def reload_checkpoint() -> dict[str, str]:
        engine.reload_models()
        return {}

    @router.get("/sdapi/v1/upscalers", response_model=list[models.UpscalerItem])
    def upscalers() -> Any:
        return [_upscaler(info) for info in engine.enhancers.upscalers.list()]

    @router.get("/sdapi/v1/realesrgan-models", response_model=list[models.RealesrganItem])
    def realesrgan_models() -> Any:
        return [{"name": model.name, "path": model.url, "scale": int(model.scale)} for model in REALESRGAN_MODELS]

    @router.get("/sdapi/v1/face-restorers", response_model=list[models.FaceRestorerItem])
    def face_restorers() -> Any:
        return [{"name": name, "cmd_dir": None} for name in engine.enhancers.face_restorers.names()]

    @router.get("/sdapi/v1/latent-upscale-modes", response_model=list[models.LatentUpscalerModeItem])
    def latent_upscale_modes() -> Any:
        return [{"name": name} for name in LATENT_MODES]

    @router.get("/sdapi/v1/prompt-styles", response_model=list[models.PromptStyleItem])
    def prompt_styles() -> Any:
        styles = style_database(engine, flags).styles.values()
        return [{"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt} for style in styles]

    @router.get("/sdapi/v1/scripts", response_model=models.ScriptsList)
    def scripts() -> Any:
        return {"txt2img": engine.scripts.names(False), "img2img": engine.scripts.names(True)}

    @router.get("/sdapi/v1/script-info", response_model=list[models.ScriptInfo])
    def script_info() -> Any:
        return [*engine.scripts.infos(False), *engine.scripts.infos(True)]

    @router.get("/sdapi/v1/memory", response_model=models.MemoryResponse)
    def memory() -> Any:
        return {"ram": _ram(), "cuda": _cuda()}

    return router


def _upscaler(info: UpscalerInfo) -> dict[str, Any]:
    """An entry of the list; the path of a model that nobody has put there yet is the address where it can be had."""
    path = None if info.file is None else display_path(info.file) if info.installed else info.url or str(info.file)
    return {"name": info.name, "model_name": info.family.listed_as, "model_path": path, "model_url": None, "scale": info.scale}


def _ram() -> dict[str, float]:
    """Bytes this process uses, and what the machine has left for it."""
    used = psutil.Process().memory_info().rss
    memory = psutil.virtual_memory()
    return {"free": memory.total - used, "used": used, "total": memory.total}


def _cuda() -> dict[str, Any]:
    """Bytes of the graphics card, once torch is in use; looking must not load it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"error": "unavailable"}
    free, total = torch.cuda.mem_get_info()
    stats = torch.cuda.memory_stats()

    def pair(name: str) -> dict[str, int]:
        return {"current": stats.get(f"{name}.all.current", 0), "peak": stats.get(f"{name}.all.peak", 0)}

    return {
        "system": {"free": free, "used": total - free, "total": total},
        "active": pair("active_bytes"),
        "allocated": pair("allocated_bytes"),
        "reserved": pair("reserved_bytes"),
        "inactive": pair("inactive_split_bytes"),
        "events": {"retries": stats.get("num_alloc_retries", 0), "oom": stats.get("num_ooms", 0)},
    }
