"""How well the avatar model does what its prompt says, judged by a classifier trained on drawings: one table, also as JSON.

`python bench/avatar_quality.py` generates 200 unselected pictures with the product's pipeline at the default settings, seeds 0 to 199;
`--own` uses the trainer's own sampler instead. The judge comes from `python -m tools.avatar.classifier`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.avatar import captions, classifier  # noqa: E402
from tools.avatar.attributes import COLORS, Landscape, Portrait, sample_attributes  # noqa: E402

Generate = Callable[[Sequence[str], Sequence[int], str, float, int], np.ndarray]
"""(prompts, seeds, negative, cfg, steps) -> uint8 [B, 128, 128, 3]."""

TARGETS = {"hair": 0.9, "eyes": 0.75, "style": 0.75, "outfit": 0.75, "background": 0.9, "kind": 0.98}
SIZE, BATCH = 128, 4
MARGIN = 0.03
"""A mean probability that moves by less is noise at a dozen pictures a side."""


def product() -> Generate:
    """The product's pipeline through its engine, sampler "DPM++ 2M", schedule "Automatic"."""
    from modules import flags
    from modules.engine.engine import Engine
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img

    engine = Engine(flags.parse([]))
    engine.options.set("sd_model_checkpoint", engine.checkpoints.get("avatar").title)

    def generate(prompts: Sequence[str], seeds: Sequence[int], negative: str, cfg: float, steps: int) -> np.ndarray:
        pictures = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            request = StableDiffusionProcessingTxt2Img(
                prompt=prompt,
                negative_prompt=negative,
                seed=seed,
                cfg_scale=cfg,
                steps=steps,
                width=SIZE,
                height=SIZE,
                sampler_name="DPM++ 2M",
                do_not_save_samples=True,
                do_not_save_grid=True,
            )
            pictures.append(np.asarray(engine.run(request).images[0].convert("RGB")))
        return np.stack(pictures)

    return generate


def own() -> Generate:
    """The trainer's sampler on the run's last checkpoint."""
    import torch
    import yaml

    from tools.avatar.diffusion_training import decoder_name, latent_affine, load_vae
    from tools.avatar.sample import load_sampler
    from tools.avatar.vae_training import to_pixels

    config = yaml.safe_load(Path("tools/avatar/cpu-128.yaml").read_text())
    folder = Path(config["folder"])
    sampler, _ = load_sampler(config, folder)
    vae = load_vae(config, folder, decoder_name(folder))
    shift, deviation = (row[:, None, None] for row in latent_affine(folder))

    def generate(prompts: Sequence[str], seeds: Sequence[int], negative: str, cfg: float, steps: int) -> np.ndarray:
        with torch.inference_mode():
            return to_pixels(vae.decode(sampler(prompts, seeds[0], negative, cfg, steps) * deviation + shift))

    return generate


def batched(
    generate: Generate, prompts: Sequence[str], first_seed: int, negative: str = "", cfg: float = 7.0, steps: int = 20
) -> np.ndarray:
    parts = [
        generate(
            prompts[i : i + BATCH],
            range(first_seed + i, first_seed + min(i + BATCH, len(prompts))),
            negative,
            cfg,
            steps,
        )
        for i in range(0, len(prompts), BATCH)
    ]
    return np.concatenate(parts)


def full_prompt(attributes: Portrait | Landscape) -> str:
    """Every tag of the picture in the dictionary's own wording and order."""
    if isinstance(attributes, Landscape):
        return ", ".join(captions.landscape_tags(attributes, lambda options: options[0]))
    tags = captions.portrait_tags(attributes, lambda options: options[0], np.random.default_rng(0))
    return ", ".join(tags)


def plain(attributes: Portrait | Landscape) -> Portrait | Landscape:
    """The same without what would hide an answer: sunglasses and a second hair colour."""
    if isinstance(attributes, Landscape):
        return attributes
    from dataclasses import replace

    return replace(attributes, hair2=None, props=tuple(prop for prop in attributes.props if prop != "sunglasses"))


def table(judge: classifier.Judge, pictures: np.ndarray, wanted: Sequence[Portrait | Landscape]) -> dict[str, float]:
    """Share of right answers per head."""
    truth = np.array([classifier.labels(attributes) for attributes in wanted])
    given = judge.probabilities(pictures)
    shares = {}
    for i, head in enumerate(classifier.HEADS):
        known = truth[:, i] != classifier.IGNORE
        shares[head] = float((given[head].argmax(1) == truth[:, i])[known].mean())
    return shares


def steering(judge: classifier.Judge, generate: Generate, count: int) -> dict[str, tuple[float, float]]:
    """Pairs of mean probabilities that should rise from left to right."""
    rest = "1girl, {}, long hair, straight hair, blue eyes, smile, gray shirt, jeans, white background"
    pink, blue = COLORS.index("pink"), COLORS.index("blue")

    @cache
    def chances(prompt: str, negative: str, cfg: float) -> dict[str, np.ndarray]:
        return judge.probabilities(batched(generate, [prompt] * count, 5000, negative, cfg))

    def hair(prompt: str, color: int, negative: str = "", cfg: float = 7.0, head: str = "hair") -> float:
        return float(chances(prompt, negative, cfg)[head][:, color].mean())

    named, free = rest.format("pink hair"), rest.format("").replace(", ,", ",")
    usual = max(range(len(COLORS)), key=lambda color: hair(free, color))
    both = rest.format("[pink hair:blue hair:0.5]")
    early, late = rest.format("[pink hair:blue hair:0.9]"), rest.format("[pink hair:blue hair:0.1]")
    mild = rest.format("pink hair, blue hair")
    return {
        "pink: (pink hair:0.6) -> (pink hair:1.4)": (
            hair(mild.replace("pink hair", "(pink hair:0.6)"), pink),
            hair(mild.replace("pink hair", "(pink hair:1.4)"), pink),
        ),
        f"{COLORS[usual]}: no colour, negative '{COLORS[usual]} hair' -> none": (
            hair(free, usual, f"{COLORS[usual]} hair"),
            hair(free, usual),
        ),
        "blue eyes: CFG 1 -> CFG 7": (hair(named, blue, cfg=1.0, head="eyes"), hair(named, blue, head="eyes")),
        "blue: 'pink hair' -> [pink hair:blue hair:0.5]": (hair(named, blue), hair(both, blue)),
        "blue: [pink hair:blue hair:0.9] -> [pink hair:blue hair:0.1]": (hair(early, blue), hair(late, blue)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true", help="the trainer's own sampler (no emphasis, no editing)")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument(
        "--pairs", type=int, default=12, help="pictures per side of each steering test; 0 leaves them out"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="write the first 64 pictures, unselected, as one sheet")
    arguments = parser.parse_args()
    judge, generate = classifier.load(), own() if arguments.own else product()
    wanted = [plain(sample_attributes(np.random.default_rng((31337, i)))) for i in range(arguments.count)]
    started = time.perf_counter()
    pictures = batched(generate, [full_prompt(attributes) for attributes in wanted], 0)
    seconds = (time.perf_counter() - started) / len(wanted)
    if arguments.sheet:
        import cv2

        rows = [np.concatenate(list(pictures[i : i + 8]), 1) for i in range(0, 64, 8)]
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(arguments.sheet), np.concatenate(rows)[:, :, ::-1])
    shares, control = table(judge, pictures, wanted), classifier.accuracy(judge, 300)
    print(f"{'':12s} generated  drawings  target   ({len(wanted)} pictures, {seconds:.2f} s each)")
    for head, share in shares.items():
        target = f"{TARGETS[head]:6.0%}" if head in TARGETS else "     -"
        print(f"{head:12s} {share:9.1%} {control[head]:9.1%}  {target}")
    pairs = steering(judge, generate, arguments.pairs) if arguments.pairs else {}
    for name, (low, high) in pairs.items():
        verdict = "right" if high > low + MARGIN else "WRONG" if high < low - MARGIN else "no effect"
        print(f"{name:62s} {low:.2f} -> {high:.2f}  {verdict}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"shares": shares, "drawings": control, "steering": pairs, "seconds": seconds}, indent=1)
        )


if __name__ == "__main__":
    main()
