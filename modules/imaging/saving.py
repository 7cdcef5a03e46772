"""Saving pictures under the user's output folders (generation.md §9.2, §9.3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from .encoding import Encoding, UnknownFormat, encode, fitting_extension
from .filenames import NamedPicture, apply_pattern
from .files import TRIES, SaveError, create_file, make_folder, replace_file, shortened

__all__ = ["NamedPicture", "SaveError", "Saved", "SaveSettings", "save_image", "write_image"]


class SaveSettings(Protocol):
    """The settings that saving reads, by A1111's names; `Options` and `SettingsView` have them all."""

    samples_filename_pattern: str
    save_images_add_number: bool
    save_images_replace_action: str
    grid_extended_filename: bool
    save_to_dirs: bool
    grid_save_to_dirs: bool
    directories_filename_pattern: str
    enable_pnginfo: bool
    save_txt: bool
    export_for_4chan: bool
    target_side_length: float
    img_downscale_threshold: float
    jpeg_quality: int
    webp_lossless: bool


@dataclass(frozen=True)
class Saved:
    """What was written: the picture, and the text file beside it if the settings ask for one."""

    path: Path
    text_path: Path | None = None
    copy_path: Path | None = None


def write_image(image: Image.Image, path: Path, *, infotext: str | None = None, encoding: Encoding | None = None) -> None:
    """Write one picture to exactly this path, in one step; the suffix says the format. Raises SaveError."""
    make_folder(path.parent)
    replace_file(path, _encoded(image, path, path.suffix, infotext, encoding or Encoding()))


def save_image(
    image: Image.Image,
    folder: Path,
    settings: SaveSettings,
    picture: NamedPicture,
    *,
    extension: str = "png",
    infotext: str | None = None,
    grid: bool = False,
    short_filename: bool = False,
    suffix: str = "",
    forced_filename: str | None = None,
    save_to_dirs: bool | None = None,
    chunk: str = "parameters",
    existing_info: Mapping[str, Any] | None = None,
) -> Saved:
    """Save a picture below `folder` under a name made from the settings' patterns and say what was written.

    `picture` is what the patterns speak of, its `basename` the beginning of the name ("" for samples, "grid" for grids).
    Sets `image.already_saved_as`. Raises SaveError, with nothing half-written left behind.
    """
    picture.image = image
    folder = _folder(folder, settings, picture, grid, save_to_dirs)
    try:
        extension = fitting_extension(extension, image.size)
    except UnknownFormat as error:
        raise SaveError(folder, str(error)) from error
    told = infotext if settings.enable_pnginfo or extension.lower() == "gif" else None
    existing = existing_info if existing_info is not None and settings.enable_pnginfo else None
    content = _encoded(image, folder, extension, told, Encoding.from_settings(settings), chunk, existing)
    if forced_filename is not None:
        path = _placed(folder, shortened(forced_filename, f".{extension}"), extension, content)
    else:
        short = short_filename or (grid and not settings.grid_extended_filename)
        path = _named(folder, extension, content, settings, picture, short, suffix)
    image.already_saved_as = str(path)  # type: ignore[attr-defined]
    return Saved(path, _save_text(path, settings, infotext), _save_copy(image, path, settings, infotext, len(content)))


def planned_path(
    image: Image.Image,
    folder: Path,
    settings: SaveSettings,
    picture: NamedPicture,
    *,
    extension: str = "png",
    grid: bool = False,
    short_filename: bool = False,
    suffix: str = "",
    forced_filename: str | None = None,
    save_to_dirs: bool | None = None,
) -> Path:
    """Where `save_image` will most likely write: another program may take the number first. Makes the folder. Raises SaveError."""
    picture.image = image
    folder = _folder(folder, settings, picture, grid, save_to_dirs)
    if forced_filename is not None:
        return folder / f"{shortened(forced_filename, f'.{extension}')}.{extension}"
    short = short_filename or (grid and not settings.grid_extended_filename)
    decoration = "" if short or picture.seed is None else _decoration(settings, picture)
    *inner, last = decoration.split("/")
    folder = folder.joinpath(*_inside("/".join(inner)))
    if settings.save_images_add_number or not last + suffix:
        number = next_sequence_number(folder, picture.basename) if folder.is_dir() else 0
        start = f"{picture.basename}-{number:04}" if picture.basename else f"{number:05}"
        last = start + (f"-{last}" if last else "")
    return folder / f"{shortened(last, f'.{extension}', suffix)}.{extension}"


def _encoded(
    image: Image.Image,
    path: Path,
    extension: str,
    infotext: str | None,
    encoding: Encoding,
    chunk: str = "parameters",
    existing: Mapping[str, Any] | None = None,
) -> bytes:
    try:
        return encode(image, extension, infotext, chunk=chunk, existing=existing, encoding=encoding)
    except (ValueError, OSError) as error:
        raise SaveError(path, error) from error


def _folder(folder: Path, settings: SaveSettings, picture: NamedPicture, grid: bool, save_to_dirs: bool | None) -> Path:
    """The output folder or a sub-folder of it, whatever the pattern says; made if needed."""
    into_dirs = save_to_dirs if save_to_dirs is not None else (settings.grid_save_to_dirs if grid else settings.save_to_dirs)
    if into_dirs:
        name = apply_pattern(settings.directories_filename_pattern or "[prompt_words]", picture)
        folder = folder.joinpath(*_inside(name.lstrip(" ").rstrip("\\/ ")))
    make_folder(folder)
    return folder


def _inside(name: str) -> list[str]:
    """The parts of a relative path, without those that would lead out of the folder it is relative to."""
    parts = (part.strip() for part in name.replace("\\", "/").replace("\0", "_").split("/"))
    return [shortened(part.replace(":", "_"), "") for part in parts if part.strip(".")]


def _named(
    folder: Path, extension: str, content: bytes, settings: SaveSettings, picture: NamedPicture, short: bool, suffix: str
) -> Path:
    decoration = "" if short or picture.seed is None else _decoration(settings, picture)
    *inner, last = decoration.split("/")
    if inner:
        folder = folder.joinpath(*_inside("/".join(inner)))
        make_folder(folder)
    if settings.save_images_add_number or not last + suffix:
        return _numbered(folder, extension, content, picture.basename, f"-{last}" if last else "", suffix)
    stem = shortened(last, f".{extension}", suffix)
    if settings.save_images_replace_action != "Add number suffix":
        return _placed(folder, stem, extension, content)
    for number in range(TRIES):
        path = folder / f"{shortened(last, f'.{extension}', suffix + (f'-{number}' if number else ''))}.{extension}"
        if create_file(path, content):
            return path
    raise SaveError(folder / f"{stem}.{extension}", f"{TRIES} files of this name exist; choose another file name pattern")


def _decoration(settings: SaveSettings, picture: NamedPicture) -> str:
    pattern = settings.samples_filename_pattern or ("[seed]" if settings.save_to_dirs else "[seed]-[prompt_spaces]")
    return apply_pattern(pattern, picture).replace("\0", "_")


def _placed(folder: Path, stem: str, extension: str, content: bytes) -> Path:
    path = folder / f"{stem}.{extension}"
    if path.parent != folder:
        raise SaveError(path, "a file name may not contain a folder")
    replace_file(path, content)
    return path


def _numbered(folder: Path, extension: str, content: bytes, basename: str, decoration: str, suffix: str) -> Path:
    first = next_sequence_number(folder, basename)
    for number in range(first, first + TRIES):
        start = f"{basename}-{number:04}" if basename else f"{number:05}"
        path = folder / f"{shortened(start + decoration, f'.{extension}', suffix)}.{extension}"
        if create_file(path, content):
            return path
    raise SaveError(folder, f"no free number after {first} for a new file; empty the folder or choose another")


def next_sequence_number(folder: Path, basename: str = "") -> int:
    """1 + the highest number among the folder's entries, 0 if there is none.

    A1111: folders count too, so beside a folder `2026-01-31` the numbers go on from 2027.
    """
    prefix = f"{basename}-" if basename else ""
    highest = -1
    for entry in os.listdir(folder):
        if entry.startswith(prefix):
            digits = os.path.splitext(entry[len(prefix) :])[0].split("-")[0]
            if digits.isascii() and digits.isdecimal() and len(digits) < 16:
                highest = max(highest, int(digits))
    return highest + 1


def _save_text(path: Path, settings: SaveSettings, infotext: str | None) -> Path | None:
    if not settings.save_txt or infotext is None:
        return None
    text_path = path.with_suffix(".txt")
    replace_file(text_path, f"{infotext}\n".encode("utf-8", "replace"))
    return text_path


def _save_copy(image: Image.Image, path: Path, settings: SaveSettings, infotext: str | None, size: int) -> Path | None:
    """A JPEG beside a large picture, scaled down where a side is too long."""
    limit = int(settings.target_side_length)
    too_long = max(image.size) > limit > 0
    copy = path.with_suffix(".jpg")
    if not settings.export_for_4chan or copy == path or not (too_long or size > settings.img_downscale_threshold * 1024 * 1024):
        return None
    if too_long:
        scale = limit / max(image.size)
        sides = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(sides, Image.Resampling.LANCZOS)
    content = _encoded(image, copy, "jpg", infotext if settings.enable_pnginfo else None, Encoding.from_settings(settings))
    replace_file(copy, content)
    return copy
