"""Where things are, importable before anything is installed (platform.md §1.1)."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

commandline_args = os.environ.get("COMMANDLINE_ARGS", "")
cwd = os.getcwd()
modules_path = os.path.dirname(os.path.realpath(__file__))
script_path = os.path.dirname(modules_path)


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data-dir", default=script_path)
    parser.add_argument("--models-dir", default=None)
    return parser.parse_known_args([*sys.argv[1:], *shlex.split(commandline_args)])[0]


_given = _flags()
data_path = os.path.abspath(_given.data_dir)
models_path = os.path.abspath(_given.models_dir) if _given.models_dir else os.path.join(data_path, "models")
extensions_dir = os.path.join(data_path, "extensions")
extensions_builtin_dir = os.path.join(script_path, "extensions-builtin")
config_states_dir = os.path.join(script_path, "config_states")
default_output_dir = os.path.join(data_path, "outputs")
sd_configs_path = os.path.join(script_path, "configs")
sd_default_config = os.path.join(sd_configs_path, "v1-inference.yaml")
sd_model_file = default_sd_model_file = os.path.join(script_path, "model.ckpt")
roboto_ttf_file = os.path.join(modules_path, "imaging", "fonts", "Roboto-Regular.ttf")
