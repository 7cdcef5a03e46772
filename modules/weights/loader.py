"""A checkpoint file -> networks ready to run: detected, checked against the networks' shapes, then filled tensor by tensor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from modules.nets.clip import CLIPTextModel
from modules.nets.configs import MMDiTConfig, OpenCLIPTextConfig
from modules.nets.dpt import DPTHybrid
from modules.nets.mmdit import MMDiT
from modules.nets.openclip import OpenCLIPTextModel
from modules.nets.openclip_vision import OpenCLIPVisionModel
from modules.nets.t5 import T5Encoder
from modules.nets.unclip import NoiseAugmentor
from modules.nets.unet import UNetModel
from modules.nets.vae import AutoencoderKL
from modules.nets.xlmr import XLMRTextModel
from modules.weights import model_yaml
from modules.weights.architecture import (
    SD2_FAMILIES,
    UNCLIP_FAMILIES,
    XL_FAMILIES,
    ModelSpec,
    Prediction,
    ShapeError,
    YamlMismatch,
    model_spec,
    vae_config,
)
from modules.weights.companions import Source, add_companions, where_to_put
from modules.weights.encoders import t5_config
from modules.weights.errors import BadConfig, MissingKeys, UnknownFamily, UnsupportedFamily, WrongKind, WrongShape
from modules.weights.family import NAMES, SUPPORTED, Family, detect
from modules.weights.fill import NetFiller
from modules.weights.keymap import Part, split_keys, vae_keys
from modules.weights.kinds import VAE, what_is_it
from modules.weights.open_tensors import open_tensors
from modules.weights.weight_file import WeightFile

log = logging.getLogger(__name__)

PART_NAMES: dict[Part, str] = {
    "unet": "UNet (model.diffusion_model.*)",
    "vae": "VAE (first_stage_model.*)",
    "text_l": "CLIP text encoder",
    "text_g": "OpenCLIP text encoder",
    "text_t5": "T5 text encoder",
    "text_x": "XLM-RoBERTa text encoder",
    "vision": "image encoder (embedder.model.visual.*)",
    "depth": "depth network (depth_model.*)",
    "augmentor": "noise augmentor",
}
TIMESTEPS = 1000
_Config = TypeVar("_Config")


@dataclass
class Checkpoint:
    """A checkpoint's networks in evaluation mode, without gradients; `alphas_cumprod` is float32 [1000] on the CPU."""

    path: Path
    spec: ModelSpec
    unet: UNetModel | MMDiT
    vae: AutoencoderKL
    text_l: CLIPTextModel | None
    text_g: CLIPTextModel | OpenCLIPTextModel | None
    alphas_cumprod: Tensor
    metadata: dict[str, str]
    vae_path: Path | None = None
    """Where the VAE came from, None for the checkpoint's own."""
    text_x: XLMRTextModel | None = None
    text_t5: T5Encoder | None = None
    """Stable Diffusion 3's large encoder, there once `load_t5` was asked for it."""
    embedder: OpenCLIPVisionModel | None = None
    noise_augmentor: NoiseAugmentor | None = None
    depth_model: DPTHybrid | None = None
    """What Stable unCLIP and the depth model look at a picture with, under their names in the checkpoint."""
    companions: Path | None = None
    """The folder with text encoders and tokenizers that checkpoints share."""


def load_checkpoint(
    path: str | Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype | None = None,
    text_dtype: torch.dtype | None = None,
    yaml: str | Path | None = None,
    companions: str | Path | None = None,
) -> Checkpoint:
    """Load a safetensors checkpoint; the UNet becomes `dtype`, VAE and text encoders `vae_dtype` and `text_dtype` (default `dtype`).

    `yaml` describes what shapes cannot tell; by default the file of the same name beside the checkpoint is taken. `companions` is the
    folder with text encoders that a checkpoint may leave out (Stable Diffusion 3).
    Networks are built without storage and filled one tensor at a time, so memory holds each weight once. Everything that can
    be wrong with names and shapes is found before the first tensor is read. Raises a WeightsError.
    """
    path = Path(path)
    config = Path(yaml) if yaml is not None else model_yaml.beside(path)
    folder = Path(companions) if companions is not None else None
    with ExitStack() as stack:
        file = stack.enter_context(open_tensors(path, kind="checkpoint"))
        family = _supported_family(file)
        sources = {part: Source(file, names) for part, names in split_keys(file.keys()).items()}
        if family == "sd3":
            add_companions(sources, folder, stack)
        _require_parts(file, family, sources, folder)
        spec = _spec(file, family, sources, config)
        fillers = _fillers(spec, sources)
        text = text_dtype or dtype
        dtypes: dict[Part, torch.dtype] = {"unet": dtype, "vae": vae_dtype or dtype}
        for part, filler in fillers.items():
            filler.fill(device, dtypes.get(part, text))
        checkpoint = _checkpoint(path, spec, fillers, file.metadata)
        checkpoint.companions = folder
        checkpoint.noise_augmentor = _augmentor(spec, sources["augmentor"])
        return checkpoint


def load_t5(checkpoint: Checkpoint, *, device: torch.device | str, dtype: torch.dtype) -> T5Encoder | None:
    """The T5 encoder inside a Stable Diffusion 3 checkpoint, else beside it; None where there is none. Raises a WeightsError."""
    with ExitStack() as stack:
        file = stack.enter_context(open_tensors(checkpoint.path, kind="checkpoint"))
        sources: dict[Part, Source] = {"text_t5": Source(file, split_keys(file.keys())["text_t5"])}
        add_companions(sources, checkpoint.companions, stack)
        source = sources["text_t5"]
        if not source.names:
            return None
        config = _measured(source.file, lambda: t5_config(source.shapes()))
        filler = NetFiller(source.file, PART_NAMES["text_t5"], lambda: T5Encoder(config), source.names)
        filler.fill(device, dtype)
        return filler.net


def load_vae(path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> AutoencoderKL:
    """A VAE from its own file, or the one inside a checkpoint. Raises a WeightsError."""
    with open_tensors(path, kind="VAE") as file:
        _require_vae(file)
        keys = vae_keys(file.keys())
        config = _measured(file, lambda: vae_config(Source(file, keys).shapes()))
        filler = NetFiller(file, "VAE", lambda: AutoencoderKL(config), keys)
        filler.fill(device, dtype)
        return filler.net


def load_vae_into(checkpoint: Checkpoint, path: str | Path, dtype: torch.dtype | None = None) -> None:
    """Replace a checkpoint's VAE by the one of another file, on the same device and, unless a `dtype` is given, in the same type.

    Raises WrongKind if its latents are not of the checkpoint's kind, or another WeightsError; the old VAE then stays.
    """
    weight = next(checkpoint.vae.parameters())
    vae = load_vae(path, device=weight.device, dtype=dtype or weight.dtype)
    have, need = vae.config, checkpoint.spec.vae
    if (have.embed_dim, have.scale_factor) != (need.embed_dim, need.scale_factor):
        problem = (
            f"makes latents of {have.embed_dim} channels at 1/{have.scale_factor} size, but '{checkpoint.path.name}' needs "
            f"{need.embed_dim} at 1/{need.scale_factor}; choose another VAE"
        )
        raise WrongKind(path, problem, kind="VAE")
    checkpoint.vae, checkpoint.vae_path = vae, Path(path)


@torch.no_grad()
def probe_prediction(unet: UNetModel | MMDiT) -> Prediction:
    """What an SD2-like UNet predicts, "eps" or "v", from one evaluation of a constant input at the last timestep.

    Of a nearly pure-noise input of 0.5 everywhere, noise prediction gives the input back; velocity prediction, about minus
    the picture, falls far below it (generation.md §3.2).
    """
    config, weight = unet.config, next(unet.parameters())
    if isinstance(config, MMDiTConfig) or config.in_channels != config.out_channels:
        return "eps"
    half: dict[str, Any] = {"fill_value": 0.5, "dtype": unet.dtype, "device": weight.device}
    x, context = torch.full((1, config.in_channels, 8, 8), **half), torch.full((1, 2, config.context_dim), **half)
    output = unet(x, torch.full((1,), TIMESTEPS - 1, device=weight.device), context)
    return "v" if (output - x.to(output)).float().mean().item() < -1 else "eps"


def alphas_cumprod(linear_start: float = 0.00085, linear_end: float = 0.012) -> Tensor:
    """Cumulative signal power of the 1000 training timesteps, computed in float64 and rounded to float32 (Ho et al. 2020)."""
    betas = torch.linspace(linear_start**0.5, linear_end**0.5, TIMESTEPS, dtype=torch.float64, device="cpu") ** 2
    return torch.cumprod(1.0 - betas, dim=0).float()


def flow_alphas(shift: float = 3.0) -> Tensor:
    """Stable Diffusion 3's noise levels in the terms of the table above: 1 / (σ² + 1) at σ = shift·u / (1 + (shift − 1)·u)."""
    u = torch.arange(1, TIMESTEPS + 1, dtype=torch.float32, device="cpu") / TIMESTEPS
    sigmas = shift * u / (1 + (shift - 1) * u)
    return 1 / (sigmas**2 + 1)


def _supported_family(file: WeightFile) -> Family:
    family = detect(file.shapes)
    if family is None:
        kind = what_is_it(file.shapes)
        if kind is not None:
            raise WrongKind(file.path, f"is {kind.name}, not a checkpoint; {kind.cure}", kind="file")
        raise UnknownFamily(file.path, "is of no model family known here; choose another checkpoint", kind="checkpoint")
    if family not in SUPPORTED:
        problem = f"is a {NAMES[family]} model ({family}), which is not built in yet; choose another checkpoint"
        raise UnsupportedFamily(file.path, problem, family=family, kind="checkpoint")
    return family


def _require_parts(file: WeightFile, family: Family, sources: Mapping[Part, Source], folder: Path | None) -> None:
    """Say at once which whole part is missing: a UNet alone, a file without its VAE."""
    needed: list[Part] = ["unet", "vae", *_text_parts(family)]
    needed += ["vision"] if family in UNCLIP_FAMILIES else ["depth"] if family == "sd2-depth" else []
    missing: list[Part] = [part for part in needed if not sources[part].names]
    if not missing:
        return
    cure = "download the complete checkpoint"
    if family == "sd3" and not {"unet", "vae"}.intersection(missing):
        cure = where_to_put(missing, folder)
    raise MissingKeys(file.path, f"has no {' and no '.join(PART_NAMES[part] for part in missing)}; {cure}", kind="checkpoint")


def _text_parts(family: Family) -> list[Part]:
    """The text encoders of a family."""
    if family in SD2_FAMILIES or family == "sdxl-refiner":
        return ["text_g"]
    if family in ("alt", "alt-m18"):
        return ["text_x"]
    return ["text_l", "text_g"] if family in XL_FAMILIES or family == "sd3" else ["text_l"]


def _measured(file: WeightFile, measure: Callable[[], _Config]) -> _Config:
    """The shape of a network, with what `measure` finds wrong said about the file."""
    try:
        return measure()
    except ShapeError as error:
        raise MissingKeys(file.path, f"{error}; download it again or choose another {file.kind}", kind=file.kind) from error
    except ValueError as error:
        raise WrongShape(file.path, f"is no network of a known build ({error}); choose another {file.kind}", kind=file.kind) from error


def _spec(file: WeightFile, family: Family, sources: Mapping[Part, Source], config: Path | None) -> ModelSpec:
    shapes = {part: source.shapes() for part, source in sources.items()}
    yaml = model_yaml.read_model_yaml(config) if config is not None else None
    try:
        return _measured(file, lambda: model_spec(family, shapes, yaml))
    except WrongShape as error:
        if isinstance(error.__cause__, YamlMismatch):
            raise BadConfig(config or file.path, str(error.__cause__), kind="model config") from error
        raise


def _fillers(spec: ModelSpec, sources: Mapping[Part, Source]) -> dict[Part, NetFiller]:
    """Every network on the meta device, its names and shapes checked against the file."""
    unet, text_l, text_g, text_x = spec.unet, spec.text_l, spec.text_g, spec.text_x
    builds: dict[Part, Callable[[], Any]] = {
        "unet": lambda: MMDiT(unet) if isinstance(unet, MMDiTConfig) else UNetModel(unet),
        "vae": lambda: AutoencoderKL(spec.vae),
    }
    if text_l is not None:
        builds["text_l"] = lambda: CLIPTextModel(text_l)
    if text_g is not None:
        builds["text_g"] = lambda: OpenCLIPTextModel(text_g) if isinstance(text_g, OpenCLIPTextConfig) else CLIPTextModel(text_g)
    if text_x is not None:
        builds["text_x"] = lambda: XLMRTextModel(text_x)
    if (vision := spec.vision) is not None:
        builds["vision"] = lambda: OpenCLIPVisionModel(vision)
    if (depth := spec.depth) is not None:
        builds["depth"] = lambda: DPTHybrid(depth)
    return {
        part: NetFiller(sources[part].file, PART_NAMES[part], build, sources[part].names, _spare(spec, part))
        for part, build in builds.items()
    }


def _spare(spec: ModelSpec, part: Part) -> tuple[str, ...]:
    """Prefixes of tensors that a file may lack because no picture depends on them."""
    if part == "text_g":
        return _unused_of_openclip(spec)
    if part == "text_x" and spec.text_x is not None:
        return ("roberta.pooler.", "transformation." if spec.text_x.pre_transformation else "pre_LN.")
    return ("scratch.refinenet4.resConfUnit1.",) if part == "depth" else ()


def _unused_of_openclip(spec: ModelSpec) -> tuple[str, ...]:
    """Prefixes of tensors that a file may lack because no picture depends on them."""
    if spec.family == "sd3":
        return ()
    if spec.family in SD2_FAMILIES and spec.text_g is not None:
        return ("logit_scale", "text_projection", f"transformer.resblocks.{spec.text_g.layers - 1}.")
    return ("logit_scale",)


def _checkpoint(path: Path, spec: ModelSpec, fillers: Mapping[Part, NetFiller], metadata: dict[str, str]) -> Checkpoint:
    text_l, text_g, text_x = fillers.get("text_l"), fillers.get("text_g"), fillers.get("text_x")
    vision, depth = fillers.get("vision"), fillers.get("depth")
    return Checkpoint(
        path=path,
        spec=spec,
        unet=fillers["unet"].net,
        vae=fillers["vae"].net,
        text_l=text_l.net if text_l else None,
        text_g=text_g.net if text_g else None,
        text_x=text_x.net if text_x else None,
        embedder=vision.net if vision else None,
        depth_model=depth.net if depth else None,
        alphas_cumprod=flow_alphas() if spec.prediction == "flow" else alphas_cumprod(spec.linear_start, spec.linear_end),
        metadata=metadata,
    )


def _require_vae(file: WeightFile) -> None:
    kind = what_is_it(file.shapes)
    inside = "first_stage_model.decoder.conv_in.weight" in file.tensors
    if not inside and kind is not VAE:
        what = f"is {kind.name}, not a VAE; {kind.cure}" if kind else "is not a VAE; choose another one"
        raise WrongKind(file.path, what, kind="file")


def _augmentor(spec: ModelSpec, source: Source) -> NoiseAugmentor | None:
    """Stable unCLIP's noise augmentor with the file's schedule, else the one it was trained with."""
    if spec.vision is None:
        return None
    augmentor = NoiseAugmentor(spec.vision.embed_dim).eval()
    key = source.names.get("alphas_cumprod")
    if key is not None and source.file.tensors[key].shape == (TIMESTEPS,):
        augmentor.alphas_cumprod = source.file.read(key, torch.float32)
    return augmentor
