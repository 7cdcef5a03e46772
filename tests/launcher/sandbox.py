"""A copy of the launcher in a folder of its own, with a pip, a venv module and a web UI that only write down what they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BASE_PYTHON = getattr(sys, "_base_executable", "") or sys.executable
TOOLS = ("bash", "env", "uname", "readlink", "dirname", "cat")

FAKE_PIP = """
import json, os, sys
with open(os.environ["CALLS"], "a") as log:
    log.write(json.dumps(["pip", *sys.argv[1:]]) + "\\n")
for word in sys.argv:
    if word.endswith(".txt") and os.environ.get("SHOW_REQUIREMENTS"):
        print(open(word).read())
print(os.environ.get("FAKE_PIP_SAYS", "Successfully installed everything"))
sys.exit(int(os.environ.get("FAKE_PIP_STATUS", "0")))
"""
FAKE_VENV = """
import json, os, sys
from pathlib import Path
with open(os.environ["CALLS"], "a") as log:
    log.write(json.dumps(["venv", *sys.argv[1:]]) + "\\n")
if os.environ.get("FAKE_VENV_SAYS"):
    sys.exit(os.environ["FAKE_VENV_SAYS"])
folder = Path(sys.argv[-1])
(folder / "bin").mkdir(parents=True)
(folder / "bin" / "python").symlink_to(sys.executable)
(folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(sys.executable)}\\nversion = {sys.version.split()[0]}\\n")
"""
FAKE_PROGRAM = """
import json, os, sys
with open(os.environ["CALLS"], "a") as log:
    log.write(json.dumps([NAME, *sys.argv[1:]]) + "\\n")
print("prefix", sys.prefix)
print("pid", os.getpid())
print("cwd", os.getcwd())
print("COMMANDLINE_ARGS", os.environ.get("COMMANDLINE_ARGS"))
print("SD_WEBUI_RESTART", os.environ.get("SD_WEBUI_RESTART"))
sys.exit(int(os.environ.get("PROGRAM_STATUS", "0")))
"""


@dataclass
class Sandbox:
    """One fake installation: `start(...)` runs its webui.sh, `calls` lists what pip, venv and the programs were asked."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "program"

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def calls(self) -> list[list[str]]:
        log = self.folder / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    def forget(self) -> None:
        (self.folder / "calls").unlink(missing_ok=True)

    def start(self, *words: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(self.root / "webui.sh"), *words]
        settings = {**self.environ, **environ}
        return subprocess.run(command, cwd=cwd or self.root, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def stub(path: Path, script: str) -> Path:
    """An executable shell script."""
    write(path, "#!/bin/sh\n" + script + "\n").chmod(0o755)
    return path


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    if os.name == "nt":
        pytest.skip("webui.sh is for Unix")
    made = Sandbox(tmp_path)
    for name in ("webui.sh", "launch.py", "requirements.txt", "requirements-nodeps.txt", "requirements-dev.txt", "constraints.txt"):
        made.root.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, made.root / name)
    shutil.copytree(ROOT / "modules" / "launcher", made.root / "modules" / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "flags.py"):
        shutil.copy(ROOT / "modules" / name, made.root / "modules" / name)
    write(made.root / "webui.py", FAKE_PROGRAM.replace("NAME", "'webui'"))
    fakes = tmp_path / "fakes"
    write(fakes / "pip" / "__init__.py", "")
    write(fakes / "pip" / "__main__.py", FAKE_PIP)
    write(fakes / "venv.py", FAKE_VENV)
    write(fakes / "pytest.py", FAKE_PROGRAM.replace("NAME", "'pytest'"))
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
    (programs / "python3").symlink_to(BASE_PYTHON)
    made.environ = {
        "PATH": str(programs),
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "PYTHONPATH": str(fakes),
    }
    return made
