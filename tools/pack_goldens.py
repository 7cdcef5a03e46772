"""Pack the goldens that the tests need from the full recording into `tests/golden/*.tar.xz`.

    tools/pack_goldens.py [--source ../shared/golden] [NAME …]

Each list `tests/golden/NAME.txt` makes `tests/golden/NAME.tar.xz`. A line of a list is a glob pattern below the
recording (`pure/*.json`, `cases/samplers/**`), or `weights:` and a pattern of weight files, as the manifest of the tiny
checkpoints names them (`weights:models/Stable-diffusion/tiny-sd1.*`); these keep their packed form, cut down to what they
need. Archives are reproducible: the same files give the same bytes.
"""

from __future__ import annotations

import argparse
import fnmatch
import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT / "tests" / "golden"
SOURCE = ROOT.parent / "shared" / "golden"
LIMIT = 40_000_000
WEIGHTS = "weights:"


def patterns(list_file: Path) -> list[str]:
    """The patterns of a list; `#` starts a comment."""
    lines = (line.split("#")[0].strip() for line in list_file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def chosen_files(source: Path, wanted: Iterable[str]) -> list[Path]:
    """The files below `source` that the patterns name, sorted; raises ValueError for a pattern that names none."""
    found: set[Path] = set()
    for pattern in wanted:
        matches = {path for path in source.glob(pattern) if path.is_file()}
        if pattern.endswith("**"):
            matches |= {path for path in source.glob(pattern + "/*") if path.is_file()}
        if not matches:
            raise ValueError(f"no golden matches '{pattern}' in {source}")
        found |= matches
    return sorted(found)


def chosen_weights(source: Path, wanted: list[str]) -> Iterator[tuple[str, bytes]]:
    """The model manifest, its pool and its plain files, cut down to the weight files that the patterns name."""
    manifest = json.loads((source / "models" / "manifest.json").read_text("utf-8"))
    packed = {name: entry for name, entry in manifest["packed"].items() if _matches(name, wanted)}
    plain = [name for name in manifest["plain"] if _matches(name, wanted)]
    pool = _smaller_pool(packed, lzma.decompress((source / "models" / "pool.bin.xz").read_bytes()))
    yield "models/manifest.json", json.dumps({"packed": packed, "plain": plain}, indent=0).encode()
    yield "models/pool.bin.xz", lzma.compress(pool)
    for name in plain:
        yield f"models/plain/{name}", (source / "models" / "plain" / name).read_bytes()


def _matches(name: str, wanted: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)


def _smaller_pool(packed: dict[str, dict], pool: bytes) -> bytes:
    """The bytes of `pool` that the files refer to; their references are changed to point into it."""
    kept = io.BytesIO()
    moved: dict[tuple[int, int], int] = {}
    for entry in packed.values():
        for index, piece in enumerate(entry["pieces"]):
            if isinstance(piece, str):
                continue
            start, length = piece
            if (start, length) not in moved:
                moved[start, length] = kept.tell()
                kept.write(pool[start : start + length])
            entry["pieces"][index] = [moved[start, length], length]
    return kept.getvalue()


def pack(list_file: Path, source: Path) -> Path:
    """Write the archive of one list and return its path."""
    wanted = patterns(list_file)
    weights = [pattern.removeprefix(WEIGHTS) for pattern in wanted if pattern.startswith(WEIGHTS)]
    files = chosen_files(source, (pattern for pattern in wanted if not pattern.startswith(WEIGHTS)))
    contents = [(path.relative_to(source).as_posix(), path.read_bytes()) for path in files]
    if weights:
        contents += chosen_weights(source, weights)
    target = list_file.with_suffix(".tar.xz")
    draft = target.with_suffix(".new")  # tests may be reading the old one
    with tarfile.open(draft, "w:xz", preset=9, format=tarfile.PAX_FORMAT) as archive:
        for name, data in contents:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return draft.replace(target)


def main() -> None:
    """Pack the lists named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=SOURCE, help="folder of the full recording")
    parser.add_argument("names", nargs="*", help="which lists (default: all)")
    words = parser.parse_args()
    for list_file in sorted(LISTS.glob("*.txt")):
        if not words.names or list_file.stem in words.names:
            target = pack(list_file, words.source)
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.1f} MB")
    total = sum(path.stat().st_size for path in LISTS.glob("*.tar.xz"))
    if total > LIMIT:
        raise SystemExit(f"{total / 1e6:.1f} MB packed, more than {LIMIT / 1e6:.0f}: shorten the lists")


if __name__ == "__main__":
    main()
