"""Steps of the Extras page (platform.md §4.5)."""

from __future__ import annotations

from modules.extend.postprocessed import PostprocessedImage as PostprocessedImage
from modules.extend.postprocessed import SharedInfo as PostprocessedImageSharedInfo
from modules.extend.postprocessing import ScriptPostprocessing as ScriptPostprocessing
from modules.extend.postprocessing_runner import ScriptPostprocessingRunner as ScriptPostprocessingRunner

__all__ = ["PostprocessedImage", "PostprocessedImageSharedInfo", "ScriptPostprocessing", "ScriptPostprocessingRunner"]
