"""ParseNet: which part of a face each pixel belongs to (Chen et al. 2021, PSFR-GAN). Attribute names are those of the published weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

CLASSES = 19
WIDTHS = (64, 128, 256, 256, 256)
DEPTH = 10


class Conv(nn.Module):
    """Reflected border, convolution, and where asked for enlarging before it, normalisation and activation after it."""

    def __init__(self, channels: int, out: int, *, scale: str = "none", normed: bool = False, active: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.conv2d = nn.Conv2d(channels, out, 3, 2 if scale == "down" else 1, bias=not normed)
        self.norm = _Norm(out) if normed else nn.Identity()
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == "up":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        x = self.norm(self.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect")))
        return functional.leaky_relu(x, 0.2) if self.active else x


class _Norm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Residual(nn.Module):
    """Two convolutions beside a shortcut; the first enlarges or the second shrinks where the scale says so."""

    def __init__(self, channels: int, out: int, scale: str = "none") -> None:
        super().__init__()
        same = scale == "none" and channels == out
        self.shortcut_func = nn.Identity() if same else Conv(channels, out, scale=scale)
        self.conv1 = Conv(channels, out, scale="up" if scale == "up" else "none", normed=True, active=True)
        self.conv2 = Conv(out, out, scale="down" if scale == "down" else "none", normed=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_func(x) + self.conv2(self.conv1(x))


class ParseNet(nn.Module):
    """Scores [B, 19, 512, 512] of the face parts from RGB pictures [B, 3, 512, 512] in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        down = [Residual(a, b, "down") for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)]
        up = [Residual(a, b, "up") for a, b in zip(WIDTHS[::-1], WIDTHS[-2::-1], strict=False)]
        self.encoder = nn.Sequential(Conv(3, WIDTHS[0]), *down)
        self.body = nn.Sequential(*(Residual(WIDTHS[-1], WIDTHS[-1]) for _ in range(DEPTH)))
        self.decoder = nn.Sequential(*up)
        self.out_mask_conv = Conv(WIDTHS[0], CLASSES)
        self.out_img_conv = Conv(WIDTHS[0], 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        return self.out_mask_conv(self.decoder(features + self.body(features)))
