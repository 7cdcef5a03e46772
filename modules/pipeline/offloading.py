"""A model whose networks take turns on the device (`--medvram`, `--lowvram`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import nn

from modules.nets.offload import Group, Offloader, blocks

if TYPE_CHECKING:
    from modules.nets.vae import AutoencoderKL
    from modules.pipeline.model import DiffusionModel

Level = Literal["networks", "blocks"]
"""What is on the device at a time: one network, or of the denoising network only one block."""


class Offloading:
    """One model's networks in the hands of an offloader."""

    def __init__(self, model: DiffusionModel, offloader: Offloader, level: Level) -> None:
        self.offloader, self.level = offloader, level
        self._model = model
        self._groups: dict[int, list[Group]] = {}
        self._nets: dict[int, nn.Module] = {}
        self.cover()

    def cover(self) -> None:
        """Take over networks that are new in the model, and let go of those that it has no longer."""
        nets = {name: net for name, net in vars(self._model.checkpoint).items() if isinstance(net, nn.Module)}
        ids = {id(net) for net in nets.values()}
        for gone in [key for key in self._groups if key not in ids]:
            self._nets.pop(gone)
            for group in self._groups.pop(gone):
                self.offloader.remove(group)
        for name, net in nets.items():
            if id(net) not in self._groups:
                self._nets[id(net)] = net
                self._groups[id(net)] = self._taken_over(name, net)

    def release(self) -> None:
        """Leave nothing on the device."""
        self.offloader.release()

    def _taken_over(self, name: str, net: nn.Module) -> list[Group]:
        if name == "vae":
            return [self.offloader.add([net], _vae_entries(net))]  # type: ignore[arg-type]
        if name != "unet" or self.level == "networks":
            return [self.offloader.add([net])]
        parts, own = blocks(net)
        for tensor in own:
            if not self.offloader.place.holds(tensor.data):
                tensor.data = self.offloader.place.upload(tensor.data)
        return [self.offloader.add([part]) for part in parts]


def _vae_entries(vae: AutoencoderKL) -> list[nn.Module]:
    """The layers that encoding and decoding begin with, also in tiles."""
    quant = [vae.quant_conv, vae.post_quant_conv] if vae.config.use_quant_conv else []
    return [vae.encoder.conv_in, vae.decoder.conv_in, *quant]
