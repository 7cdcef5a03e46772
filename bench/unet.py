"""One evaluation of an SD1.5-size UNet on the processor, against diffusers' in the same process.

    python bench/unet.py [--batches 1 2] [--dtypes fp32 bf16] [--size 512] [--rounds 3] [--threads N] [--json FILE]

Both networks read the same random numbers as weights and take turns; every figure is the median of its turns. Seconds of processor
time are printed beside the clock's, since other programs on the machine hardly move them. Work per second is compared with
what a large matrix product and a large convolution reach here. diffusers (0.42) is needed for this comparison only.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from modules.nets.unet import UNetConfig, UNetModel  # noqa: E402

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
Evaluation = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass
class Turn:
    """One evaluation: seconds by the clock, seconds of processor time, bytes at the peak above what lay there before."""

    wall: float
    cpu: float
    peak: int | None


@dataclass
class Row:
    """One network at one batch size and type: medians, and `best_wall`, the shortest turn, which other programs disturb least.

    `share_*` compare work per second of processor time with the machine's peaks.
    """

    network: str
    dtype: str
    batch: int
    wall: float
    cpu: float
    best_wall: float
    peak_mib: float | None
    share_of_matmul: float
    share_of_conv: float


def main() -> None:
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    rows: list[Row] = []
    skipped: list[str] = []
    for name in args.dtypes:
        if name == "bf16" and not has_bf16():
            skipped.append("bf16: this processor has neither avx512_bf16 nor amx_bf16")
            continue
        rows += measure(name, args.batches, args.size // 8, args.rounds)
    report(rows, skipped)
    if args.json:
        result = {"threads": torch.get_num_threads(), "torch": torch.__version__, "size": args.size, "skipped": skipped}
        Path(args.json).write_text(json.dumps(result | {"rows": [asdict(row) for row in rows]}, indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--size", type=int, default=512, help="picture size in pixels")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each network after the one that warms up")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", default="")
    return parser.parse_args()


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is emulated and says nothing."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


@torch.inference_mode()
def measure(dtype: str, batches: list[int], cells: int, rounds: int) -> list[Row]:
    """The table's rows for one type."""
    evaluations = networks(DTYPES[dtype])
    matmul, conv = peaks(DTYPES[dtype])
    rows = []
    for batch in batches:
        inputs = (
            torch.randn(batch, 4, cells, cells, dtype=DTYPES[dtype]),
            torch.full((batch,), 500),
            torch.randn(batch, 77, 768, dtype=DTYPES[dtype]),
        )
        turns = alternate(evaluations, inputs, rounds)
        work = operations(batch, cells)
        for name, taken in turns.items():
            cpu = statistics.median(turn.cpu for turn in taken)
            peak = [turn.peak for turn in taken if turn.peak is not None]
            rows.append(
                Row(
                    network=name,
                    dtype=dtype,
                    batch=batch,
                    wall=statistics.median(turn.wall for turn in taken),
                    cpu=cpu,
                    best_wall=min(turn.wall for turn in taken),
                    peak_mib=statistics.median(peak) / 2**20 if peak else None,
                    share_of_matmul=work / cpu / matmul,
                    share_of_conv=work / cpu / conv,
                )
            )
    return rows


def networks(dtype: torch.dtype) -> dict[str, Evaluation]:
    """Both networks, their parameters cut from one array of random numbers."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        ours = UNetModel(UNetConfig())
        theirs: Any = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    total = sum(p.numel() for p in ours.parameters())
    assert total == sum(p.numel() for p in theirs.parameters()), "not the same network"
    numbers = torch.empty(total).uniform_(-0.03, 0.03).to(dtype)
    for network in (ours, theirs):
        furnish(network, numbers)
    return {"easel": ours, "diffusers": lambda x, t, context: theirs(x, t, context).sample}


def furnish(network: nn.Module, numbers: Tensor) -> None:
    """Gives every parameter its piece of `numbers`."""
    start = 0
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            piece = numbers[start : start + parameter.numel()].view(parameter.shape)
            setattr(module, name, nn.Parameter(piece, requires_grad=False))
            start += parameter.numel()
    network.eval()


def alternate(evaluations: dict[str, Evaluation], inputs: tuple[Tensor, ...], rounds: int) -> dict[str, list[Turn]]:
    """Each network's turns, without the first round; who begins changes from round to round."""
    turns: dict[str, list[Turn]] = {name: [] for name in evaluations}
    order = list(evaluations)
    for number in range(rounds + 1):
        for name in order:
            turn = take(partial(evaluations[name], *inputs))
            if number:
                turns[name].append(turn)
            print(f"batch {len(inputs[0])} {name}: {turn.wall:.2f} s, {turn.cpu:.2f} s of processor time", file=sys.stderr)
        order.reverse()
    return turns


def take(evaluate: Callable[[], object]) -> Turn:
    """Runs and measures one evaluation."""
    before = forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    evaluate()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Turn(wall, cpu, None if before is None else memory("VmHWM") - before)


def forget_peak() -> int | None:
    """Hands freed memory back and sets the recorded peak to what is then held, in bytes; None where the system cannot."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return memory("VmRSS")
    except (AttributeError, OSError):
        return None


def memory(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def peaks(dtype: torch.dtype) -> tuple[float, float]:
    """Operations per second of processor time that a large matrix product and a large convolution reach; the best of five each."""
    a, b = torch.randn(2048, 2048, dtype=dtype), torch.randn(2048, 2048, dtype=dtype)
    x = torch.randn(1, 320, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.randn(320, 320, 3, 3, dtype=dtype)
    matmul = min(take(lambda: a @ b).cpu for _ in range(5))
    conv = min(take(lambda: nn.functional.conv2d(x, kernel, padding=1)).cpu for _ in range(5))
    return 2 * 2048**3 / matmul, 2 * 64 * 64 * 320 * 320 * 9 / conv


def operations(batch: int, cells: int) -> float:
    """Floating-point operations of one evaluation, counted on the meta device."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        UNetModel(UNetConfig())(torch.empty(batch, 4, cells, cells), torch.empty(batch), torch.empty(batch, 77, 768))
    return counter.get_total_flops()


def report(rows: list[Row], skipped: list[str]) -> None:
    """Prints the table; a ratio above 1 means faster than diffusers."""
    heads = f"{'type':5} {'batch':>5} {'network':10} {'wall s':>8} {'cpu s':>8} {'best s':>8} {'peak MiB':>9}"
    print(f"{heads} {'of matmul':>9} {'of conv':>8} ratio")
    for row in rows:
        base = next(r for r in rows if (r.network, r.dtype, r.batch) == ("diffusers", row.dtype, row.batch))
        peak = "-" if row.peak_mib is None else f"{row.peak_mib:.0f}"
        print(
            f"{row.dtype:5} {row.batch:5} {row.network:10} {row.wall:8.2f} {row.cpu:8.2f} {row.best_wall:8.2f} {peak:>9}"
            f" {row.share_of_matmul:9.0%} {row.share_of_conv:8.0%} {base.wall / row.wall:.2f}"
            f" (cpu {base.cpu / row.cpu:.2f}, best {base.best_wall / row.best_wall:.2f})"
        )
    for line in skipped:
        print(f"skipped {line}")


if __name__ == "__main__":
    main()
