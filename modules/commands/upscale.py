"""`webui.sh upscale IN OUT`: a picture enlarged, or its faces restored, without a server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from modules import flags as server_flags
from modules.commands.progress import follow

EPILOG = """\
examples:
  ./webui.sh upscale in.png out.png --upscaler "R-ESRGAN 4x+" --scale 2
  ./webui.sh upscale in.png out.png --upscaler 4x-UltraSharp --size 1920x1080 --crop
  ./webui.sh upscale in.png out.png --upscaler None --codeformer 1
  ./webui.sh upscale --list                                          (the upscalers there are)
"""


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    ask = argparse.ArgumentParser(
        prog="webui.sh upscale",
        description="Enlarge a picture and write it to a file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("input", type=Path, nargs="?", help="the picture")
    ask.add_argument("output", type=Path, nargs="?", help="file to write")
    ask.add_argument("--upscaler", default="Lanczos", metavar="NAME", help="upscaler by name (default: Lanczos)")
    ask.add_argument("--scale", type=float, default=2.0, metavar="N", help="factor (default: 2)")
    ask.add_argument("--size", default=None, metavar="WxH", help="size to reach, in place of a factor")
    ask.add_argument("--crop", action="store_true", help="with --size: cut off what sticks out")
    ask.add_argument("--second", default="None", metavar="NAME", help="a second upscaler to blend in")
    ask.add_argument("--blend", type=float, default=0.5, metavar="V", help="how much of the second, 0 to 1 (default: 0.5)")
    ask.add_argument("--gfpgan", type=float, default=0.0, metavar="V", help="restore faces with GFPGAN, visible 0 to 1")
    ask.add_argument("--codeformer", type=float, default=0.0, metavar="V", help="restore faces with CodeFormer, visible 0 to 1")
    ask.add_argument("--list", action="store_true", help="print the names of the upscalers and end")
    ask.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    return ask


def main(argv: list[str]) -> int:
    """Run the command; returns the exit status."""
    ask = parser()
    args, rest = ask.parse_known_args(argv)
    if not args.list and (args.input is None or args.output is None):
        ask.error("name the picture and the file to write")
    flags = server_flags.parse(rest)
    from modules.engine.engine import Engine
    from modules.extend.host import install

    engine = Engine(flags)
    install(engine, flags)
    try:
        if args.list:
            print("\n".join(engine.enhancers.upscalers.names()))
            return 0
        engine.enhancers.upscalers.check(args.upscaler)
        job = engine.submit(_request(args), source="command")
        follow(job, quiet=args.quiet)
        _save(job.wait(), args)
    finally:
        engine.close()
    return 0


def _request(args: argparse.Namespace) -> Any:
    from modules.extend.extras import ExtrasRequest, read_picture
    from modules.pipeline.processing import RequestError

    try:
        image = read_picture(args.input)
    except (OSError, ValueError, SyntaxError) as error:
        raise RequestError("input", f"'{args.input}' cannot be read as a picture ({error})") from None
    width = height = 0
    if args.size:
        try:
            width, height = (int(side) for side in args.size.lower().split("x"))
        except ValueError:
            raise RequestError("--size", f"must look like 1024x768, not {args.size!r}") from None
    upscale = {
        "upscale_enabled": True,
        "upscale_mode": 1 if args.size else 0,
        "upscale_by": args.scale,
        "upscale_to_width": width,
        "upscale_to_height": height,
        "upscale_crop": args.crop,
        "upscaler_1_name": args.upscaler,
        "upscaler_2_name": args.second,
        "upscaler_2_visibility": args.blend,
    }
    steps = {
        "Upscale": upscale,
        "GFPGAN": {"enable": True, "gfpgan_visibility": args.gfpgan},
        "CodeFormer": {"enable": True, "codeformer_visibility": args.codeformer},
    }
    return ExtrasRequest(images=[image], steps=steps)


def _save(result: Any, args: argparse.Namespace) -> None:
    from modules.engine.jobs import JobCancelled
    from modules.imaging.encoding import encode
    from modules.imaging.files import make_folder, replace_file

    if not result.images:
        raise JobCancelled("stopped before the picture was done")
    image, infotext = result.images[0], result.infotexts[0]
    make_folder(args.output.parent)
    replace_file(args.output, encode(image, args.output.suffix, infotext, chunk="extras", existing=image.info))
    if not args.quiet:
        print(args.output, file=sys.stdout)
