"""What the engine adds to each step over a plain loop on the same networks, on a tiny checkpoint at 64×64.

Both draw the same picture in the same process, turn by turn: the engine through `Engine.run` with everything it does
(queue, conditionings, infotext, decoding), the loop with nothing but the UNet, guidance and Euler steps, then one decode.
Printed: the time of a step in both, their difference and their ratio, as medians of the rounds; written with `--json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

FEW, MANY = 5, 65
SIDE = 64


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=9)
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    import torch
    from golden_data import data_folder

    from modules import flags
    from modules.engine.engine import Engine

    torch.set_num_threads(1)
    data = data_folder()
    engine = Engine(flags.parse(["--no-half", "--precision", "full", "--use-cpu", "all", "--data-dir", str(data)]))
    engine.options.set("sd_model_checkpoint", "tiny-sd1")
    draw(engine, FEW)
    model = engine.models.loaded
    loop(model, FEW)
    times: dict[str, list[float]] = {"engine": [], "loop": []}
    for _ in range(args.rounds):
        times["loop"].append(step_of(lambda steps: loop(model, steps)))
        times["engine"].append(step_of(lambda steps: draw(engine, steps)))
    engine.close()
    report(times, args.json)
    return 0


def step_of(work: Any) -> float:
    """Milliseconds of one more step: what comes once in a picture cancels out. CPU time, which other programs change least."""
    marks = [time.process_time()]
    for steps in (FEW, MANY):
        work(steps)
        marks.append(time.process_time())
    return (marks[2] - marks[1] - (marks[1] - marks[0])) / (MANY - FEW) * 1000


def draw(engine: Any, steps: int) -> None:
    """One picture through the engine."""
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img

    engine.run(
        StableDiffusionProcessingTxt2Img(
            prompt="a cat", steps=steps, width=SIDE, height=SIDE, seed=1, sampler_name="Euler", do_not_save_samples=True
        )
    )


def loop(model: Any, count: int) -> None:
    """The same picture by hand: k-diffusion's discrete schedule, Euler, guidance 7, both prompts in one batch."""
    import torch

    checkpoint = model.checkpoint
    sigmas = (1 / model.alphas_cumprod - 1).sqrt()
    steps = torch.linspace(999, 0, count)
    levels = [float(sigmas[int(t)]) for t in steps] + [0.0]
    ids = torch.randint(0, 1000, (2, 77), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        context = checkpoint.text_l(ids).last
        x = torch.randn(1, 4, SIDE // 8, SIDE // 8) * levels[0]
        for t, sigma, following in zip(steps, levels, levels[1:], strict=False):
            scaled = x / (sigma**2 + 1) ** 0.5
            cond, uncond = checkpoint.unet(scaled.repeat(2, 1, 1, 1), t.repeat(2), context, None).chunk(2)
            x = x + (uncond + 7 * (cond - uncond)) * (following - sigma)
        checkpoint.vae.decode(x / 0.18215)


def report(times: dict[str, list[float]], path: Path | None) -> None:
    step = {name: statistics.median(values) for name, values in times.items()}
    pairs = zip(times["engine"], times["loop"], strict=True)
    ratio = statistics.median(engine / plain for engine, plain in pairs)
    result = {"engine_ms": step["engine"], "loop_ms": step["loop"], "overhead_ms": step["engine"] - step["loop"], "ratio": ratio}
    print(f"{'engine, a step':18}{step['engine']:8.2f} ms CPU")
    print(f"{'plain loop, a step':18}{step['loop']:8.2f} ms CPU")
    print(f"{'overhead':18}{result['overhead_ms']:8.2f} ms CPU, ratio {ratio:.3f}")
    if path:
        path.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    sys.exit(main())
