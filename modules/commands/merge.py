"""`webui.sh merge A B [C]`: the checkpoint merger without a page."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules import flags as server_flags
from modules.commands.progress import Bar
from modules.weights.merge_formula import METHODS

if TYPE_CHECKING:
    from modules.engine.checkpoints import CheckpointRegistry
    from modules.weights.merge_recipe import Ingredient, MergeRequest

CONFIG_SOURCES = {"first": 0, "B": 1, "C": 2, "none": 3}
EPILOG = """\
examples:
  ./webui.sh merge modelA modelB -m 0.3                           (0.7 A + 0.3 B)
  ./webui.sh merge sd15-inpainting anime sd15 --method "Add difference" -m 1 -o anime
  ./webui.sh merge modelA --method "No interpolation" --half --vae my.vae.safetensors -o small

Models are named as on the page (name, title or hash) or by their path; the result appears in the checkpoint folder.
Flags of the server such as --data-dir and --ckpt-dir work here too.
"""


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    ask = argparse.ArgumentParser(
        prog="webui.sh merge",
        description="Merge checkpoints into a new one, tensor by tensor.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("models", nargs="+", metavar="MODEL", help="primary, secondary and tertiary model (A, B, C)")
    ask.add_argument("--method", choices=METHODS, default="Weighted sum", help="interpolation (default: Weighted sum)")
    ask.add_argument("-m", "--multiplier", type=float, default=0.3, help="M; 0 gives model A (default: 0.3)")
    ask.add_argument("-o", "--name", default="", help="name of the result (default: the formula)")
    ask.add_argument("--format", choices=("safetensors", "ckpt"), default="safetensors", help="file format (default: safetensors)")
    ask.add_argument("--half", action="store_true", help="save float32 weights as float16")
    ask.add_argument("--vae", type=Path, metavar="FILE", help="bake this VAE into the result")
    ask.add_argument("--discard", default="", metavar="REGEX", help="leave out weights whose name matches")
    ask.add_argument("--copy-config", choices=tuple(CONFIG_SOURCES), default="first", help="whose .yaml the result gets")
    ask.add_argument("--metadata", type=_json_object, default={}, metavar="JSON", help="metadata to add")
    ask.add_argument("--no-metadata", action="store_true", help="save no metadata at all")
    ask.add_argument("--no-recipe", action="store_true", help="do not add the merge's recipe")
    ask.add_argument("--no-copy-metadata", action="store_true", help="do not copy metadata from the merged models")
    ask.add_argument("--overwrite", action="store_true", help="replace a file of the same name")
    ask.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    return ask


def main(argv: list[str]) -> int:
    """Run the command; returns the exit status."""
    args, rest = parser().parse_known_args(argv)
    if len(args.models) > 3:
        parser().error("at most three models can be merged")
    flags = server_flags.parse(rest)
    from modules.engine.engine import Engine
    from modules.weights.merge import merge

    engine = Engine(flags)
    try:
        request = _request(args, engine.checkpoints)
        with Bar(quiet=args.quiet) as bar:
            path = merge(request, engine.paths.checkpoints[0], overwrite=args.overwrite, progress=bar.show)
    finally:
        engine.close()
    if not args.quiet:
        print(path, file=sys.stdout)
    return 0


def _request(args: argparse.Namespace, checkpoints: CheckpointRegistry) -> MergeRequest:
    from modules.weights.merge_recipe import MergeRequest

    chosen: list[Ingredient | None] = [_ingredient(name, checkpoints) for name in args.models]
    chosen += [None] * (3 - len(chosen))
    assert chosen[0] is not None  # argparse wants at least one
    return MergeRequest(
        primary=chosen[0],
        secondary=chosen[1],
        tertiary=chosen[2],
        method=args.method,
        multiplier=args.multiplier,
        save_as_half=args.half,
        custom_name=args.name.removesuffix(f".{args.format}"),
        format=args.format,
        config_source=CONFIG_SOURCES[args.copy_config],
        bake_in_vae=args.vae,
        discard_weights=args.discard,
        save_metadata=not args.no_metadata,
        add_merge_recipe=not args.no_recipe,
        copy_metadata_fields=not args.no_copy_metadata,
        metadata=args.metadata,
    )


def _ingredient(name: str, checkpoints: CheckpointRegistry) -> Ingredient:
    """A checkpoint of the list or, failing that, the file of that path; raises CheckpointNotFound."""
    from modules.engine.checkpoints import CheckpointInfo
    from modules.weights import hashes
    from modules.weights.merge_recipe import Ingredient

    path = Path(name)
    info = CheckpointInfo(path.resolve(), path.name) if path.is_file() else checkpoints.get(name)
    checkpoints.ensure_hash(info)
    return Ingredient(info.filename, info.name, info.sha256 or hashes.sha256_of(info.filename), info.config)


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value
