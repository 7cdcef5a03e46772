"""The real webui.sh and launcher, started like a user would, with fake installers underneath."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from launcher.sandbox import Sandbox, stub, write

BASE = ["install", "--only-binary=:all:", "--no-warn-script-location"]


def sentence(run: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a failed start."""
    assert run.returncode == 1, run.stdout + run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("webui: ")]
    assert len(lines) == 1 and "Traceback" not in run.stderr, run.stderr
    return lines[0]


def test_first_start_makes_everything_and_second_installs_nothing(sandbox: Sandbox) -> None:
    first = sandbox.start("--api", "--port", "1234")
    assert first.returncode == 0, first.stderr
    root = sandbox.root
    assert sandbox.calls == [
        ["venv", str(sandbox.venv)],
        ["pip", *BASE, "-r", str(root / "requirements.txt")],
        ["pip", *BASE, "--no-deps", "-r", str(root / "requirements-nodeps.txt")],
        ["webui", "--api", "--port", "1234"],
    ]
    assert f"prefix {sandbox.venv}" in first.stdout
    assert f"SD_WEBUI_RESTART {os.path.join('tmp', 'restart')}" in first.stdout
    sandbox.forget()
    assert sandbox.start("--api").returncode == 0
    assert sandbox.calls == [["webui", "--api"]]


def test_changed_requirements_are_installed(sandbox: Sandbox) -> None:
    sandbox.start()
    sandbox.forget()
    with (sandbox.root / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    sandbox.start()
    assert sandbox.names() == ["pip", "pip", "webui"]


def test_another_interpreter_in_the_environment_is_noticed(sandbox: Sandbox) -> None:
    sandbox.start()
    sandbox.forget()
    stamp = sandbox.venv / "easel-installed.json"
    write(stamp, re.sub(r"\d+\"", '1"', stamp.read_text(), count=1))
    sandbox.start()
    assert sandbox.names() == ["pip", "pip", "webui"]


def test_becomes_the_web_ui_so_that_signals_reach_it(sandbox: Sandbox) -> None:
    with subprocess.Popen(["bash", sandbox.root / "webui.sh"], env=sandbox.environ, stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate(timeout=60)
    assert f"pid {process.pid}\n" in output


def test_status_and_commands_pass_through_and_the_folder_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    run = sandbox.start("txt2img", "a cat, smile", "-o", "out.png", cwd=tmp_path, PROGRAM_STATUS="7")
    assert run.returncode == 7
    assert sandbox.calls[-1] == ["webui", "txt2img", "a cat, smile", "-o", "out.png"]
    assert f"cwd {tmp_path}\n" in run.stdout


def test_test_installs_the_development_requirements_and_runs_pytest(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.start()
    sandbox.forget()
    run = sandbox.start("test", "tests/nets", "-k", "unet", cwd=tmp_path, PROGRAM_STATUS="1")
    assert run.returncode == 1
    assert sandbox.calls[0] == ["pip", *BASE, "-r", str(sandbox.root / "requirements-dev.txt")]
    assert sandbox.calls[1][0] == "pytest"
    assert sandbox.calls[1][-3:] == ["tests/nets", "-k", "unet"]
    assert f"cwd {sandbox.root}\n" in run.stdout
    sandbox.forget()
    sandbox.start("test", "-n0")
    assert sandbox.calls == [["pytest", "-n0"]]


def test_help_answers_before_anything_is_installed(sandbox: Sandbox) -> None:
    assert sandbox.start("--help").returncode == 0
    assert sandbox.calls == [["webui", "--help"]]


def test_exit_ends_after_the_installation(sandbox: Sandbox) -> None:
    run = sandbox.start("--exit")
    assert run.returncode == 0
    assert sandbox.names() == ["venv", "pip", "pip"]


def test_webui_user_sh_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(sandbox.root / "webui-user.sh", f'venv_dir="{elsewhere}"\nexport COMMANDLINE_ARGS="--listen --exit"\n')
    assert sandbox.start().returncode == 0
    assert sandbox.calls[0] == ["venv", str(elsewhere)]
    write(sandbox.root / "webui-user.sh", f'venv_dir="{elsewhere}"\nCOMMANDLINE_ARGS="--listen"\n')
    assert "COMMANDLINE_ARGS --listen\n" in sandbox.start().stdout


@pytest.mark.parametrize("environ", [{"SKIP_VENV": "1"}, {"venv_dir": "-"}])
def test_without_an_environment_the_python_itself_is_used(sandbox: Sandbox, environ: dict[str, str]) -> None:
    run = sandbox.start(**environ)
    assert run.returncode == 0, run.stderr
    assert sandbox.names() == ["pip", "pip", "webui"]
    assert not sandbox.venv.exists()
    sandbox.start("--exit")
    sandbox.forget()
    run = sandbox.start(**environ)
    assert sandbox.names() == ["webui"]
    assert f"prefix {sandbox.venv}" not in run.stdout


def test_skipping(sandbox: Sandbox) -> None:
    sandbox.start("--skip-install")
    assert sandbox.names() == ["venv", "webui"]
    sandbox.forget()
    sandbox.start("--skip-prepare-environment", "-f")
    assert sandbox.calls == [["webui", "--skip-prepare-environment", "-f"]]


def test_package_sources(sandbox: Sandbox) -> None:
    sandbox.start("--exit", INDEX_URL="https://mirror.example/simple", TORCH_INDEX_URL="https://torch.example/cpu")
    pip = [call for call in sandbox.calls if call[0] == "pip"]
    assert all(call[4:6] == ["--index-url", "https://mirror.example/simple"] for call in pip)
    assert pip[0][6:8] == ["--extra-index-url", "https://torch.example/cpu"]
    assert any(word.startswith("torch==") for word in pip[0]) and any(word.startswith("torchvision==") for word in pip[0])


def test_torch_command_replaces_torch_in_the_requirements(sandbox: Sandbox) -> None:
    run = sandbox.start("--exit", TORCH_COMMAND="pip install torch==2.13.0+cpu --index-url 'https://torch.example'", SHOW_REQUIREMENTS="1")
    pip = [call for call in sandbox.calls if call[0] == "pip"]
    assert pip[0] == ["pip", "install", "torch==2.13.0+cpu", "--index-url", "https://torch.example"]
    assert "gradio==" in run.stdout and "-c constraints.txt" in run.stdout
    assert "\ntorch==" not in run.stdout and "\ntorchvision==" not in run.stdout
    copy = Path(pip[1][-1]).with_name("constraints.txt").read_text()
    assert "torchsde==" in copy and "\ntorch==" not in copy


def test_reinstall_torch(sandbox: Sandbox) -> None:
    sandbox.start()
    sandbox.forget()
    sandbox.start("--reinstall-torch", "--exit")
    assert {"--force-reinstall", "--no-deps"} <= set(sandbox.calls[0])
    assert sandbox.names() == ["pip", "pip", "pip"]


def test_other_requirements_and_script(sandbox: Sandbox) -> None:
    write(sandbox.root / "mine.txt", "gradio\n")
    write(sandbox.root / "mine.py", "print('mine runs')")
    run = sandbox.start(REQS_FILE="mine.txt", LAUNCH_SCRIPT="mine.py")
    assert "mine runs" in run.stdout
    assert sandbox.calls[1][-1] == str(sandbox.root / "mine.txt")
    assert "no-such.txt" in sentence(sandbox.start(REQS_FILE="no-such.txt"))


def test_no_suitable_python(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "programs" / "python3").unlink()
    assert "no python3" in sentence(sandbox.start())
    stub(tmp_path / "programs" / "python3", 'if [ "$1" = --version ]; then echo Python 3.8.18; else exit 1; fi')
    said = sentence(sandbox.start())
    assert "Python 3.10-3.13" in said and "3.8.18" in said


def test_a_python_named_by_the_user(sandbox: Sandbox, tmp_path: Path) -> None:
    python = tmp_path / "programs" / "python3"
    own = tmp_path / "my python"
    own.symlink_to(os.readlink(python))
    python.unlink()
    assert sandbox.start("--exit", PYTHON=str(own)).returncode == 0
    said = sentence(sandbox.start(python_cmd="python3.99"))
    assert "'python3.99'" in said


def dangling_venv(sandbox: Sandbox) -> None:
    (sandbox.venv / "bin").mkdir(parents=True)
    (sandbox.venv / "bin" / "python").symlink_to("/opt/gone/bin/python3.9")
    write(sandbox.venv / "pyvenv.cfg", "home = /opt/gone/bin\nversion = 3.9.1\n")


def test_venv_of_a_removed_python_is_told_and_rebuilt_on_request(sandbox: Sandbox) -> None:
    dangling_venv(sandbox)
    said = sentence(sandbox.start())
    assert "/opt/gone/bin/python3.9 is gone" in said and "--rebuild-venv" in said
    assert sandbox.calls == []
    assert sandbox.start("--rebuild-venv", "--listen").returncode == 0
    assert sandbox.names() == ["venv", "pip", "pip", "webui"]


def test_venv_without_pip_is_told(sandbox: Sandbox) -> None:
    sandbox.start("--exit")
    (sandbox.venv / "easel-installed.json").unlink()
    write(sandbox.folder / "fakes" / "pip" / "__init__.py", "raise ModuleNotFoundError(\"No module named 'pip'\")")
    assert "it has no pip" in sentence(sandbox.start())


def test_a_half_made_venv_is_made_anew(sandbox: Sandbox) -> None:
    write(sandbox.venv / ".easel-unfinished", "")
    write(sandbox.venv / "lib" / "half", "")
    assert sandbox.start("--exit").returncode == 0
    assert not (sandbox.venv / "lib" / "half").exists()


def test_a_folder_with_something_else_is_never_touched(sandbox: Sandbox, tmp_path: Path) -> None:
    precious = write(tmp_path / "documents" / "thesis.txt", "years of work")
    for words in ([], ["--rebuild-venv"]):
        assert "no virtual environment" in sentence(sandbox.start(*words, venv_dir=str(precious.parent)))
    assert precious.exists()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", r"python3\.\d+-venv"),
        ("Error: [Errno 28] No space left on device", "disk is full"),
        ("Error: [Errno 13] Permission denied: 'venv'", "no permission"),
        ("something odd", "something odd"),
    ],
)
def test_venv_cannot_be_made(sandbox: Sandbox, says: str, expected: str) -> None:
    assert re.search(expected, sentence(sandbox.start(FAKE_VENV_SAYS=says)))
    assert not sandbox.venv.exists()


def test_pip_fails_and_the_next_start_goes_on(sandbox: Sandbox) -> None:
    full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    assert "disk is full" in sentence(sandbox.start(FAKE_PIP_STATUS="1", FAKE_PIP_SAYS=full))
    offline = "Temporary failure in name resolution\nERROR: No matching distribution found for torch==2.15.0"
    assert "cannot be reached" in sentence(sandbox.start(FAKE_PIP_STATUS="1", FAKE_PIP_SAYS=offline))
    sandbox.forget()
    assert sandbox.start().returncode == 0
    assert sandbox.names() == ["pip", "pip", "webui"]


def test_webui_sh_alone_says_so(tmp_path: Path, sandbox: Sandbox) -> None:
    (sandbox.root / "launch.py").unlink()
    assert "launch.py is not beside" in sentence(sandbox.start())


def test_started_through_a_link(sandbox: Sandbox, tmp_path: Path) -> None:
    link = tmp_path / "easel"
    link.symlink_to(sandbox.root / "webui.sh")
    run = subprocess.run(["bash", link, "--exit"], env=sandbox.environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
