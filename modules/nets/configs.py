"""Shapes of the networks as plain data; importing this file does not import torch."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["quick_gelu", "gelu"]


@dataclass(frozen=True)
class UNetConfig:
    """Shape of a latent-diffusion UNet; the defaults are those of Stable Diffusion 1.

    `num_res_blocks`, `channel_mult` and `transformer_depth` have one entry per level, the finest level first; depth 0
    means no attention on that level. `transformer_depth_middle` None or 0 leaves a single residual block in the middle
    (SSD-1B, Vega). Heads are either a number (`num_heads`) or a width (`num_head_channels`), the width winning.
    `adm_in_channels` is the width of the vector `y`, None without. `input_depths` and `output_depths`, where given,
    replace `transformer_depth` block by block in the order in which the blocks run (distilled SDXL models, whose blocks
    of one level differ).

    Raises ValueError when the per-level tuples disagree in length or neither form of heads is given.
    """

    in_channels: int = 4
    out_channels: int = 4
    model_channels: int = 320
    num_res_blocks: tuple[int, ...] = (2, 2, 2, 2)
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    transformer_depth: tuple[int, ...] = (1, 1, 1, 0)
    transformer_depth_middle: int | None = 1
    num_heads: int | None = 8
    num_head_channels: int | None = None
    context_dim: int = 768
    use_linear_in_transformer: bool = False
    adm_in_channels: int | None = None
    input_depths: tuple[int, ...] | None = None
    output_depths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        levels = len(self.channel_mult)
        if len(self.num_res_blocks) != levels or len(self.transformer_depth) != levels:
            raise ValueError(
                f"num_res_blocks {self.num_res_blocks} and transformer_depth {self.transformer_depth} "
                f"need one entry for each of the {levels} levels of channel_mult"
            )
        if self.num_heads is None and self.num_head_channels is None:
            raise ValueError("one of num_heads and num_head_channels must be given")
        if self.input_depths is not None and len(self.input_depths) != sum(self.num_res_blocks):
            raise ValueError(f"input_depths needs {sum(self.num_res_blocks)} entries, one per encoder residual block")
        if self.output_depths is not None and len(self.output_depths) != sum(self.num_res_blocks) + levels:
            raise ValueError(f"output_depths needs {sum(self.num_res_blocks) + levels} entries, one per decoder residual block")

    def heads(self, channels: int) -> int:
        """Number of attention heads at a width of `channels`."""
        if self.num_head_channels is not None:
            return channels // self.num_head_channels
        assert self.num_heads is not None
        return self.num_heads


@dataclass(frozen=True)
class VAEConfig:
    """Shape of a KL autoencoder; the defaults are those of Stable Diffusion 1, 2 and XL.

    `z_channels` leave the encoder (twice as many with `double_z`: mean and log variance), `embed_dim` are the latent's; without
    `use_quant_conv` the two are the same (Stable Diffusion 3). Raises ValueError when `double_z` is off: there would be no variance.
    """

    in_channels: int = 3
    out_ch: int = 3
    z_channels: int = 4
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    embed_dim: int = 4
    double_z: bool = True
    use_quant_conv: bool = True

    def __post_init__(self) -> None:
        if not self.double_z:
            raise ValueError("a KL autoencoder needs double_z: its encoder gives mean and log variance")
        if not self.use_quant_conv and self.embed_dim != self.z_channels:
            raise ValueError(f"embed_dim {self.embed_dim} must equal z_channels {self.z_channels} where there is no quant_conv")

    @property
    def scale_factor(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** (len(self.ch_mult) - 1)


@dataclass(frozen=True)
class CLIPTextConfig:
    """Shape of a CLIP text tower in the layout of transformers; the defaults are those of CLIP ViT-L/14 (Stable Diffusion 1).

    `projection_dim` adds the `text_projection` matrix that stand-alone text encoder files carry.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    vocab: int = 49408
    positions: int = 77
    mlp_ratio: float = 4
    act: Activation = "quick_gelu"
    projection_dim: int | None = None

    @property
    def intermediate_size(self) -> int:
        """Width of the hidden layer of each feed-forward part."""
        return int(self.width * self.mlp_ratio)


@dataclass(frozen=True)
class OpenCLIPTextConfig:
    """Shape of a CLIP text tower in the layout of open_clip; the defaults are those of ViT-H/14 (Stable Diffusion 2)."""

    width: int = 1024
    layers: int = 24
    heads: int = 16
    vocab: int = 49408
    positions: int = 77
    embed_dim: int = 1024
    mlp_ratio: float = 4
    act: Activation = "gelu"
