"""Importing scripts by path."""

from __future__ import annotations

from modules.extend.loading import load_module as load_module
from modules.extend.loading import loaded_scripts as loaded_scripts
