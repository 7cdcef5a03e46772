"""modules.flags against the flags that A1111 1.10.1 reported, and what its users may write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from golden_data import golden

from modules import flags

ROOT = Path(flags.__file__).resolve().parent.parent

# The command line that the recording was made with.
RECORDED = """--no-half --precision full --use-cpu all --skip-torch-cuda-test --do-not-download-clip --api --api-server-stop
--skip-version-check --no-download-sd-model --disable-console-progressbars --port 7861"""


def recorded() -> dict[str, Any]:
    return json.loads(golden("lists", "cmd-flags.json").read_text("utf-8"))


def plain(value: Any) -> Any:
    """`value` as the recording shows it: paths relative to the program, the port as text."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and os.path.isabs(value):
        relative = os.path.relpath(value, ROOT)
        return "" if relative == "." else relative.replace(os.sep, "/")
    return value


def test_flags_and_values_are_those_of_a1111(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    expected = recorded()
    expected["port"] = int(expected["port"])
    got = {key: plain(value) for key, value in vars(flags.parse(RECORDED.split(), environ={})).items()}
    assert {key: got.get(key, "missing") for key in expected} == expected


def test_no_flag_of_our_own_slips_in() -> None:
    derived = {"webui_is_non_local", "disable_extension_access"}
    assert set(vars(flags.parse([], environ={}))) - derived == set(recorded())


def test_folders_follow_the_data_and_models_folder(tmp_path: Path) -> None:
    parsed = flags.parse(["--data-dir", str(tmp_path)], environ={})
    assert parsed.embeddings_dir == str(tmp_path / "embeddings")
    assert parsed.lora_dir == str(tmp_path / "models" / "Lora")
    assert parsed.gradio_allowed_path == [str(tmp_path)]
    parsed = flags.parse(["--models-dir", str(tmp_path / "weights"), "--lora-dir", str(tmp_path)], environ={})
    assert parsed.esrgan_models_path == str(tmp_path / "weights" / "ESRGAN")
    assert parsed.lora_dir == str(tmp_path)


def test_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = flags.parse(["--ckpt-dir", "more", "--vae-path", ""], environ={})
    assert parsed.ckpt_dir == str(tmp_path / "more")
    assert parsed.vae_path == ""


def test_commandline_args_are_appended() -> None:
    parsed = flags.parse(["--port", "1"], environ={"COMMANDLINE_ARGS": "--port 2 --theme 'very dark' --exit"})
    assert (parsed.port, parsed.theme) == (2, "very dark")


def test_windows_paths_in_commandline_args_keep_their_backslashes() -> None:
    words = flags.split_words('--ckpt-dir C:\\models --vae-dir "D:\\my vae"', windows=True)
    assert words == ["--ckpt-dir", "C:\\models", "--vae-dir", "D:\\my vae"]


def test_repeated_and_listed_values() -> None:
    parsed = flags.parse(["--styles-file", "a.csv", "--styles-file", "b*.csv", "--use-cpu", "SD", "esrgan"], environ={})
    assert parsed.styles_file == ["a.csv", "b*.csv"]
    assert parsed.use_cpu == ["sd", "esrgan"]
    assert flags.parse([], environ={}).styles_file == [str(ROOT / "styles.csv")]
    assert flags.parse(["--ngrok-options", '{"a": 1}'], environ={}).ngrok_options == {"a": 1}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lisen"], "unknown argument '--lisen' (did you mean '--listen'?)"),
        (["--xyzzy", "word"], "unknown arguments '--xyzzy', 'word'"),
        (["--port", "many"], "--port"),
        (["--precision", "double"], "--precision"),
        (["--ngrok-options", "[]"], "--ngrok-options"),
    ],
)
def test_a_mistake_ends_with_one_sentence(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        flags.parse(words, environ={})
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert expected in message
    assert message.count("\n") == 1


def test_unknown_flags_may_be_tolerated() -> None:
    parsed = flags.parse(["--of-an-extension", "--listen"], environ={"IGNORE_CMD_ARGS_ERRORS": "1"})
    assert parsed.listen


def test_extensions_add_flags() -> None:
    parsed = flags.parse(["--controlnet-dir", "x"], environ={}, extend=lambda parser: parser.add_argument("--controlnet-dir"))
    assert parsed.controlnet_dir == "x"


@pytest.mark.parametrize("words", [["--listen"], ["--share"], ["--server-name", "0.0.0.0"], ["--ngrok", "token"]])
def test_extension_access_is_closed_when_others_can_connect(words: list[str]) -> None:
    assert flags.parse(words, environ={}).disable_extension_access
    assert not flags.parse([*words, "--enable-insecure-extension-access"], environ={}).disable_extension_access
    assert not flags.parse([], environ={}).webui_is_non_local


def test_test_server_sets_what_tests_want() -> None:
    parsed = flags.parse(["--test-server"], environ={})
    assert parsed.api and parsed.skip_torch_cuda_test and parsed.disable_nan_check


def test_every_flag_has_a_line_of_help() -> None:
    text = flags.build_parser().format_help()
    for group in flags.FLAGS.values():
        for flag in group:
            assert flag.name in text
            assert flag.help


def test_needs_the_standard_library_only() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import modules.flags; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) - set(sys.stdlib_module_names) <= {"modules", "__main__"}
