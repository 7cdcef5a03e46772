"""Networks merged into a model's weights, and the way back.

Base weights are never written to. Changed weights are tensors of their own, put in the parameters' places; the base
parameters wait here and go back as they were. All changed weights are computed before the first one is put in place, so
that an error or a stop while computing leaves the model as it was.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modules.adapters.changes import Changes, Slot
from modules.adapters.errors import LayerMismatch
from modules.adapters.layers import Layers, Place, layers_of
from modules.nets.memory import free_memory

if TYPE_CHECKING:
    from modules.adapters.network import Network

log = logging.getLogger(__name__)

KEPT_SETS = 2
"""Sets of changed weights kept for the next batch or job: those of the first pass and of hires fix."""
ROOM = 2
"""A set that is not in use is kept on a device only while this many times its size is free there."""


@dataclass(frozen=True)
class Wanted:
    """A network as one prompt wants it: its strengths in text encoders and in the UNet, and the ranks to use (None: all)."""

    network: Network
    te: float
    unet: float
    dyn: int | None = None

    @property
    def key(self) -> Hashable:
        """What the changed weights depend on."""
        return (str(self.network.file.filename), self.network.stamp, self.te, self.unet, self.dyn)

    def strength(self, place: Place) -> float:
        return self.te if place.text else self.unet


@dataclass(frozen=True)
class Merged:
    """Changed parameters by place, and what became of each network's layers by its name."""

    changed: Mapping[Slot, nn.Parameter]
    failed: Mapping[str, int]
    """How many layers did not fit the model."""
    used: Mapping[str, int]
    """How many layers were applied."""

    @property
    def size(self) -> int:
        return sum(parameter.numel() * parameter.element_size() for parameter in self.changed.values())


class Patcher:
    """The networks on one loaded checkpoint."""

    def __init__(self, checkpoint: Any) -> None:
        self.checkpoint = checkpoint
        self._nets = self._networks()
        self._layers: Layers = layers_of(checkpoint)
        self._base: dict[Slot, nn.Parameter | None] = {}
        self._active: Hashable = ()
        self._kept: OrderedDict[Hashable, Merged] = OrderedDict()

    @property
    def is_current(self) -> bool:
        """Whether the checkpoint still has the networks it had."""
        return self._nets == self._networks()

    @property
    def is_active(self) -> bool:
        return bool(self._base)

    def apply(self, wanted: Iterable[Wanted], *, whole_products: bool = True) -> Merged:
        """Put exactly these networks on the model, in this order; what the last ones changed is undone first.

        Without `whole_products` layers that need a product of half-precision matrices are left out on a processor.
        """
        wanted = tuple(wanted)
        key = (whole_products, *(item.key for item in wanted))
        if not wanted:
            self.restore()
            return Merged({}, {}, {})
        if key == self._active and key in self._kept:
            return self._kept[key]
        self.restore()
        merged = self._kept.pop(key, None) or self._merge(wanted, whole_products)
        self._keep(key, merged)
        for slot in merged.changed:
            self._base[slot] = getattr(*slot)
        self._active = key
        for (module, name), parameter in merged.changed.items():
            _put(module, name, _beside(parameter, self._base[module, name]))
        return merged

    def restore(self) -> None:
        """Give every changed parameter its base value back; may be called at any time, also twice."""
        for (module, name), base in self._base.items():
            _put(module, name, _beside(base, getattr(module, name)))
        self._base, self._active = {}, ()

    def keep_latest(self) -> None:
        """Of the changed weights not in use keep only the latest, and that only where it does not crowd its device."""
        while len(self._kept) > 1:
            self._kept.popitem(last=False)
        for key, merged in list(self._kept.items()):
            device = next((parameter.device for parameter in merged.changed.values()), None)
            free = None if device is None else free_memory(device)
            if key != self._active and free is not None and free < ROOM * merged.size:
                del self._kept[key]

    def forget_unused(self) -> None:
        """Keep no changed weights but those in use."""
        for key in [key for key in self._kept if key != self._active]:
            del self._kept[key]

    def forget(self) -> None:
        """Restore, and keep no changed weights."""
        self.restore()
        self._kept.clear()

    @torch.inference_mode(False)
    @torch.no_grad()
    def _merge(self, wanted: tuple[Wanted, ...], whole_products: bool) -> Merged:
        changes = Changes(whole_products)
        failed, used = dict.fromkeys(names(wanted), 0), dict.fromkeys(names(wanted), 0)
        for item in wanted:
            name = item.network.file.name
            for layer_name, layer in item.network.layers.items():
                place = self._layers.get(layer_name)
                if place is None:
                    continue
                try:
                    changes.add(place, layer, item.strength(place), item.dyn)
                    used[name] += 1
                except LayerMismatch as error:
                    # A1111: layers that do not fit are left out one by one, the others stay
                    log.debug("%s, layer %s: %s", name, layer_name, error)
                    failed[name] += 1
        return Merged(changes.finished(), failed, used)

    def _keep(self, key: Hashable, merged: Merged) -> None:
        self._kept[key] = merged
        while len(self._kept) > KEPT_SETS:
            self._kept.popitem(last=False)

    def _networks(self) -> list[int]:
        """Which network objects the checkpoint has; another file read into it makes new ones."""
        return [id(getattr(self.checkpoint, part, None)) for part in ("unet", "text_l", "text_g", "text_t5")]


def names(wanted: Iterable[Wanted]) -> list[str]:
    """The names of networks, in order."""
    return [item.network.file.name for item in wanted]


def _put(module: nn.Module, name: str, value: nn.Parameter | None) -> None:
    """Exchange a parameter for another without touching either."""
    module._parameters[name] = value


def _beside(parameter: nn.Parameter | None, current: Tensor | None) -> nn.Parameter | None:
    """The same parameter, its values on the device where those are whose place it takes (a network may have been moved meanwhile)."""
    if parameter is not None and current is not None and parameter.device != current.device:
        with torch.inference_mode(parameter.is_inference()):
            parameter.data = parameter.data.to(current.device)
    return parameter
