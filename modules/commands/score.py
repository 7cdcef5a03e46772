"""`./webui.sh score`: how this installation's pictures compare with the recorded ones (`bench/parity.py`)."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "parity.py"


def main(argv: list[str]) -> int:
    """Run the score; the exit status is 0 where everything passes."""
    return int(runpy.run_path(str(SCRIPT))["main"](argv))
