"""What everything shares: flags, settings, the running job, the model, registries (platform.md §4.7).

Names that belong to the running program are looked up when they are read, so importing this module starts nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from modules import paths
from modules.engine.paths import PROGRAM
from modules.extend import host
from modules.extend.option_info import OptionHTML as OptionHTML
from modules.extend.option_info import OptionInfo as OptionInfo
from modules.extend.option_info import options_section as options_section
from modules.paths import extensions_builtin_dir as extensions_builtin_dir
from modules.paths import script_path as script_path
from modules.paths import sd_configs_path as sd_configs_path

batch_cond_uncond = True
parallel_processing_allowed = True
xformers_available = False
demo: Any = None
gradio_theme: Any = None
settings_components: dict[str, Any] = {}
tab_names: list[str] = []
clip_model: Any = None
progress_print_out = sys.stdout
loaded_hypernetworks: list[Any] = []
latent_upscale_default_mode = "Latent"
html_path = str(PROGRAM / "html")
restricted_opts = {
    "samples_filename_pattern",
    "directories_filename_pattern",
    "outdir_samples",
    "outdir_txt2img_samples",
    "outdir_img2img_samples",
    "outdir_extras_samples",
    "outdir_grids",
    "outdir_txt2img_grids",
    "outdir_save",
    "outdir_init_images",
    "temp_dir",
    "clean_temp_dir_at_start",
}


def _styles() -> Any:
    from modules.prompt.styles import StyleDatabase

    engine = host.current().engine
    return StyleDatabase(list(getattr(engine.flags, "styles_file", None) or []) or [engine.paths.data / "styles.csv"])


def _latent_upscale_modes() -> Any:
    from modules.pipeline.hires import LATENT_MODES

    return LATENT_MODES


_LOOKED_UP: dict[str, Callable[[], Any]] = {
    "opts": lambda: host.current().opts,
    "cmd_opts": lambda: host.current().flags,
    "state": lambda: host.current().state,
    "total_tqdm": lambda: host.current().total_tqdm,
    "options_templates": lambda: host.current().opts.data_labels,
    "sd_model": lambda: host.current().model(),
    "device": lambda: host.current().engine.models.compute.device,
    "weight_load_location": lambda: None,
    "sd_upscalers": lambda: host.current().upscalers(),
    "face_restorers": lambda: [],
    "hypernetworks": lambda: {},
    "prompt_styles": _styles,
    "latent_upscale_modes": _latent_upscale_modes,
    "hide_dirs": lambda: {"visible": not getattr(host.current().flags, "hide_ui_dir_config", False)},
    "data_path": lambda: paths.data_path,
    "models_path": lambda: paths.models_path,
    "extensions_dir": lambda: paths.extensions_dir,
    "config_filename": lambda: str(host.current().engine.options.path),
    "styles_filename": lambda: list(getattr(host.current().flags, "styles_file", None) or []),
}


def __getattr__(name: str) -> Any:
    if name in _LOOKED_UP:
        return _LOOKED_UP[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def natural_sort_key(s: str, regex: re.Pattern[str] = re.compile("([0-9]+)")) -> list[Any]:
    """A key that sorts `a10` behind `a9`."""
    return [int(part) if part.isdigit() else part.lower() for part in regex.split(s)]


def listfiles(dirname: str) -> list[str]:
    """The files of a folder in natural order, hidden ones left out."""
    names = sorted(os.listdir(dirname), key=natural_sort_key)
    return [path for name in names if not name.startswith(".") and os.path.isfile(path := os.path.join(dirname, name))]


def html(filename: str) -> str:
    """The text of a file of the `html` folder, empty if there is none."""
    path = os.path.join(html_path, filename)
    if not os.path.isfile(path):
        return ""
    with open(path, encoding="utf8") as file:
        return file.read()


def walk_files(path: str, allowed_extensions: list[str] | None = None) -> Iterator[str]:
    """All files below a folder in natural order; with suffixes (`.pt`) only those."""
    if not os.path.exists(path):
        return
    allowed = set(allowed_extensions) if allowed_extensions is not None else None
    for root, _, names in sorted(os.walk(path, followlinks=True), key=lambda entry: natural_sort_key(entry[0])):
        for name in sorted(names, key=natural_sort_key):
            if allowed is None or os.path.splitext(name)[1].lower() in allowed:
                yield os.path.join(root, name)


def list_checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of the checkpoints. (The spelling is A1111's.)"""
    from modules import sd_models

    return sd_models.checkpoint_tiles(use_short)


def refresh_checkpoints() -> None:
    """Read the checkpoint folders again."""
    host.current().engine.checkpoints.refresh()


def list_samplers() -> Any:
    """The samplers."""
    from modules import sd_samplers

    return sd_samplers.all_samplers


def ldm_print(*args: Any, **kwargs: Any) -> None:
    """Swallow what the original networks' code prints."""
