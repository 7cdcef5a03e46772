"""Prompt styles: named additions to both prompts, kept in CSV files."""

from __future__ import annotations

import csv
import glob
import logging
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

FIELDS = ("name", "prompt", "negative_prompt")
PLACEHOLDER = "{prompt}"
UNSAVED = "do_not_save"  # the path of dividers between several files
_BLANKS = re.compile(" +")


class PromptStyle(NamedTuple):
    """One style; `path` is the file it is kept in, None for the default one."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""
    path: str | None = None


def merge_prompts(style_prompt: str, prompt: str) -> str:
    """A prompt put into a style's `{prompt}`, every one of them, or else followed by the style's text."""
    if PLACEHOLDER in style_prompt:
        return style_prompt.replace(PLACEHOLDER, prompt)
    return ", ".join(part for part in (prompt.strip(), style_prompt.strip()) if part)


def apply_styles_to_prompt(prompt: str, style_prompts: Iterable[str]) -> str:
    """The prompt with style texts merged in, one after the other."""
    for style_prompt in style_prompts:
        prompt = merge_prompts(style_prompt, prompt)
    return prompt


def extract_style_text(style_text: str, prompt: str) -> str | None:
    """What the prompt was before the style's text was merged in; None where it was not. Runs of blanks count as one."""
    style_text, prompt = (_BLANKS.sub(" ", text.strip()) for text in (style_text, prompt))
    left, placeholder, right = style_text.partition(PLACEHOLDER)
    if placeholder:
        fits = prompt.startswith(left) and prompt.endswith(right) and len(prompt) >= len(left) + len(right)
        return prompt[len(left) : len(prompt) - len(right)] if fits else None
    return prompt.removesuffix(style_text).removesuffix(", ") if prompt.endswith(style_text) else None


def extract_style(style: PromptStyle, prompt: str, negative_prompt: str) -> tuple[str, str] | None:
    """Both prompts without a style that is in both of them; None where it is not; a style without texts never is."""
    if not style.prompt and not style.negative_prompt:
        return None
    positive = extract_style_text(style.prompt, prompt)
    negative = extract_style_text(style.negative_prompt, negative_prompt)
    return None if positive is None or negative is None else (positive, negative)


def read_styles(path: Path) -> list[PromptStyle]:
    """The styles of one CSV file; rows named `#…` are comments. Raises OSError, csv.Error and ValueError (no name column)."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        if reader.fieldnames is not None and "name" not in reader.fieldnames:
            raise ValueError(f"its first line should be {','.join(FIELDS)}")
        rows = [row for row in reader if not (row["name"] or "").startswith("#")]
    return [
        PromptStyle(row["name"] or "", row.get("prompt", row.get("text")) or "", row.get("negative_prompt") or "", str(path))
        for row in rows
    ]


def write_styles(path: Path, styles: Iterable[PromptStyle]) -> None:
    """Write one CSV file whole or not at all, after a copy of the old one as `.bak`; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows(style[:3] for style in styles)
    if path.exists():
        shutil.copy(path, path.with_name(path.name + ".bak"))
    os.replace(draft, path)


class StyleDatabase:
    """The styles of one or several CSV files (wildcards allowed), by name; the first file takes new styles."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [str(path) for path in paths]
        self.no_style = PromptStyle("None")
        self.styles: dict[str, PromptStyle] = {}
        self.unreadable: dict[str, str] = {}
        self.reload()

    @property
    def default_path(self) -> Path:
        """The file for styles that belong to none yet."""
        pattern = self.paths[0] if self.paths else "styles.csv"
        return Path(pattern.replace("*", "styles").replace("?", "_"))

    def reload(self) -> None:
        """Read all files anew; one that cannot be read is named in the log and in `unreadable`, and never overwritten."""
        self.styles, self.unreadable = {}, {}
        files = self._files()
        for path in files:
            if len(files) > 1:
                divider = f" {path.stem.upper()} ".center(40, "-")
                self.styles[divider] = PromptStyle(divider, path=UNSAVED)
            try:
                self.styles.update((style.name, style) for style in read_styles(path))
            except (OSError, csv.Error, ValueError) as error:
                self.unreadable[str(path)] = str(error)
                logger.warning("styles file %s is left alone, it cannot be read: %s", path, error)

    def _files(self) -> list[Path]:
        found = [name for path in self.paths for name in (sorted(glob.glob(path)) if set(path) & set("*?") else [path])]
        return [Path(name) for name in dict.fromkeys(found) if os.path.exists(name)]

    def save_styles(self, path: str | Path | None = None) -> None:
        """Write every file of the database; `path` is the file of styles that have none. Raises OSError."""
        new_path = str(path or self.default_path)
        files: dict[str, list[PromptStyle]] = {str(file): [] for file in self._files()}
        for style in self.styles.values():
            if style.path != UNSAVED:
                files.setdefault(style.path or new_path, []).append(style)
        for name, styles in files.items():
            if name not in self.unreadable:
                write_styles(Path(name), styles)

    def get_style_prompts(self, names: Iterable[str]) -> list[str]:
        """The styles' positive texts; an unknown name has an empty one."""
        return [self.styles.get(name, self.no_style).prompt for name in names]

    def get_negative_style_prompts(self, names: Iterable[str]) -> list[str]:
        """The styles' negative texts; an unknown name has an empty one."""
        return [self.styles.get(name, self.no_style).negative_prompt for name in names]

    def apply_styles_to_prompt(self, prompt: str, names: Iterable[str]) -> str:
        """The positive prompt with the named styles merged in, in that order."""
        return apply_styles_to_prompt(prompt, self.get_style_prompts(names))

    def apply_negative_styles_to_prompt(self, prompt: str, names: Iterable[str]) -> str:
        """The negative prompt with the named styles merged in, in that order."""
        return apply_styles_to_prompt(prompt, self.get_negative_style_prompts(names))

    def extract_styles_from_prompt(self, prompt: str, negative_prompt: str) -> tuple[list[str], str, str]:
        """The styles found in a pair of prompts, in the order to apply them, and both prompts without them."""
        found: list[str] = []
        left = list(self.styles.values())
        while True:
            matches = ((style, extract_style(style, prompt, negative_prompt)) for style in left)
            style, prompts = next(((style, match) for style, match in matches if match), (None, None))
            if style is None or prompts is None:
                return found[::-1], prompt, negative_prompt
            prompt, negative_prompt = prompts
            left.remove(style)
            found.append(style.name)
