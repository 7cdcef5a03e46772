"""`webui.sh convert IN OUT`: a weight file as safetensors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from modules.commands.progress import Bar

EPILOG = """\
examples:
  ./webui.sh convert old.ckpt                          (writes old.safetensors beside it)
  ./webui.sh convert old.ckpt new.safetensors --half --no-ema
  ./webui.sh convert embedding.pt embedding.safetensors

Pickles are read by Easel's own reader, which runs nothing of what is in them and refuses what is not plain weights.
"""


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    ask = argparse.ArgumentParser(
        prog="webui.sh convert",
        description="Write the tensors of a .ckpt, .pt, .pth, .bin or .safetensors file to a safetensors file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("source", type=Path, help="the file to read")
    ask.add_argument("target", type=Path, nargs="?", help="the file to write (default: the same name with .safetensors)")
    ask.add_argument("--half", action="store_true", help="store float32 as float16")
    ask.add_argument("--no-ema", action="store_true", help="leave out the averaged copy of the weights that training keeps")
    ask.add_argument("--overwrite", action="store_true", help="replace the target if it is there")
    ask.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    return ask


def main(argv: list[str]) -> int:
    """Run the command; returns the exit status."""
    args = parser().parse_args(argv)
    from modules.weights.convert import convert

    target = args.target or args.source.with_suffix(".safetensors")
    with Bar(quiet=args.quiet) as bar:
        count = convert(args.source, target, half=args.half, no_ema=args.no_ema, overwrite=args.overwrite, progress=bar.show)
    if not args.quiet:
        print(f"{target} ({count} tensors)", file=sys.stdout)
    return 0
