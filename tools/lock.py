"""Write constraints.txt: every package that requirements*.txt pull in, pinned, for all the Pythons given.

    tools/lock.py python3.10 python3.11 python3.12 python3.13

Each Python resolves the requirements by `pip install --dry-run` (wheels only; nothing is installed). Where the
Pythons agree on a version there is one line, otherwise one line per version with a marker. A package that one Python
does not need gets no line for it. Needs the network; run it when a pin changes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("requirements.txt", "requirements-dev.txt")
LEFT_OUT = re.compile(r"(pip|setuptools|wheel|triton|nvidia-.*|cuda-.*)$")  # torch pins its own, per build and platform
HEADER = "# Written by tools/lock.py from requirements*.txt: do not edit. Pins what the requirements need in turn.\n"

Pins = dict[str, str]


def requirement_lines() -> list[str]:
    """The requirements of all source files, without comments and options."""
    lines = [line.strip() for name in SOURCES for line in (ROOT / name).read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def python_version(python: str) -> str:
    """The version of an interpreter as "3.11"."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def resolve(python: str, lines: list[str]) -> Pins:
    """Package name -> version that `python`'s pip chooses; raises CalledProcessError when there is no solution."""
    with tempfile.TemporaryDirectory() as folder:
        source, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        source.write_text("\n".join(lines), "utf-8")
        command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--quiet"]
        subprocess.run([*command, "--report", str(report), "-r", str(source)], check=True)
        found = json.loads(report.read_text("utf-8"))["install"]
    return {normal(item["metadata"]["name"]): item["metadata"]["version"] for item in found}


def normal(name: str) -> str:
    """A package's name as the index spells it: lower case, runs of '-', '_' and '.' as one '-'."""
    return re.sub(r"[-_.]+", "-", name).lower()


def merge(resolved: dict[str, Pins]) -> list[str]:
    """Constraint lines from the pins of each Python version; versions must be given in ascending order."""
    lines = []
    for name in sorted({name for pins in resolved.values() for name in pins if not LEFT_OUT.match(name)}):
        chosen = {version: pins[name] for version, pins in resolved.items() if name in pins}
        groups: dict[str, list[str]] = {}
        for version, pin in chosen.items():
            groups.setdefault(pin, []).append(version)
        if len(groups) == 1:
            lines.append(f"{name}=={next(iter(groups))}")
            continue
        lines += [f"{name}=={pin}; {marker(versions, list(resolved))}" for pin, versions in groups.items()]
    return lines


def marker(versions: list[str], everything: list[str]) -> str:
    """An environment marker for a run of neighbouring Python versions, open at the ends of `everything`."""
    parts = []
    if versions[0] != everything[0]:
        parts.append(f'python_version >= "{versions[0]}"')
    if versions[-1] != everything[-1]:
        parts.append(f'python_version < "{everything[everything.index(versions[-1]) + 1]}"')
    return " and ".join(parts)


def main(pythons: list[str]) -> None:
    """Resolve on every Python and write the file."""
    lines = requirement_lines()
    by_version = {python_version(python): python for python in pythons}
    ascending = sorted(by_version, key=lambda version: tuple(map(int, version.split("."))))
    resolved = {version: resolve(by_version[version], lines) for version in ascending}
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(merge(resolved)) + "\n", "utf-8")
    print(f"constraints.txt: {sum(map(len, resolved.values()))} pins of {len(resolved)} Pythons")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1:])
