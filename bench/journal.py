"""What the journal costs: the time to record one evaluation, as a share of the evaluation itself.

    venv/bin/python bench/journal.py [--size 512] [--batch 1] [--device cuda] [--dtype float16] [--rounds 20] [--json out.json]

The network is a UNet of SD1.5's size with random weights. Each round draws one evaluation (both halves of the guidance in
one call) without and with a journal on the disk, in turn, so that a busy machine slows both alike; the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from modules.engine.journal import Journal
from modules.nets.configs import UNetConfig
from modules.nets.unet import UNetModel


def main() -> None:
    """Print the table, and write it as JSON where asked to."""
    args = _arguments()
    device, dtype = torch.device(args.device), getattr(torch, args.dtype)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        with torch.device(device):
            unet = UNetModel(UNetConfig()).to(dtype).eval()
        x = torch.randn(2 * args.batch, 4, args.size // 8, args.size // 8, device=device, dtype=dtype)
        t = torch.full((len(x),), 500.0, device=device, dtype=dtype)
        text = torch.randn(len(x), 77, UNetConfig().context_dim, device=device, dtype=dtype)
        journal = Journal(Path(folder) / "journal.bin", limit=1 << 32)
        bare, kept, alone = [], [], []
        for number in range(args.rounds + 2):
            bare.append(_timed(lambda: unet(x, t, text).float(), device))
            kept.append(_timed(lambda number=number: journal.evaluation(f"0/0/first/{number}", lambda: unet(x, t, text).float()), device))
            answer = torch.randn_like(x, dtype=torch.float32)
            alone.append(_timed(lambda number=number, answer=answer: journal.recall(f"alone/{number}", lambda: answer), device))
        journal.delete()
    table = {
        "device": str(device), "dtype": args.dtype, "size": args.size, "batch": args.batch,
        "evaluation_ms": 1000 * statistics.median(bare[2:]),
        "with_journal_ms": 1000 * statistics.median(kept[2:]),
        "recording_ms": 1000 * statistics.median(alone[2:]),
    }  # fmt: skip
    table["recording_share"] = table["recording_ms"] / table["evaluation_ms"]
    table["difference_share"] = table["with_journal_ms"] / table["evaluation_ms"] - 1
    for name, value in table.items():
        print(f"{name:18} {value:.5g}" if isinstance(value, float) else f"{name:18} {value}")
    if args.json:
        args.json.write_text(json.dumps(table, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float16" if torch.cuda.is_available() else "float32")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _timed(work: object, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()  # type: ignore[operator]
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
