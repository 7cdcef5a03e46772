"""ControlNet: a copy of the UNet's encoder that also sees a hint and speaks into the UNet's skips (Zhang et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from modules.nets.configs import UNetConfig
from modules.nets.convolution import preferred_format, quick_convolutions
from modules.nets.unet import UNetModel, join_skip
from modules.nets.unet_blocks import TimestepEmbedSequential, zeroed

__all__ = ["ControlNet", "controlled"]

HINT_WIDTHS = ((16, 1), (16, 1), (32, 2), (32, 1), (96, 2), (96, 1), (256, 2))
"""Width and stride of the layers that bring a hint to the latent's size."""


class ControlNet(UNetModel):
    """Hint -> what is added to the UNet's skips; attribute names are the file's keys, without `control_model.` where it has that."""

    def __init__(self, config: UNetConfig, hint_channels: int = 3) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.emb_channels = config.model_channels * 4
        self.time_embed = self._embedder(config.model_channels)
        if config.adm_in_channels is not None:
            self.label_emb = nn.Sequential(self._embedder(config.adm_in_channels))
        self.input_hint_block = _hint_block(hint_channels, config.model_channels)
        self.input_blocks, skips = self._encoder()
        self.zero_convs = nn.ModuleList(TimestepEmbedSequential(zeroed(nn.Conv2d(width, width, 1))) for width in skips)
        self.middle_block = self._middle(skips[-1])
        self.middle_block_out = TimestepEmbedSequential(zeroed(nn.Conv2d(skips[-1], skips[-1], 1)))

    def _middle(self, width: int) -> TimestepEmbedSequential:
        """Always with a transformer, of no layers in the small files."""
        transformer = self._transformer(width, self.config.transformer_depth_middle or 0)
        return TimestepEmbedSequential(self._res(width, width), transformer, self._res(width, width))

    def control(self, x: Tensor, hint: Tensor, timesteps: Tensor, context: Tensor | None = None, y: Tensor | None = None) -> list[Tensor]:
        """One tensor for each block of the UNet's encoder, then one for its middle.

        x [B, in_channels, h, w] is the noisy latent, hint [B, hint_channels, 8h, 8w] lies in 0..1; the rest is as for the UNet.
        """
        emb = self.embed(timesteps, y)
        context = context if context is None else context.to(self.dtype)
        h = x.to(self.dtype, memory_format=preferred_format(x))
        told = []
        with quick_convolutions(h):
            guide = self.input_hint_block(hint.to(self.dtype), emb, context)
            for index, (block, out) in enumerate(zip(self.input_blocks, self.zero_convs, strict=True)):
                h = block(h, emb, context)
                h = h + guide if index == 0 else h
                told.append(out(h, emb, context))
            told.append(self.middle_block_out(self.middle_block(h, emb, context), emb, context))
        return told


def controlled(
    unet: UNetModel,
    x: Tensor,
    timesteps: Tensor,
    context: Tensor | None,
    control: Sequence[Tensor],
    *,
    y: Tensor | None = None,
    only_middle: bool = False,
) -> Tensor:
    """The UNet's output [B, C, h, w] with control tensors added: the last one in its middle, the others to its skips."""
    emb = unet.embed(timesteps, y)
    h = x.to(unet.dtype)
    skips = []
    for block in unet.input_blocks:
        h = block(h, emb, context)
        skips.append(h)
    told = list(control)
    h = unet.middle_block(h, emb, context) + told.pop()
    for block in unet.output_blocks:
        skip, added = skips.pop(), told.pop()
        h = block(join_skip(h, skip if only_middle else skip + added), emb, context)
    return unet.out(h).to(x.dtype)


def _hint_block(channels: int, width: int) -> TimestepEmbedSequential:
    layers: list[nn.Module] = []
    for wide, stride in HINT_WIDTHS:
        layers += [nn.Conv2d(channels, wide, 3, stride=stride, padding=1), nn.SiLU()]
        channels = wide
    return TimestepEmbedSequential(*layers, zeroed(nn.Conv2d(channels, width, 3, padding=1)))
