"""`webui.sh txt2img PROMPT`: a picture without a server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modules import flags as server_flags
from modules.commands.progress import follow

if TYPE_CHECKING:
    from modules.engine.engine import Engine
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img

EPILOG = """\
examples:
  ./webui.sh txt2img "1girl, pink hair, twin tail, smile" -o out.png
  ./webui.sh txt2img "no humans, sunset, sea" --steps 30 --seed 7 --sampler "Euler a" -o sea.png
  ./webui.sh txt2img "1boy, red hair" --batch-size 4 -o boys.png      (boys.png, boys-1.png, ...)

Every flag of the server that concerns models and precision works here too
(--data-dir, --ckpt-dir, --no-half, --precision full, --use-cpu all ...).
"""


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    ask = argparse.ArgumentParser(
        prog="webui.sh txt2img",
        description="Draw a picture from a prompt and write it to a file, with the recipe inside it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("prompt", help="what to draw, in the prompt language of the page")
    ask.add_argument("-o", "--output", type=Path, default=Path("out.png"), help="file to write (default: out.png)")
    ask.add_argument("-n", "--negative", default="", metavar="PROMPT", help="what to keep out of the picture")
    ask.add_argument("--steps", type=int, default=20, help="sampling steps (default: 20)")
    ask.add_argument("--seed", type=int, default=-1, help="the same seed gives the same picture (default: random)")
    ask.add_argument("--sampler", default="DPM++ 2M", metavar="NAME", help='e.g. "Euler a" (default: "DPM++ 2M")')
    ask.add_argument("--schedule", default="Automatic", metavar="NAME", help='e.g. "Karras" (default: the sampler\'s own)')
    ask.add_argument("--cfg", type=float, default=7.0, metavar="SCALE", help="how closely to follow the prompt (default: 7)")
    ask.add_argument("--size", default=None, metavar="WxH", help="picture size (default: what the model was trained at)")
    ask.add_argument("--batch-size", type=int, default=1, metavar="N", help="pictures drawn at once (default: 1)")
    ask.add_argument("--model", default=None, metavar="NAME", help="checkpoint by name or hash (default: the selected one)")
    ask.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    return ask


def main(argv: list[str]) -> int:
    """Run the command; returns the exit status."""
    args, rest = parser().parse_known_args(argv)
    flags = server_flags.parse(rest)
    from modules.engine.engine import Engine

    engine = Engine(flags)
    if args.model:
        engine.options.set("sd_model_checkpoint", engine.checkpoints.get(args.model).title)
    job = engine.submit(_request(args, engine), source="command")
    follow(job, quiet=args.quiet)
    result = job.wait()
    for index, (image, infotext) in enumerate(zip(result.images, result.infotexts, strict=True)):
        path = _numbered(args.output, index)
        _save(image, path, infotext)
        if not args.quiet:
            print(path, file=sys.stdout)
    engine.close()
    return 0


def _request(args: argparse.Namespace, engine: Engine) -> StableDiffusionProcessingTxt2Img:
    from modules.pipeline.processing import RequestError, StableDiffusionProcessingTxt2Img

    width, height = engine.default_size()
    if args.size:
        try:
            width, height = (int(side) for side in args.size.lower().split("x"))
        except ValueError:
            raise RequestError("--size", f"must look like 512x768, not {args.size!r}") from None
    return StableDiffusionProcessingTxt2Img(
        prompt=args.prompt,
        negative_prompt=args.negative,
        steps=args.steps,
        seed=args.seed,
        sampler_name=args.sampler,
        scheduler=args.schedule,
        cfg_scale=args.cfg,
        width=width,
        height=height,
        batch_size=args.batch_size,
        do_not_save_samples=True,
        do_not_save_grid=True,
    )


def _numbered(path: Path, index: int) -> Path:
    return path if index == 0 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def _save(image, path: Path, infotext: str) -> None:  # type: ignore[no-untyped-def]
    from modules.imaging.saving import write_image

    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, path, infotext=infotext)
