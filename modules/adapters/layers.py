"""The layers of a loaded checkpoint that networks can change, found by every name that network files have for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from modules.adapters.diffusers_names import MMDIT_QKV, mmdit_names, openclip_names, unet_names
from modules.nets.mmdit import MMDiT
from modules.nets.openclip import FusedSelfAttention, OpenCLIPTextModel
from modules.nets.unet import UNetModel

if TYPE_CHECKING:
    from torch import Tensor

CHANGEABLE = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
QKV = ("q", "k", "v")


@dataclass(frozen=True)
class Place:
    """Where a layer's weight is: a module and the names of its parameters; `third` 0, 1, 2 is the part of a fused q, k, v matrix."""

    module: nn.Module
    text: bool
    """Whether it belongs to a text encoder, whose strength is given apart."""
    weight: str = "weight"
    bias: str = "bias"
    third: int | None = None

    @property
    def rows(self) -> slice:
        """The rows of the parameters that are this layer's."""
        if self.third is None:
            return slice(None)
        size = getattr(self.module, self.weight).shape[0] // 3
        return slice(self.third * size, (self.third + 1) * size)

    def parameter(self, name: str) -> Tensor | None:
        found: Tensor | None = getattr(self.module, name)
        return found


Layers = Mapping[str, Place]
"""Places by layer name in the spelling of `names.canonical`."""


def layers_of(checkpoint: Any) -> Layers:
    """Every changeable layer of a checkpoint's UNet (or transformer) and text encoders, under all its names."""
    found: dict[str, Place] = {}
    _add(found, checkpoint.unet, ("unet",), text=False)
    text_l, text_g = getattr(checkpoint, "text_l", None), getattr(checkpoint, "text_g", None)
    if text_l is not None:
        # A1111: files for one text encoder may call it the first of two, but a file for SD1 finds no text encoder in SDXL
        _add(found, text_l, ("te", "te1") if text_g is None else ("te1",), text=True)
    if text_g is not None and checkpoint.spec.family != "sdxl-refiner":
        _add(found, text_g, ("te", "te1") if text_l is None else ("te2",), text=True)
    if getattr(checkpoint, "text_t5", None) is not None:
        _add(found, checkpoint.text_t5, ("te3",), text=True)
    return found


def _add(found: dict[str, Place], net: nn.Module, prefixes: tuple[str, ...], *, text: bool) -> None:
    for path, place in _places(net, text):
        for prefix in prefixes:
            found.setdefault(f"{prefix}_{path.replace('.', '_')}", place)


def _places(net: nn.Module, text: bool) -> Iterator[tuple[str, Place]]:
    """(path, place) of every layer, first under the module's own path, then under its other names."""
    others = _other_names(net)
    for path, module in net.named_modules():
        if isinstance(module, FusedSelfAttention):
            yield from _fused(path, module, text)
        elif isinstance(module, CHANGEABLE) and module.weight is not None:
            place = Place(module, text)
            yield path, place
            if path in others:
                yield others[path], place
            yield from _parts_of_fused(path, module, net)


def _fused(path: str, module: FusedSelfAttention, text: bool) -> Iterator[tuple[str, Place]]:
    index = path.split(".")[-2]
    for third, letter in enumerate(QKV):
        place = Place(module, text, "in_proj_weight", "in_proj_bias", third)
        yield f"{path}.{letter}_proj", place
        yield f"text_model.encoder.layers.{index}.self_attn.{letter}_proj", place


def _parts_of_fused(path: str, module: nn.Module, net: nn.Module) -> Iterator[tuple[str, Place]]:
    """The three thirds of an MMDiT's fused matrix under the names that diffusers has for them."""
    start, _, inner = path.partition("_block.")
    block, _, stream = start.rpartition(".")
    if isinstance(net, MMDiT) and block and (names := MMDIT_QKV.get(f"{stream}_block.{inner}")):
        for third, name in enumerate(names):
            yield f"{block.replace('joint_blocks', 'transformer_blocks')}.{name}", Place(module, False, third=third)


def _other_names(net: nn.Module) -> Mapping[str, str]:
    if isinstance(net, UNetModel):
        return unet_names(net)
    if isinstance(net, MMDiT):
        return mmdit_names(len(net.joint_blocks))
    return openclip_names(net.config.layers) if isinstance(net, OpenCLIPTextModel) else {}
