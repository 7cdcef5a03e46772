"""Scripts: the classes extensions derive from and the runners of both pages (platform.md §4.3)."""

from __future__ import annotations

import os
from typing import Any

from modules import script_callbacks as script_callbacks
from modules.events import MaskBlendArgs as MaskBlendArgs
from modules.events import OnComponent as OnComponent
from modules.events import PostprocessBatchListArgs as PostprocessBatchListArgs
from modules.events import PostprocessImageArgs as PostprocessImageArgs
from modules.events import PostProcessMaskOverlayArgs as PostProcessMaskOverlayArgs
from modules.events import PostSampleArgs as PostSampleArgs
from modules.extend import files, host
from modules.extend.files import ScriptFile as ScriptFile
from modules.extend.loading import ScriptClassData as ScriptClassData
from modules.extend.loading import basedir as basedir
from modules.extend.loading import postprocessing_scripts_data as postprocessing_scripts_data
from modules.extend.loading import scripts_data as scripts_data
from modules.extend.postprocessing import ScriptPostprocessing as ScriptPostprocessing
from modules.extend.runner import ScriptRunner as ScriptRunner
from modules.extend.script import AlwaysVisible as AlwaysVisible
from modules.extend.script import Script as Script
from modules.extend.script import ScriptBuiltinUI as ScriptBuiltinUI

scripts_current: ScriptRunner | None = None


def __getattr__(name: str) -> Any:
    if name in ("scripts_txt2img", "scripts_img2img"):
        return host.current().runner(name.endswith("img2img") and "txt" not in name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def list_scripts(scriptdirname: str, extension: str, *, include_extensions: bool = True) -> list[ScriptFile]:
    """Files with a suffix in the program's folder of this name and, unless told otherwise, in the extensions'."""
    return files.list_scripts(host.current().extensions if include_extensions else [], scriptdirname, extension)


def list_files_with_name(filename: str) -> list[str]:
    """The files of this name at the top of the program and of each enabled extension."""
    homes = [basedir(), *(str(extension.path) for extension in host.current().extensions if extension.enabled)]
    return [path for home in homes if os.path.isfile(path := os.path.join(home, filename))]


def load_scripts() -> None:
    """Import the scripts, if they are not yet."""
    host.current().load()


def reload_scripts() -> None:
    """Import all scripts anew."""
    host.current().reload()


def reload_script_body_only() -> None:
    """Read the code of all scripts anew and keep their controls."""
    cache: dict[str, Any] = {}
    for is_img2img in (False, True):
        host.current().runner(is_img2img).reload_sources(cache)
