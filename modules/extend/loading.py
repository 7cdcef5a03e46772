"""Importing script files: by path, one broken file harming no other (platform.md §4.1 of the reference)."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from modules.engine.paths import PROGRAM
from modules.extend.files import ScriptFile
from modules.extend.postprocessing import ScriptPostprocessing
from modules.extend.script import Script, ScriptBuiltinUI

log = logging.getLogger(__name__)

BASES = (Script, ScriptBuiltinUI, ScriptPostprocessing)


class ScriptClassData(NamedTuple):
    """A script class and where it comes from."""

    script_class: type
    path: str
    basedir: str
    module: ModuleType


scripts_data: list[ScriptClassData] = []
postprocessing_scripts_data: list[ScriptClassData] = []
loaded_scripts: dict[str, ModuleType] = {}
"""Modules of loaded script files by path."""

_basedirs: list[str] = []


def basedir() -> str:
    """The folder of the extension whose script is being imported; the program's where none is."""
    return _basedirs[-1] if _basedirs else str(PROGRAM)


def load_module(path: str) -> ModuleType:
    """Import a file; its `__name__` is the file's name with `.py`, as extensions expect of each other."""
    name = os.path.basename(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # classes made while it runs may look up their module
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    loaded_scripts[path] = module
    return module


def load_scripts(files: Iterable[ScriptFile]) -> None:
    """Import all files and register their script classes; what was registered before is forgotten."""
    scripts_data.clear()
    postprocessing_scripts_data.clear()
    loaded_scripts.clear()
    for file in files:
        with _at_home(file.basedir):
            try:
                module = load_module(file.path)
            except Exception:
                log.exception("the script %s could not be loaded and is left out", file.path)
                continue
            _register(module, file)


def _register(module: ModuleType, file: ScriptFile) -> None:
    """Take every script class in the module's namespace, imported ones too.  # A1111: extensions register classes by importing them"""
    for value in list(vars(module).values()):
        if not inspect.isclass(value) or value in BASES:
            continue
        if issubclass(value, Script):
            scripts_data.append(ScriptClassData(value, file.path, file.basedir, module))
        elif issubclass(value, ScriptPostprocessing):
            postprocessing_scripts_data.append(ScriptClassData(value, file.path, file.basedir, module))


@contextmanager
def _at_home(folder: str) -> Iterator[None]:
    """While it is open the extension's folder is first on the import path, and `basedir` names it."""
    sys.path.insert(0, folder)
    _basedirs.append(folder)
    try:
        yield
    finally:
        _basedirs.pop()
        if folder in sys.path:
            sys.path.remove(folder)
