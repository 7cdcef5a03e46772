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


@dataclass(frozen=True)
class MMDiTConfig:
    """Shape of Stable Diffusion 3's transformer; the defaults are those of SD3-medium.

    `depth` joint blocks, each `hidden` wide with heads of `head_width`; `pos_side` is the side of the square table of positions.
    `qk_norm` gives queries and keys a root-mean-square norm (SD3.5).
    """

    in_channels: int = 16
    out_channels: int = 16
    patch_size: int = 2
    depth: int = 24
    hidden: int = 1536
    head_width: int = 64
    mlp_hidden: int = 6144
    context_dim: int = 4096
    adm_in_channels: int = 2048
    pos_side: int = 192
    qk_norm: bool = False

    @property
    def model_channels(self) -> int:
        """Width of the network, under the UNet's name for it."""
        return self.hidden

    @property
    def heads(self) -> int:
        return self.hidden // self.head_width


@dataclass(frozen=True)
class T5Config:
    """Shape of a T5 v1.1 encoder; the defaults are those of T5-XXL (Stable Diffusion 3)."""

    width: int = 4096
    layers: int = 24
    heads: int = 64
    inner: int = 4096
    hidden: int = 10240
    vocab: int = 32128
    buckets: int = 32


@dataclass(frozen=True)
class XLMRConfig:
    """Shape of AltDiffusion's text encoder; the defaults are those of XLM-RoBERTa large with a projection to 768.

    `pre_transformation` is the m18 form, whose conditioning comes from the last but one layer.
    """

    width: int = 1024
    layers: int = 24
    heads: int = 16
    hidden: int = 4096
    vocab: int = 250002
    positions: int = 514
    project_dim: int = 768
    pre_transformation: bool = False


@dataclass(frozen=True)
class OpenCLIPVisionConfig:
    """Shape of a CLIP vision tower in the layout of open_clip; the defaults are those of ViT-H/14 (Stable unCLIP)."""

    width: int = 1280
    layers: int = 32
    heads: int = 16
    patch_size: int = 14
    image_size: int = 224
    embed_dim: int = 1024
    mlp_hidden: int = 5120
    act: Activation = "gelu"


@dataclass(frozen=True)
class DPTConfig:
    """Shape of MiDaS' DPT-hybrid depth network; the defaults are those of `dpt_hybrid` (Stable Diffusion 2 depth)."""

    stem: int = 64
    stage_widths: tuple[int, int, int] = (256, 512, 1024)
    stage_blocks: tuple[int, int, int] = (3, 4, 9)
    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_hidden: int = 3072
    grid: int = 24
    features: int = 256
    hooks: tuple[int, int] = (8, 11)
