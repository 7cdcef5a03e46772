"""Weights that wait in main memory: only the layers that run are on the device (`--medvram`, `--lowvram`).

Parameters stay the same objects, only where their values lie changes, so whoever holds or exchanges a layer's parameters
(LoRAs) need not know.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakIdKeyDictionary


class Place:
    """A device as the offloader sees it: whether a tensor lies there, a copy there, a copy in main memory to go back to."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def holds(self, tensor: Tensor) -> bool:
        return tensor.device.type == self.device.type

    def upload(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def download(self, tensor: Tensor) -> Tensor:
        """In memory that the device can read by itself, where there is such."""
        copy = tensor.to("cpu")
        if self.device.type != "cuda" or copy.is_pinned():
            return copy
        try:
            return copy.pin_memory()
        except RuntimeError:  # as much as the system lets be pinned is pinned: only slower
            return copy


class Group:
    """Modules that are on the device together; whoever owns the modules holds it."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        self.handles: list[RemovableHandle] = []

    def tensors(self) -> Iterator[Tensor]:
        """Their parameters and buffers, as they are now."""
        for module in self.modules:
            yield from module.parameters()
            yield from module.buffers()


class Offloader:
    """Brings groups of modules to a device when one of them is called; what was there before leaves first.

    One offloader serves all models of a program, so that never more than one group is on the device. It keeps no model alive.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._resident: weakref.ref[Group] | None = None
        self._homes: Any = WeakIdKeyDictionary()
        """Parameter on the device -> (its values in main memory, its version when they were the same)."""

    @property
    def resident(self) -> Group | None:
        """The group on the device."""
        return self._resident() if self._resident is not None else None

    def add(self, modules: Sequence[nn.Module], entries: Iterable[nn.Module] | None = None) -> Group:
        """Take modules out of the device, to come back together when one of `entries` (by default of themselves) is called."""
        group = Group(modules)
        group.handles = [self._watch(group, entry) for entry in (modules if entries is None else entries)]
        self._send_home(group)
        return group

    def remove(self, group: Group) -> None:
        """No longer look after a group; its weights stay in main memory."""
        for handle in group.handles:
            handle.remove()
        self._send_home(group)

    def bring(self, group: Group) -> None:
        """Put a group on the device, all of it also when some of its parameters were exchanged since."""
        if self.resident is not group:
            self.release()
            self._resident = weakref.ref(group)
        for tensor in group.tensors():
            if not self.place.holds(tensor.data):
                self._fetch(tensor)

    def release(self) -> None:
        """Empty the device: everything back to main memory."""
        if (group := self.resident) is not None:
            self._send_home(group)
            self._resident = None
        for tensor in list(self._homes):  # exchanged for others while they were on the device
            self._go_home(tensor)

    def _watch(self, group: Group, entry: nn.Module) -> RemovableHandle:
        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            self.bring(group)
            return tuple(self._here(a) for a in args), {name: self._here(a) for name, a in kwargs.items()}

        return entry.register_forward_pre_hook(before, with_kwargs=True, prepend=True)

    def _here(self, value: Any) -> Any:
        return self.place.upload(value) if isinstance(value, Tensor) and not self.place.holds(value) else value

    def _send_home(self, group: Group) -> None:
        for tensor in group.tensors():
            self._go_home(tensor)

    def _fetch(self, tensor: Tensor) -> None:
        with _like(tensor):
            home = tensor.data
            tensor.data = self.place.upload(home)
            self._homes[tensor] = (home, _version(tensor))

    def _go_home(self, tensor: Tensor) -> None:
        """Values that did not change on the device are not copied back."""
        home, version = self._homes.pop(tensor, (None, None))
        with _like(tensor):
            if self.place.holds(tensor.data):
                unchanged = home is not None and version is not None and version == _version(tensor) and home.dtype == tensor.dtype
                tensor.data = home if unchanged else self.place.download(tensor.data)


def _like(tensor: Tensor) -> AbstractContextManager[object]:
    """The mode in which the tensor was made: torch does not let a tensor of inference mode hold values from outside of it."""
    return torch.inference_mode(tensor.is_inference())


def _version(tensor: Tensor) -> int | None:
    """torch's count of changes in place; None for tensors without one."""
    return None if tensor.is_inference() else tensor._version


def blocks(net: nn.Module) -> tuple[list[nn.Module], list[Tensor]]:
    """The parts of a network that run one after the other, and the tensors that belong to no part."""
    parts: list[nn.Module] = []
    for child in net.children():
        parts += list(child) if isinstance(child, nn.ModuleList) else [child]
    own = [*net.parameters(recurse=False), *net.buffers(recurse=False)]
    return parts, own
