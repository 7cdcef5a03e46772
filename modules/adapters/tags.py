"""What the arguments of `<lora:…>` and `<hypernet:…>` mean (generation.md §1.6 of the reference)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modules.adapters.errors import BadArgument
from modules.prompt.extra_networks import ExtraNetworkParams, ExtraNetworks

LORA_KINDS = ("lora", "lyco")
"""The kinds of tags that mean LoRA files, whatever is in them."""
HYPERNETWORK_KIND = "hypernet"


@dataclass(frozen=True)
class LoraTag:
    """`<lora:name:te:unet:dyn>`: strengths in the text encoders and in the UNet, and how many ranks to use (None: all)."""

    name: str
    te: float = 1.0
    unet: float = 1.0
    dyn: int | None = None

    @classmethod
    def of(cls, params: ExtraNetworkParams) -> LoraTag:
        """Read a tag's arguments; raises BadArgument."""
        if not params.positional:
            raise BadArgument(f"<lora:{':'.join(params.items)}> names no file; it was left out")
        te = _number(params, "te", 1, 1.0)
        dyn = _argument(params, "dyn", 3)
        return cls(params.positional[0], te, _number(params, "unet", 2, te), None if dyn is None else _whole(params, dyn))


@dataclass(frozen=True)
class HypernetTag:
    """`<hypernet:name:strength>`."""

    name: str
    strength: float = 1.0

    @classmethod
    def of(cls, params: ExtraNetworkParams) -> HypernetTag:
        """Read a tag's arguments; raises BadArgument."""
        return cls(params.items[0], _float(params, params.items[1]) if len(params.items) > 1 else 1.0)


def tags_of(wanted: ExtraNetworks, kinds: Sequence[str]) -> list[ExtraNetworkParams]:
    """The tags of several kinds that mean the same: kind by kind in order of first appearance, as the prompt has them within a kind."""
    return [params for kind, found in wanted.items() if kind in kinds for params in found]


def _argument(params: ExtraNetworkParams, name: str, position: int) -> str | None:
    if name in params.named:
        return params.named[name]
    return params.positional[position] if len(params.positional) > position else None


def _number(params: ExtraNetworkParams, name: str, position: int, default: float) -> float:
    text = _argument(params, name, position)
    return default if text is None else _float(params, text)


def _float(params: ExtraNetworkParams, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadArgument(f"'{':'.join(params.items)}': '{text}' is no number; the network was left out")
    return value


def _whole(params: ExtraNetworkParams, text: str) -> int:
    try:
        return max(int(text), 0)
    except ValueError:
        raise BadArgument(f"'{':'.join(params.items)}': '{text}' is no whole number; the network was left out") from None
