"""`metadata.ini` of an extension: what it needs, and what its files and callbacks come before or after (platform.md §4.2)."""

from __future__ import annotations

import configparser
import logging
import re
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "metadata.ini"


@dataclass(frozen=True)
class Wishes:
    """Names that must be there, that must come later, that must come earlier; lower case."""

    requires: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class ExtensionMetadata:
    """One extension's `metadata.ini`; an absent file wishes for nothing, an unreadable one is logged."""

    def __init__(self, path: Path, canonical_name: str) -> None:
        self.canonical_name = canonical_name
        self.config = configparser.ConfigParser()
        try:
            self.config.read(path / FILE_NAME, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            log.error("%s cannot be read and is ignored: %s", path / FILE_NAME, error)
        self.requires = self.names("Extension", "Requires")

    def names(self, section: str, option: str) -> tuple[str, ...]:
        """A list split at commas and blanks, lower case."""
        text = self.config.get(section, option, fallback="")
        return tuple(name for name in re.split(r"[,\s]+", text.lower()) if name)

    def wishes(self, folder: str, file: str) -> Wishes:
        """What `folder/file` wishes for: the wishes of all files of the folder and its own."""
        sections = [folder, f"{folder}/{file}"]
        return Wishes(*(tuple(name for s in sections for name in self.names(s, option)) for option in ("Requires", "Before", "After")))

    def callback_wishes(self) -> dict[str, Wishes]:
        """Wishes about callbacks, by their full names."""
        return {
            section.removeprefix("callbacks/"): Wishes((), self.names(section, "Before"), self.names(section, "After"))
            for section in self.config.sections()
            if section.startswith("callbacks/")
        }
