"""RetinaFace with a ResNet-50 body: faces and their five landmarks in one pass (Deng et al. 2020).

Attribute names are those of the published weights `detection_Resnet50_Final`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = (3, 4, 6, 3)
FEATURES = 256
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
STRIDES = (8, 16, 32)
VARIANCES = (0.1, 0.2)
MEAN_BGR = (104.0, 117.0, 123.0)


class Bottleneck(nn.Module):
    """ResNet's block of three convolutions (He et al. 2016, figure 5)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != width * 4:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width * 4, 1, stride, bias=False), nn.BatchNorm2d(width * 4))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return functional.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNetBody(nn.Module):
    """ResNet-50 up to its last feature map; gives the maps of strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for index, blocks in enumerate(STAGES):
            width = 64 << index
            first = Bottleneck(channels, width, 1 if index == 0 else 2)
            channels = width * 4
            setattr(self, f"layer{index + 1}", nn.Sequential(first, *(Bottleneck(channels, width, 1) for _ in range(blocks - 1))))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for index in range(len(STAGES)):
            x = getattr(self, f"layer{index + 1}")(x)
            maps.append(x)
        return maps[1:]


def _conv(channels: int, out: int, kernel: int = 3, *, active: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, out, kernel, 1, kernel // 2, bias=False), nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, nn.ReLU()) if active else nn.Sequential(*layers)


class FeaturePyramid(nn.Module):
    """Coarse maps enlarged and added to finer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = _conv(512, FEATURES, 1), _conv(1024, FEATURES, 1), _conv(2048, FEATURES, 1)
        self.merge1, self.merge2 = _conv(FEATURES, FEATURES), _conv(FEATURES, FEATURES)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[2:], mode="nearest"))
        return [fine, middle, coarse]


class ContextModule(nn.Module):
    """Three fields of view side by side (SSH, Najibi et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        quarter = FEATURES // 4
        self.conv3X3 = _conv(FEATURES, FEATURES // 2, active=False)
        self.conv5X5_1 = _conv(FEATURES, quarter)
        self.conv5X5_2 = _conv(quarter, quarter, active=False)
        self.conv7X7_2 = _conv(quarter, quarter)
        self.conv7x7_3 = _conv(quarter, quarter, active=False)

    def forward(self, x: Tensor) -> Tensor:
        five = self.conv5X5_1(x)
        seven = self.conv7x7_3(self.conv7X7_2(five))
        return functional.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(five), seven], dim=1))


class Head(nn.Module):
    """`size` numbers for each of a cell's two anchors."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.conv1x1 = nn.Conv2d(FEATURES, 2 * size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, self.size)


class RetinaFace(nn.Module):
    """Finds faces in a BGR picture [1, 3, H, W] of 0..255."""

    def __init__(self) -> None:
        super().__init__()
        self.body = ResNetBody()
        self.fpn = FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = ContextModule(), ContextModule(), ContextModule()
        self.ClassHead = nn.ModuleList(Head(2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(10) for _ in STRIDES)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes [n, 4] as left, top, right, bottom, scores [n] in 0..1 and landmarks [n, 5, 2], in pixels, one row per anchor."""
        mean = torch.tensor(MEAN_BGR, dtype=picture.dtype, device=picture.device).view(1, 3, 1, 1)
        pyramid = self.fpn(self.body(picture - mean))
        maps = [ssh(level) for ssh, level in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]
        boxes, scores, landmarks = (
            torch.cat([head(level) for head, level in zip(heads, maps, strict=True)], dim=1)[0].float()
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        height, width = picture.shape[2:]
        anchors = anchor_boxes(height, width).to(picture.device)
        size = torch.tensor([width, height], dtype=torch.float32, device=picture.device)
        return _decoded_boxes(boxes, anchors, size), scores.softmax(-1)[:, 1], _decoded_points(landmarks, anchors, size)


def anchor_boxes(height: int, width: int) -> Tensor:
    """Centre and size [n, 4] of every anchor as parts of the picture's sides, in the order of the network's rows."""
    levels = []
    for stride, sizes in zip(STRIDES, ANCHOR_SIZES, strict=True):
        y, x = torch.meshgrid(torch.arange(-(-height // stride)), torch.arange(-(-width // stride)), indexing="ij")
        centre = torch.stack([(x + 0.5) * stride / width, (y + 0.5) * stride / height], dim=-1)
        boxes = [torch.cat([centre, torch.tensor([side / width, side / height]).expand_as(centre)], dim=-1) for side in sizes]
        levels.append(torch.stack(boxes, dim=2).reshape(-1, 4))
    return torch.cat(levels)


def _decoded_boxes(boxes: Tensor, anchors: Tensor, size: Tensor) -> Tensor:
    centre = anchors[:, :2] + boxes[:, :2] * VARIANCES[0] * anchors[:, 2:]
    half = anchors[:, 2:] * torch.exp(boxes[:, 2:] * VARIANCES[1]) / 2
    return torch.cat([(centre - half) * size, (centre + half) * size], dim=1)


def _decoded_points(points: Tensor, anchors: Tensor, size: Tensor) -> Tensor:
    return (anchors[:, None, :2] + points.view(-1, 5, 2) * VARIANCES[0] * anchors[:, None, 2:]) * size
