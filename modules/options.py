"""Settings as extensions define them (platform.md §4.6)."""

from __future__ import annotations

from modules.extend.option_info import OptionHTML as OptionHTML
from modules.extend.option_info import OptionInfo as OptionInfo
from modules.extend.option_info import options_section as options_section
from modules.extend.opts import ExtensionOptions as Options

__all__ = ["OptionHTML", "OptionInfo", "Options", "options_section"]
