"""The command line: every flag of A1111's web UI with its type and default, read by argparse.

Knows the standard library only, so that `--help` and a mistyped flag answer at once, before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER_WORDS = ("--exit", "--rebuild-venv")  # the launcher acts on these; here they are only let through

DESCRIPTION = """\
Easel draws pictures with Stable Diffusion models. Without a command it starts the web page on http://127.0.0.1:7860.
The flags are those of AUTOMATIC1111's web UI."""
EPILOG = """\
Flags may also stand in the environment variable COMMANDLINE_ARGS, for instance in webui-user.sh.
'./webui.sh txt2img --help' tells how to draw without a server; 'convert' makes safetensors of a .ckpt, 'merge' merges
checkpoints; './webui.sh test' runs the tests."""

Kind = Literal["switch", "path", "text", "int", "paths", "texts", "words", "json"]


class Flag(NamedTuple):
    """One flag. `default` may hold {root} (the program), {data} (--data-dir) and {models} (--models-dir)."""

    name: str
    kind: Kind
    default: Any
    help: str


def switch(name: str, meaning: str) -> Flag:
    """A flag without a value: given or not."""
    return Flag(name, "switch", False, meaning)


FLAGS: dict[str, tuple[Flag, ...]] = {
    "start": (
        switch("-f", "start although you are root (always allowed here)"),
        switch("--skip-install", "install nothing"),
        switch("--skip-prepare-environment", "neither check nor install anything"),
        switch("--reinstall-torch", "install torch again"),
        switch("--reinstall-xformers", "without effect: attention is torch's own"),
        switch("--skip-python-version-check", "start on a Python newer than the tested ones"),
        switch("--skip-version-check", "do not compare library versions with the tested ones"),
        switch("--skip-torch-cuda-test", "do not mind a missing NVIDIA card"),
        switch("--update-all-extensions", "update every extension first"),
        switch("--update-check", "look for a newer release"),
        switch("--skip-load-model-at-start", "load the checkpoint when the first picture is asked for"),
        switch("--test-server", "the settings tests want: API on, no card needed, no NaN check"),
        switch("--dump-sysinfo", "write a report about this machine and end"),
        switch("--log-startup", "tell how long each part of the start takes"),
        Flag("--loglevel", "text", None, "how much is logged: DEBUG, INFO, WARNING, ERROR"),
        switch("--administrator", "taken for compatibility"),
    ),
    "server": (
        switch("--listen", "let other machines connect (binds 0.0.0.0)"),
        Flag("--port", "int", None, "port, default 7860 (7861 with --nowebui); below 1024 needs root"),
        Flag("--server-name", "text", None, "address to bind"),
        switch("--api", "serve the HTTP API next to the page"),
        switch("--nowebui", "serve the HTTP API alone"),
        Flag("--api-auth", "text", None, "names and passwords for the API: name:password,name:password"),
        switch("--api-log", "log every API request"),
        switch("--api-server-stop", "let API clients stop and restart the server"),
        Flag("--cors-allow-origins", "text", None, "web origins that may use the API, comma-separated"),
        Flag("--cors-allow-origins-regex", "text", None, "the same as one regular expression"),
        Flag("--subpath", "text", None, "path prefix given by a reverse proxy"),
        Flag("--tls-keyfile", "text", None, "TLS key; needs --tls-certfile"),
        Flag("--tls-certfile", "text", None, "TLS certificate; needs --tls-keyfile"),
        Flag("--timeout-keep-alive", "int", 30, "seconds an idle API connection is kept"),
        switch("--share", "open a public Gradio address"),
        Flag("--ngrok", "text", None, "open a tunnel with this ngrok token"),
        Flag("--ngrok-region", "text", "", "taken for compatibility"),
        Flag("--ngrok-options", "json", {}, "options for ngrok as JSON"),
        switch("--add-stop-route", "taken for compatibility"),
    ),
    "page": (
        switch("--autolaunch", "open the page in the browser"),
        Flag("--theme", "text", None, "light or dark"),
        Flag("--gradio-auth", "text", None, "names and passwords for the page: name:password,name:password"),
        Flag("--gradio-auth-path", "path", None, "file with such names and passwords"),
        Flag("--gradio-allowed-path", "paths", ["{data}"], "a folder the page may show files from; may be repeated"),
        switch("--gradio-debug", "start Gradio with its debug output"),
        Flag("--gradio-img2img-tool", "text", None, "taken for compatibility"),
        Flag("--gradio-inpaint-tool", "text", None, "taken for compatibility"),
        switch("--no-gradio-queue", "plain requests instead of Gradio's queue"),
        switch("--no-progressbar-hiding", "leave Gradio's own progress bar visible"),
        switch("--use-textbox-seed", "the seed as a text field"),
        switch("--show-negative-prompt", "taken for compatibility"),
        switch("--hide-ui-dir-config", "hide settings that name folders, and refuse to write them"),
        switch("--freeze-settings", "settings can only be read"),
        Flag("--freeze-settings-in-sections", "text", None, "sections whose settings can only be read, comma-separated"),
        Flag("--freeze-specific-settings", "text", None, "settings that can only be read, comma-separated"),
        switch("--ui-debug-mode", "the page without any model"),
        switch("--disable-all-extensions", "run without extensions"),
        switch("--disable-extra-extensions", "run with the built-in extensions only"),
        switch("--enable-insecure-extension-access", "allow installing extensions although others can connect"),
        switch("--allow-code", "allow the script that runs Python typed into the page"),
    ),
    "device and memory": (
        Flag("--device-id", "text", None, "which NVIDIA card"),
        Flag("--use-cpu", "words", [], "parts that run on the CPU: all, sd, interrogate, esrgan, …"),
        switch("--use-ipex", "use an Intel card"),
        switch("--medvram", "move networks out of the card's memory while they are not needed"),
        switch("--medvram-sdxl", "--medvram for SDXL models only"),
        switch("--lowvram", "keep only one block of a network in the card's memory"),
        switch("--lowram", "load weights straight to the card"),
        switch("--no-half", "run the network in float32"),
        switch("--no-half-vae", "run the VAE in float32"),
        Flag("--precision", "text", "autocast", "full, half or autocast"),
        switch("--upcast-sampling", "keep weights in float16 and compute in float32"),
        switch("--opt-channelslast", "channels-last memory layout"),
        switch("--disable-nan-check", "do not look for NaN in results"),
        switch("--disable-model-loading-ram-optimization", "taken for compatibility"),
        switch("--always-batch-cond-uncond", "taken for compatibility"),
        switch("--unload-gfpgan", "taken for compatibility"),
        switch("--xformers", "prefer xformers attention"),
        switch("--force-enable-xformers", "the same without asking whether it works"),
        switch("--xformers-flash-attention", "flash attention inside xformers"),
        switch("--opt-sdp-attention", "prefer torch's scaled dot product attention"),
        switch("--opt-sdp-no-mem-attention", "the same without its memory-efficient kernel"),
        switch("--opt-sub-quad-attention", "prefer sub-quadratic attention"),
        switch("--opt-split-attention", "prefer split attention"),
        switch("--opt-split-attention-invokeai", "prefer InvokeAI's split attention"),
        switch("--opt-split-attention-v1", "prefer the older split attention"),
        switch("--disable-opt-split-attention", "no attention optimization"),
        Flag("--sub-quad-q-chunk-size", "int", 1024, "query chunk of sub-quadratic attention"),
        Flag("--sub-quad-kv-chunk-size", "int", None, "key and value chunk of sub-quadratic attention"),
        Flag("--sub-quad-chunk-threshold", "int", None, "per cent of memory from which it works in chunks"),
    ),
    "folders and files": (
        Flag("--data-dir", "path", "{data}", "where models, pictures and settings lie (default: the program's folder)"),
        Flag("--models-dir", "path", None, "where models lie (default: models in the data folder)"),
        Flag("--ckpt", "path", "{root}/model.ckpt", "a checkpoint to add to the list and to start with"),
        Flag("--ckpt-dir", "path", None, "one more folder of checkpoints, looked into first"),
        Flag("--config", "path", "{root}/configs/v1-inference.yaml", "architecture of a checkpoint that names none"),
        Flag("--vae-dir", "path", None, "one more folder of VAEs"),
        Flag("--vae-path", "path", None, "use this VAE with every checkpoint"),
        Flag("--lora-dir", "path", "{models}/Lora", "folder of LoRAs"),
        Flag("--lyco-dir-backcompat", "path", "{models}/LyCORIS", "folder of LyCORIS files"),
        Flag("--embeddings-dir", "path", "{data}/embeddings", "folder of textual inversions"),
        Flag("--textual-inversion-templates-dir", "path", "{root}/textual_inversion_templates", "prompt templates for training"),
        Flag("--hypernetwork-dir", "path", "{models}/hypernetworks", "folder of hypernetworks"),
        Flag("--localizations-dir", "path", "{root}/localizations", "folder of translations"),
        Flag("--esrgan-models-path", "path", "{models}/ESRGAN", "folder of ESRGAN upscalers"),
        Flag("--bsrgan-models-path", "path", "{models}/BSRGAN", "folder of BSRGAN upscalers"),
        Flag("--realesrgan-models-path", "path", "{models}/RealESRGAN", "folder of RealESRGAN upscalers"),
        Flag("--dat-models-path", "path", "{models}/DAT", "folder of DAT upscalers"),
        Flag("--ldsr-models-path", "text", "{models}/LDSR", "folder of LDSR models"),
        Flag("--scunet-models-path", "text", "{models}/ScuNET", "folder of ScuNET models"),
        Flag("--swinir-models-path", "text", "{models}/SwinIR", "folder of SwinIR models"),
        Flag("--codeformer-models-path", "path", "{models}/Codeformer", "folder of CodeFormer"),
        Flag("--gfpgan-models-path", "path", "{models}/GFPGAN", "folder of GFPGAN models"),
        Flag("--gfpgan-dir", "path", "{gfpgan}", "folder of the GFPGAN program"),
        Flag("--gfpgan-model", "path", None, "GFPGAN's weight file"),
        Flag("--clip-models-path", "path", None, "folder of CLIP models for the interrogator"),
        Flag("--ui-config-file", "text", "{data}/ui-config.json", "initial values of the page's controls"),
        Flag("--ui-settings-file", "text", "{data}/config.json", "the settings"),
        Flag("--styles-file", "texts", [], "a file of prompt styles (default: styles.csv in the data folder); may be repeated"),
    ),
    "files and downloads": (
        switch("--no-hashing", "do not compute SHA-256 of checkpoints"),
        switch("--no-download-sd-model", "never download a checkpoint"),
        switch("--do-not-download-clip", "never download CLIP"),
        switch("--disable-safe-unpickle", "without effect: files are never run as code"),
        switch("--no-prompt-history", "do not write params.txt"),
        switch("--unix-filenames-sanitization", "replace only '/' in file names"),
        Flag("--filenames-max-length", "int", 128, "longest file name"),
        switch("--disable-console-progressbars", "no progress bars in the console"),
        switch("--enable-console-prompts", "print prompts to the console"),
        switch("--deepdanbooru", "taken for compatibility"),
        Flag("--max-batch-count", "int", 16, "taken for compatibility"),
    ),
}


def absolute_path(text: str) -> str:
    """`text` as an absolute path; empty stays empty, which reads as "not given"."""
    return os.path.abspath(os.path.expanduser(text)) if text else text


def json_object(text: str) -> dict[str, Any]:
    """A JSON object given as a flag's value; raises ValueError for anything else."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def split_words(text: str, *, windows: bool = os.name == "nt") -> list[str]:
    r"""Split like a shell; on Windows backslashes are kept, so that `--ckpt-dir C:\models` means what it says."""
    if not windows:
        return shlex.split(text)
    return [_unquoted(word) for word in shlex.split(text, posix=False)]


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def arguments(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """`argv` with the words of the environment's COMMANDLINE_ARGS appended."""
    return [*argv, *split_words(environ.get("COMMANDLINE_ARGS", ""))]


def parse(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """Read the command line (default: the program's own) and COMMANDLINE_ARGS.

    `extend` may add flags to the parser first, as extensions' `preload.py` do.
    An unknown flag or a bad value ends the program with one sentence and status 2; with IGNORE_CMD_ARGS_ERRORS set,
    unknown flags are left out instead.
    """
    words = [word for word in arguments(sys.argv[1:] if argv is None else argv, environ) if word not in LAUNCHER_WORDS]
    parser = build_parser(*_roots(words))
    if extend is not None:
        extend(parser)
    namespace, unknown = parser.parse_known_args(words)
    if unknown and not environ.get("IGNORE_CMD_ARGS_ERRORS"):
        parser.error(_unknown_sentence(parser, unknown))
    return _derive(namespace)


def build_parser(data_dir: str = "", models_dir: str = "") -> argparse.ArgumentParser:
    """The parser, its defaults set for this data and models folder ("" = the usual ones)."""
    data = data_dir or str(ROOT)
    source = os.path.abspath(os.path.join("src", "gfpgan"))
    folders = {
        "root": str(ROOT),
        "data": data,
        "models": models_dir or os.path.join(data, "models"),
        "gfpgan": source if os.path.isdir(source) else os.path.abspath("GFPGAN"),
    }
    parser = FlagParser(
        prog="./webui.sh", usage="%(prog)s [command] [flags]", description=DESCRIPTION, epilog=EPILOG, formatter_class=_formatter
    )
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            group.add_argument(flag.name, **_options(flag, folders))
    parser.add_argument("--gradio-queue", action="store_true", default=True, help=argparse.SUPPRESS)
    parser.add_argument("--disable-tls-verify", action="store_false", default=None, help="accept self-signed certificates")
    return parser


class FlagParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"webui: {message}; './webui.sh --help' lists the flags.\n")


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=36)


def _options(flag: Flag, folders: Mapping[str, str]) -> dict[str, Any]:
    """What `add_argument` wants to know about `flag`."""
    default = _filled(flag.default, folders)
    shared = {"default": default, "help": flag.help.replace("%", "%%")}
    if flag.kind == "switch":
        return {**shared, "action": "store_true"}
    if flag.name == "--precision":
        return {**shared, "choices": ["full", "half", "autocast"]}
    return {**shared, **_VALUES[flag.kind]}


_VALUES: dict[str, dict[str, Any]] = {
    "path": {"type": absolute_path, "metavar": "PATH"},
    "paths": {"type": absolute_path, "metavar": "PATH", "action": "append"},
    "text": {"type": str, "metavar": "TEXT"},
    "texts": {"type": str, "metavar": "TEXT", "action": "append"},
    "words": {"type": str.lower, "metavar": "PART", "nargs": "+"},
    "int": {"type": int, "metavar": "N"},
    "json": {"type": json_object, "metavar": "JSON"},
}


def _filled(default: Any, folders: Mapping[str, str]) -> Any:
    """`default` with its {placeholders} filled; lists and dicts are copied, for argparse appends to them."""
    if isinstance(default, str) and default.startswith("{"):
        return os.path.normpath(default.format(**folders))
    if isinstance(default, list):
        return [_filled(item, folders) for item in default]
    return dict(default) if isinstance(default, dict) else default


def _roots(words: Sequence[str]) -> tuple[str, str]:
    """Data and models folder, read ahead because other flags' defaults lie inside them."""
    early = FlagParser(add_help=False, allow_abbrev=False)
    early.add_argument("--data-dir", type=absolute_path, default="")
    early.add_argument("--models-dir", type=absolute_path, default="")
    known, _ = early.parse_known_args(list(words))
    return known.data_dir, known.models_dir


def _unknown_sentence(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    import difflib  # slow to import, and hardly ever needed

    names = [option for action in parser._actions for option in action.option_strings]
    told = []
    for word in unknown:
        close = difflib.get_close_matches(word.split("=")[0], names, n=1)
        told.append(f"'{word}' (did you mean '{close[0]}'?)" if close else f"'{word}'")
    return f"unknown argument{'s' if len(told) > 1 else ''} {', '.join(told)}"


def _derive(flags: argparse.Namespace) -> argparse.Namespace:
    """Set the attributes that follow from others."""
    if flags.test_server:
        flags.api = flags.skip_torch_cuda_test = flags.disable_nan_check = True
    flags.styles_file = flags.styles_file or [os.path.join(flags.data_dir, "styles.csv")]
    flags.webui_is_non_local = any((flags.share, flags.listen, flags.ngrok, flags.server_name))
    flags.disable_extension_access = flags.webui_is_non_local and not flags.enable_insecure_extension_access
    return flags
