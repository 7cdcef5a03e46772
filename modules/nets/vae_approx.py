"""Two approximate decoders for previews: a small convolutional network, and a matrix from latent channels to colours."""
from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LatentSpace = Literal["sd", "sdxl", "sd3"]

CHEAP_ROWS: dict[LatentSpace, tuple[tuple[float, float, float], ...]] = {
    "sd": ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473)),
    "sdxl": (
        (0.3448, 0.4168, 0.4395),
        (-0.1953, -0.0290, 0.0250),
        (0.1074, 0.0886, -0.0163),
        (-0.3730, -0.2499, -0.2088),
    ),
    "sd3": (
        (-0.0645, 0.0177, 0.1052),
        (0.0028, 0.0312, 0.0650),
        (0.1848, 0.0762, 0.0360),
        (0.0944, 0.0360, 0.0889),
        (0.0897, 0.0506, -0.0364),
        (-0.0020, 0.1203, 0.0284),
        (0.0855, 0.0118, 0.0283),
        (-0.0539, 0.0658, 0.1047),
        (-0.0057, 0.0116, 0.0700),
        (-0.0412, 0.0281, -0.0039),
        (0.1106, 0.1171, 0.1220),
        (-0.0248, 0.0682, -0.0481),
        (0.0815, 0.0846, 0.1207),
        (-0.0120, -0.0055, -0.0867),
        (-0.0749, -0.0634, -0.0456),
        (-0.1418, -0.1457, -0.1259),
    ),
}
"""Red, green and blue of each latent channel, per latent space: least-squares fits that the field passes on."""


class VAEApprox(nn.Module):
    """Latents [B, C, h, w] in the UNet's scale -> pictures [B, 3, 2h, 2w], nominally in -1..1.

    Layer names are the keys of `model.pt`, `vaeapprox-sdxl.pt` (4 channels) and `vaeapprox-sd3.pt` (16).
    """

    MARGIN = 11
    """Cells of zeros around the doubled latent: a few more than the eight unpadded convolutions eat, as the network was trained."""

    def __init__(self, latent_channels: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(latent_channels, 8, 7)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.conv3 = nn.Conv2d(16, 32, 3)
        self.conv4 = nn.Conv2d(32, 64, 3)
        self.conv5 = nn.Conv2d(64, 32, 3)
        self.conv6 = nn.Conv2d(32, 16, 3)
        self.conv7 = nn.Conv2d(16, 8, 3)
        self.conv8 = nn.Conv2d(8, 3, 3)

    def forward(self, latents: Tensor) -> Tensor:
        height, width = latents.shape[2:]
        x = functional.interpolate(latents, size=(height * 2, width * 2))
        x = functional.pad(x, (self.MARGIN,) * 4)
        for layer in self.children():
            x = functional.leaky_relu(layer(x), 0.1)
        return x


def cheap_approximation(latents: Tensor, space: LatentSpace) -> Tensor:
    """Colours nominally in -1..1 [B, 3, h, w] of latents [B, C, h, w] in the UNet's scale, cell by cell."""
    rows = torch.tensor(CHEAP_ROWS[space], dtype=latents.dtype, device=latents.device)
    return torch.einsum("bchw,cr->brhw", latents, rows)
