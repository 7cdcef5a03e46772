"""DPT-hybrid, MiDaS 3's depth network (Ranftl et al. 2021): a ResNet and a vision transformer, fused at four scales.

Stable Diffusion 2 depth carries its weights under `depth_model.model.`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.nets.attention import attend
from modules.nets.configs import DPTConfig
from modules.nets.resnet_v2 import ResNetV2

__all__ = ["DPTConfig", "DPTHybrid"]

NORM_EPS = 1e-6
PATCH = 16


class DPTHybrid(nn.Module):
    """Pictures -> inverse depth, larger being nearer; attribute names are the checkpoint's keys under `depth_model.model.`."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.config = config
        self.pretrained = Backbone(config)
        self.scratch = Fusion(config)

    def forward(self, x: Tensor) -> Tensor:
        """Inverse depth [B, 1, H, W], at least 0, of pictures [B, 3, H, W] in -1..1 whose sides are multiples of 32."""
        return self.scratch(self.pretrained(x.to(self.scratch.layer1_rn.weight.dtype)))


class Backbone(nn.Module):
    """The four feature maps, at 1/4, 1/8, 1/16 and 1/32 of the picture."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.config = config
        self.model = HybridViT(config)
        width = config.width
        self.act_postprocess3 = nn.Sequential(ProjectReadout(width), nn.Identity(), nn.Identity(), nn.Conv2d(width, width, 1))
        self.act_postprocess4 = nn.Sequential(
            ProjectReadout(width), nn.Identity(), nn.Identity(), nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 3, stride=2, padding=1)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        size = (x.shape[2] // PATCH, x.shape[3] // PATCH)
        fine, middle, tokens = self.model(x)
        last, coarsest = self.act_postprocess3, self.act_postprocess4
        coarse = [self._as_map(layers, states, size) for layers, states in zip((last, coarsest), tokens, strict=True)]
        return [fine, middle, *coarse]

    def _as_map(self, layers: nn.Sequential, states: Tensor, size: tuple[int, int]) -> Tensor:
        x = layers[0](states).transpose(1, 2).unflatten(2, size)
        for layer in layers[3:]:
            x = layer(x)
        return x


class ProjectReadout(nn.Module):
    """Takes the class token into every other one: [B, 1+N, width] -> [B, N, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([x[:, 1:], x[:, :1].expand(-1, x.shape[1] - 1, -1)], dim=-1))


class HybridViT(nn.Module):
    """A vision transformer over the features of a ResNet."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + 1, config.width))
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Feature maps of the first two stages of the ResNet, and the tokens [B, 1+N, width] behind the hooked layers."""
        fine, middle, last = self.patch_embed.backbone(x)
        embedded = self.patch_embed.proj(last)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), embedded.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self._positions(embedded.shape[2], embedded.shape[3])
        states = []
        for block in self.blocks:
            tokens = block(tokens)
            states.append(tokens)
        return fine, middle, [states[hook] for hook in self.config.hooks]

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The table of positions, stretched to this many rows and columns."""
        first, grid = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        side = self.config.grid
        table = grid.transpose(1, 2).unflatten(2, (side, side))
        stretched = functional.interpolate(table, size=(rows, columns), mode="bilinear")
        return torch.cat([first, stretched.flatten(2).transpose(1, 2)], dim=1)


class PatchEmbed(nn.Module):
    """The ResNet and the projection of its last stage under their names in the checkpoint."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.backbone = ResNetV2(config.stem, config.stage_widths, config.stage_blocks)
        self.proj = nn.Conv2d(config.stage_widths[-1], config.width, 1)


class Block(nn.Module):
    """Self-attention and feed-forward, each behind its norm and added to its input."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.mlp = FeedForward(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Self-attention whose query, key and value matrices lie one below the other."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        return self.proj(attend(query, key, value, self.heads))


class FeedForward(nn.Module):
    """Two matrices around a GELU."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_hidden)
        self.fc2 = nn.Linear(config.mlp_hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Fusion(nn.Module):
    """From the coarsest map to the finest, each added to what came from below; then the depth."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        features, (fine, middle, _) = config.features, config.stage_widths
        self.layer1_rn = nn.Conv2d(fine, features, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(middle, features, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(config.width, features, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(config.width, features, 3, padding=1, bias=False)
        self.refinenet1 = FusionBlock(features)
        self.refinenet2 = FusionBlock(features)
        self.refinenet3 = FusionBlock(features)
        self.refinenet4 = FusionBlock(features)
        self.output_conv = nn.Sequential(
            nn.Conv2d(features, features // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(features // 2, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        reduced = [layer(x) for layer, x in zip((self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn), maps, strict=True)]
        x = self.refinenet4(reduced[3], None)
        for block, skip in zip((self.refinenet3, self.refinenet2, self.refinenet1), reduced[2::-1], strict=True):
            x = block(x, skip)
        return self.output_conv(x)


class FusionBlock(nn.Module):
    """Adds a map from the side and doubles the size; the coarsest block has nothing at its side."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        if skip is not None:
            x = x + self.resConfUnit1(skip)
        x = functional.interpolate(self.resConfUnit2(x), scale_factor=2, mode="bilinear", align_corners=True)
        return self.out_conv(x)


class ResidualUnit(nn.Module):
    """Two convolutions behind their activations, added to the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(torch.relu(self.conv1(torch.relu(x)))) + x
