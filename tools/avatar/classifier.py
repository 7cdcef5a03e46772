"""A small judge of pictures: reads attributes back from pixels. Trained on drawings the diffusion model never saw.

`python -m tools.avatar.classifier` draws, trains, checks itself on further fresh drawings and writes training/avatar-judge/judge.pt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.avatar import dataset
from tools.avatar.attributes import COLORS, EXPRESSIONS, HAIR_STYLES, LENGTHS, OUTFITS, Attributes, Landscape

HEADS: dict[str, tuple[str, ...]] = {
    "hair": COLORS,
    "eyes": COLORS,
    "style": HAIR_STYLES,
    "outfit": OUTFITS,
    "background": COLORS,
    "length": LENGTHS,
    "expression": EXPRESSIONS,
    "kind": ("person", "scenery"),
}
FOLDER = Path("training/avatar-judge")
TRAIN_SEED, TEST_SEED, SIZE = 990_001, 990_002, 128
_EYES = (slice(40, 84), slice(20, 108))
IGNORE = -100


def labels(attributes: Attributes) -> list[int]:
    """One index per head; -100 where the picture cannot show it (no person; two-tone hair; eyes behind sunglasses or hearts)."""
    if isinstance(attributes, Landscape):
        return [1 if head == "kind" else IGNORE for head in HEADS]
    values = [names.index("person" if head == "kind" else getattr(attributes, head)) for head, names in HEADS.items()]
    names = list(HEADS)
    if attributes.hair2:
        values[names.index("hair")] = IGNORE
    if "sunglasses" in attributes.props:
        values[names.index("eyes")] = values[names.index("expression")] = IGNORE
    return values


def _stage(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Judge(nn.Module):
    """Pictures [B, 3, 128, 128] in [-1, 1] -> logits per head. Looks at the whole at half size and at the eyes' strip at full size."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Sequential(
            _stage(3, 32), _stage(32, 64), _stage(64, 96), _stage(96, 128), nn.Flatten(), nn.Dropout(0.2)
        )
        self.strip = nn.Sequential(
            _stage(3, 24), _stage(24, 48), _stage(48, 64), _stage(64, 64), nn.Flatten(), nn.Dropout(0.2)
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(128 * 16 + 64 * 3 * 6, len(names)) for name, names in HEADS.items()}
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = torch.cat([self.whole(functional.avg_pool2d(x, 2)), self.strip(x[..., _EYES[0], _EYES[1]])], 1)
        return {name: head(features) for name, head in self.heads.items()}

    @torch.inference_mode()
    def probabilities(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 [B, 128, 128, 3] -> probabilities [B, n] per head."""
        logits = self.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0))
        return {name: value.softmax(1).numpy() for name, value in logits.items()}


def disturb(x: Tensor) -> Tensor:
    """What generated pictures differ by: blur, noise, and shifts of level, contrast and place."""
    n = len(x)
    soft = functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2, mode="bilinear")
    x = torch.lerp(x, soft, torch.rand(n, 1, 1, 1))
    x = (
        x * (1 + 0.1 * torch.randn(n, 1, 1, 1))
        + 0.06 * torch.randn(n, 3, 1, 1)
        + 0.12 * torch.rand(n, 1, 1, 1) * torch.randn_like(x)
    )
    dx, dy = (int(v) for v in torch.randint(-3, 4, (2,)))
    return torch.roll(x, (dy, dx), (2, 3)).clamp(-1, 1)


def train(count: int, epochs: int, batch: int = 64) -> Judge:
    torch.manual_seed(1)
    dataset.build(FOLDER / "train", count, SIZE, TRAIN_SEED, workers=1)
    drawings = dataset.Drawings(FOLDER / "train")
    targets = torch.tensor([labels(attributes) for attributes in drawings.attributes])
    judge = Judge().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    total = epochs * (count // batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total)
    for step in range(total):
        rows = np.random.default_rng(step).integers(count, size=batch)
        x = torch.from_numpy(np.array(drawings.pictures[np.sort(rows)])).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        wanted = targets[np.sort(rows)]
        logits = judge.train()(disturb(x))
        loss = torch.stack(
            [
                functional.cross_entropy(value, wanted[:, i], ignore_index=IGNORE)
                for i, value in enumerate(logits.values())
            ]
        ).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
        if step % 100 == 0:
            print(f"step {step}/{total} loss {float(loss):.3f}", flush=True)
    return judge.eval()


def accuracy(judge: Judge, count: int) -> dict[str, float]:
    """Share of right answers per head on fresh drawings (where the picture can show the answer)."""
    pairs = [dataset.draw(TEST_SEED, index, SIZE) for index in range(count)]
    wanted = np.array([labels(attributes) for attributes, _ in pairs])
    given = judge.probabilities(np.stack([picture.pixels for _, picture in pairs]))
    result = {}
    for i, name in enumerate(HEADS):
        known = wanted[:, i] != IGNORE
        result[name] = float((given[name].argmax(1) == wanted[:, i])[known].mean())
    return result


def load() -> Judge:
    """The trained judge; raises FileNotFoundError where it has not been trained yet."""
    judge = Judge()
    judge.load_state_dict(torch.load(FOLDER / "judge.pt", weights_only=True))
    return judge.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    judge = train(arguments.count, arguments.epochs)
    torch.save(judge.state_dict(), FOLDER / "judge.pt")
    for name, share in accuracy(judge, 600).items():
        print(f"{name:12s} {share:6.1%}")


if __name__ == "__main__":
    main()
