"""How much memory a job may take: what the command line says, and fitting a model to it and to the settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.nets.attention_methods import METHODS, AttentionChoice, has_xformers
from modules.nets.casting import FP8, store_in_fp8

if TYPE_CHECKING:
    import torch

    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.offloading import Level
    from modules.settings.store import SettingsView

log = logging.getLogger(__name__)

ATTENTION_FLAGS = (
    ("xformers", ("xformers", "force_enable_xformers")),
    ("sdp-no-mem", ("opt_sdp_no_mem_attention",)),
    ("sdp", ("opt_sdp_attention",)),
    ("sub-quadratic", ("opt_sub_quad_attention",)),
    ("V1", ("opt_split_attention_v1",)),
    ("InvokeAI", ("opt_split_attention_invokeai",)),
    ("Doggettx", ("opt_split_attention",)),
    ("None", ("disable_opt_split_attention",)),
)
"""Attention methods and the flags that make them the automatic choice, the first given one winning."""
SPLIT_NETS = ("unet", "text_l", "text_g", "text_x", "text_t5")
"""Networks that fp8 storage applies to: all but the VAE and what looks at pictures."""


@dataclass(frozen=True)
class MemoryPolicy:
    """What the command line says about memory and precision."""

    offload: Level | None = None
    offload_sdxl: bool = False
    nan_check: bool = True
    upcast_sampling: bool = False
    attention: AttentionChoice = AttentionChoice()
    """Method and numbers where the setting says Automatic."""

    @classmethod
    def from_flags(cls, flags: Any) -> MemoryPolicy:
        """Read the flags; those that are missing count as not given."""

        def given(name: str) -> bool:
            return bool(getattr(flags, name, False))

        method = next((name for name, names in ATTENTION_FLAGS if any(map(given, names))), "Automatic")
        if method == "xformers" and not has_xformers():
            log.warning("xformers is not installed; torch's own attention is used")
            method = "Automatic"
        return cls(
            offload="blocks" if given("lowvram") else "networks" if given("medvram") else None,
            offload_sdxl=given("medvram_sdxl"),
            nan_check=not given("disable_nan_check"),
            upcast_sampling=given("upcast_sampling"),
            attention=AttentionChoice(
                method,
                query_chunk=getattr(flags, "sub_quad_q_chunk_size", None) or AttentionChoice.query_chunk,
                key_chunk=getattr(flags, "sub_quad_kv_chunk_size", None),
                chunk_threshold=getattr(flags, "sub_quad_chunk_threshold", None),
            ),
        )

    def offload_level(self, model: DiffusionModel) -> Level | None:
        """How a model's networks take turns on the device; None: they all stay there."""
        if model.device.type == "cpu":
            return None
        return self.offload or ("networks" if self.offload_sdxl and model.is_sdxl else None)

    def attention_for(self, settings: SettingsView) -> AttentionChoice:
        """The attention of a job: what the setting names, else the command line's; unknown names count as Automatic."""
        chosen = str(settings.cross_attention_optimization).split(" - ")[0].strip()
        if chosen not in METHODS or chosen == "Automatic" or (chosen == "xformers" and not has_xformers()):
            chosen = self.attention.method
        numbers = self.attention
        return AttentionChoice(chosen, bool(settings.upcast_attn), numbers.query_chunk, numbers.key_chunk, numbers.chunk_threshold)


@dataclass(frozen=True)
class Storage:
    """How a model's weights are stored: as fp8 or as computed, with or without float16 beside for LoRAs."""

    fp8: bool = False
    keep_half: bool = False

    @classmethod
    def wanted(cls, model: DiffusionModel, settings: SettingsView) -> Storage:
        fp8 = settings.fp8_storage == "Enable" or (settings.fp8_storage == "Enable for SDXL" and model.is_sdxl)
        return cls(fp8, fp8 and bool(settings.cache_fp16_weight))


def fit(model: DiffusionModel, settings: SettingsView) -> None:
    """Store the model's weights as the settings want, reading its file again where that cannot be done with what is in memory."""
    wanted = Storage.wanted(model, settings)
    if wanted != model.storage:
        if model.storage is not None and model.storage != Storage():
            _read_again(model)
        if wanted.fp8:
            if model.storage == Storage():
                _read_again(model)  # LoRAs keep what they made of the networks as they were
            for net in _split_nets(model):
                store_in_fp8(net, keep_half=wanted.keep_half)
        model.storage = wanted
        log.info("%s: weights stored as %s", model.name, FP8 if wanted.fp8 else model.unet_dtype)
    if model.offloading is not None:
        model.offloading.cover()


def _split_nets(model: DiffusionModel) -> list[Any]:
    nets = (getattr(model.checkpoint, name, None) for name in SPLIT_NETS)
    return [net for net in nets if net is not None]


def _read_again(model: DiffusionModel) -> None:
    """New networks with the file's weights in place of those stored otherwise."""
    from modules.weights.loader import load_checkpoint

    checkpoint = model.checkpoint
    fresh = load_checkpoint(checkpoint.path, dtype=model.unet_dtype, text_dtype=_text_dtype(model), companions=checkpoint.companions)
    for name in SPLIT_NETS:
        if name != "text_t5":
            setattr(checkpoint, name, getattr(fresh, name))
    model.move(model.device)


def _text_dtype(model: DiffusionModel) -> torch.dtype:
    """The type of the text encoders' embeddings, which are never stored as fp8."""
    tower = next((net for net in _split_nets(model)[1:]), None)
    if tower is None:
        return model.unet_dtype
    dtype: torch.dtype = next(layer.weight.dtype for layer in tower.modules() if type(layer).__name__ == "Embedding")
    return dtype
