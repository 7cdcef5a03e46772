"""Where a job keeps what must outlive the program: its journal, and pictures that were not saved elsewhere."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger(__name__)
JOURNAL = "journal.bin"


class ResultGone(LookupError):
    """A picture of a finished job is no longer on the disk."""


class Spool:
    """One folder for each job below `root`; without a root nothing is kept."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    def folder(self, number: int) -> Path | None:
        return None if self.root is None else self.root / str(number)

    def journal(self, number: int) -> Path | None:
        folder = self.folder(number)
        return None if folder is None else folder / JOURNAL

    def keep(self, number: int, images: Sequence[Image.Image], saved: Sequence[str | None]) -> list[str]:
        """Paths of the pictures, each the file it was `saved` as, or one written here. Raises OSError."""
        folder = self.folder(number)
        if folder is None:
            return []
        paths = []
        for index, image in enumerate(images):
            path = saved[index] if index < len(saved) else None
            paths.append(path if path and Path(path).is_file() else _written(folder / f"{index}.png", image))
        return paths

    def forget(self, number: int) -> None:
        """Remove everything kept for a job."""
        if (folder := self.folder(number)) is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, known: set[int]) -> None:
        """Remove what jobs left that nobody knows any more."""
        if self.root is None or not self.root.is_dir():
            return
        for folder in self.root.iterdir():
            if folder.name.isdecimal() and int(folder.name) not in known:
                shutil.rmtree(folder, ignore_errors=True)


def _written(path: Path, image: Image.Image) -> str:
    import io

    from modules.imaging.files import replace_file
    from modules.imaging.metadata import png_info

    buffer = io.BytesIO()
    texts = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    infotext = texts.pop("parameters", None)
    image.save(buffer, "PNG", compress_level=1, pnginfo=png_info(infotext, "parameters", texts))
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())
    return str(path)


@dataclass
class StoredResult:
    """What a job of an earlier program made; the pictures are read when they are asked for."""

    files: list[str]
    info: dict[str, Any]
    infotexts: list[str] = field(default_factory=list)
    index_of_first_image: int = 0
    comments: str = ""
    paths: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StoredResult:
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})

    @classmethod
    def of(cls, result: Any, files: list[str]) -> StoredResult:
        """A result whose pictures lie in `files`."""
        return cls(
            files,
            json.loads(result.js()) if hasattr(result, "js") else {},
            list(getattr(result, "infotexts", None) or []),
            int(getattr(result, "index_of_first_image", 0)),
            str(getattr(result, "comments", "") or ""),
            list(getattr(result, "paths", None) or []),
        )

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @property
    def images(self) -> list[Image.Image]:
        """Raises ResultGone."""
        return [self._image(path) for path in self.files]

    def js(self) -> str:
        """The `info` of the API as a JSON string."""
        return json.dumps(self.info)

    def _image(self, path: str) -> Image.Image:
        from PIL import Image

        try:
            with Image.open(path) as image:
                image.load()
                return image
        except OSError as error:
            raise ResultGone(f"the picture '{path}' is no longer there") from error
