"""All settings in one table, in the order of A1111's settings file."""

from __future__ import annotations

from collections.abc import Mapping

from . import builtin, easel, interface, saving, stable_diffusion, system
from .option import Option

_SECTIONS = (
    saving.SAVING_IMAGES_GRIDS,
    saving.PATHS_FOR_SAVING,
    saving.SAVING_TO_A_DIRECTORY,
    system.UPSCALING,
    system.FACE_RESTORATION,
    system.SYSTEM,
    system.PROFILER,
    system.API,
    system.TRAINING,
    stable_diffusion.STABLE_DIFFUSION,
    stable_diffusion.STABLE_DIFFUSION_XL,
    stable_diffusion.STABLE_DIFFUSION_3,
    stable_diffusion.VAE,
    stable_diffusion.IMG2IMG,
    stable_diffusion.OPTIMIZATIONS,
    stable_diffusion.COMPATIBILITY,
    system.INTERROGATE,
    stable_diffusion.EXTRA_NETWORKS,
    interface.PROMPT_EDITING,
    interface.GALLERY,
    interface.UI_ALTERNATIVES,
    interface.USER_INTERFACE,
    interface.INFOTEXT,
    interface.LIVE_PREVIEWS,
    stable_diffusion.SAMPLER_PARAMETERS,
    system.POSTPROCESSING,
    system.HIDDEN_OPTIONS,
    builtin.BUILTIN_EXTRA_NETWORKS,
    builtin.BUILTIN_COMPATIBILITY,
    builtin.BUILTIN_CANVAS_HOTKEYS,
    builtin.BUILTIN_SETTINGS_IN_UI,
    builtin.BUILTIN_STABLE_DIFFUSION,
    builtin.BUILTIN_UPSCALING,
    builtin.BUILTIN_HYPERTILE,
    easel.EASEL,
)

SCHEMA: Mapping[str, Option] = {option.key: option for options in _SECTIONS for option in options}

CATEGORIES: Mapping[str, str] = {
    "saving": "Saving images",
    "sd": "Stable Diffusion",
    "ui": "User Interface",
    "system": "System",
    "postprocessing": "Postprocessing",
    "training": "Training",
    "": "Uncategorized",
}

INFOTEXT_NAMES: Mapping[str, str] = {option.infotext: option.key for option in SCHEMA.values() if option.infotext}
"""Infotext field to setting key; a pasted or sent infotext becomes overrides of these settings."""
