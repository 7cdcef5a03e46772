"""A job of the Extras page: pictures from anywhere through the postprocessing steps, into answers and files (generation.md §10.8)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from modules.extend.host import current
from modules.extend.postprocessed import PostprocessedImage
from modules.imaging.eight_bit import as_rgb
from modules.imaging.filenames import NamedPicture
from modules.imaging.files import SaveError, replace_file
from modules.imaging.infotext import quote
from modules.imaging.metadata import read_info_from_image
from modules.imaging.reading import corrected
from modules.imaging.saving import save_image
from modules.pipeline.processing import RequestError

if TYPE_CHECKING:
    from modules.extend.postprocessing_runner import ScriptPostprocessingRunner
    from modules.pipeline.runtime import Runtime

log = logging.getLogger(__name__)
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"})
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 200_000_000


@dataclass
class ExtrasResult:
    """What a job of the Extras page made; `info` is the infotext of the last picture, shown or not."""

    images: list[Image.Image] = field(default_factory=list)
    infotexts: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    info: str = ""
    comments: str = ""
    index_of_first_image: int = 0

    def js(self) -> str:
        """The job's data as a JSON text."""
        return json.dumps({"infotexts": self.infotexts, "comments": self.comments, "last": self.info})


@dataclass(kw_only=True)
class ExtrasRequest:
    """Pictures (or a folder of them) and the arguments of each step, `{step: {argument: value}}`."""

    images: list[Image.Image] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """File names of `images`, where they have any; results are named after them."""
    input_dir: str = ""
    """Take the pictures of this folder instead."""
    output_dir: str = ""
    """Where results go; empty: as the settings say."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    save: bool = False
    show_results: bool = True
    override_settings: dict[str, Any] = field(default_factory=dict)
    user: str | None = None

    kind = "extras"

    def validate(self) -> None:
        """Raise RequestError for what cannot be done at all."""
        if self.input_dir and not os.path.isdir(self.input_dir):
            raise RequestError("input_dir", f"there is no folder '{self.input_dir}'")

    def as_body(self) -> dict[str, Any]:
        """Nothing: the bodies of the API cannot express every step, so that only jobs from there outlive the program."""
        return {}

    def perform(self, runtime: Runtime) -> ExtrasResult:
        """Run the job in the engine's worker; what is finished when it is stopped is returned."""
        return _Run(self, runtime, current().postprocessing()).all()


def execute(request: ExtrasRequest, runtime: Runtime) -> ExtrasResult:
    """Run a job of this kind, with its runtime as the current one."""
    with runtime.active():
        return request.perform(runtime)


class _Run:
    """One job while it runs."""

    def __init__(self, request: ExtrasRequest, runtime: Runtime, runner: ScriptPostprocessingRunner) -> None:
        self.request, self.runtime, self.runner = request, runtime, runner
        self.settings = runtime.options
        self.result = ExtrasResult()
        self.comments: list[str] = []
        self.used: dict[str, dict[str, int]] = {}
        self.args = runner.create_args_for_run(request.steps)

    def all(self) -> ExtrasResult:
        state, sources = self.runtime.state, list(self._sources())
        state.job_count = max(len(sources), 1)
        for name, read in sources:
            if state.interrupted or state.stopping_generation:
                break
            state.skipped = False
            state.textinfo = name or None
            try:
                image = read()
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                self._remark(f"{name} is left out: it cannot be read as a picture ({error or type(error).__name__})")
                continue
            self._picture(image, name)
            state.nextjob()
        self.result.comments = "\n".join(self.comments)
        return self.result

    def _sources(self) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
        request = self.request
        if request.input_dir:
            for root, folders, names in os.walk(request.input_dir):
                folders.sort(key=str.lower)
                for name in sorted(names, key=str.lower):
                    if Path(name).suffix.lower() in SUFFIXES:
                        yield name, lambda path=Path(root, name): read_picture(path)  # type: ignore[misc]
            return
        names = [*request.names, *[""] * len(request.images)]
        for image, name in zip(request.images, names, strict=False):
            yield name, lambda image=image: image  # type: ignore[misc]

    def _picture(self, image: Image.Image, name: str) -> None:
        infotext, existing = read_info_from_image(image)
        if infotext:
            existing["parameters"] = infotext
        pp = PostprocessedImage(as_rgb(corrected(image)))
        self.runner.run(pp, self.args)
        for one in (pp, *pp.extra_images):
            self._finish(one, name, existing)

    def _finish(self, pp: PostprocessedImage, name: str, existing: Mapping[str, Any]) -> None:
        infotext = ", ".join(key if key == value else f"{key}: {quote(value)}" for key, value in pp.info.items() if value is not None)
        told = bool(self.settings.enable_pnginfo)
        kept: dict[str, Any] = {**existing, "postprocessing": infotext} if told else {}
        pp.image.info = dict[Any, Any](kept)
        if self.request.save:
            self._save(pp, name, infotext, kept)
        self.result.info = infotext
        if self.request.show_results:
            self.result.images.append(pp.image)
            self.result.infotexts.append(infotext)

    def _save(self, pp: PostprocessedImage, name: str, infotext: str, kept: Mapping[str, Any]) -> None:
        request, settings = self.request, self.settings
        folder = Path(request.output_dir or settings.outdir_samples or settings.outdir_extras_samples)
        stem = Path(name).stem if name and (request.input_dir or settings.use_original_name_batch) else ""
        suffix = pp.get_suffix(self.used.setdefault(stem, {})) if stem else pp.get_suffix({})
        try:
            saved = save_image(
                pp.image,
                self.runtime.data_dir / folder,
                settings,
                NamedPicture(job_timestamp=self.runtime.state.job_timestamp, user=request.user, max_length=self.runtime.filename_length),
                extension=str(settings.samples_format),
                infotext=infotext,
                short_filename=True,
                suffix="" if stem else suffix,
                forced_filename=stem + suffix if stem else None,
                save_to_dirs=False if request.output_dir else None,
                chunk="extras",
                existing_info=kept,
            )
        except SaveError as error:
            log.error("%s", error)
            self._remark(str(error))
            return
        self.result.paths.append(str(saved.path))
        if pp.caption:
            self._save_caption(saved.path.with_suffix(".txt"), pp.caption)

    def _save_caption(self, path: Path, caption: str) -> None:
        try:
            existing = path.read_text("utf-8", "replace").strip() if path.is_file() else ""
            text = merged_caption(existing, caption, str(self.settings.postprocessing_existing_caption_action))
            if text is not None:
                replace_file(path, text.encode("utf-8", "replace"))
        except OSError as error:
            self._remark(str(error))

    def _remark(self, text: str) -> None:
        log.warning("%s", text)
        self.comments.append(text)


def merged_caption(existing: str, caption: str, action: str) -> str | None:
    """What a caption file is to hold; None to leave it alone. `action` is the setting `postprocessing_existing_caption_action`."""
    if not existing or action == "Ignore":
        return caption
    if action == "Prepend":
        return f"{existing} {caption}"
    if action == "Append":
        return f"{caption} {existing}"
    return None


def read_picture(path: Path) -> Image.Image:
    """A picture file, fully read. Raises OSError, ValueError or Image.DecompressionBombError for one that is none, or too large."""
    if not path.is_file():  # a pipe or a device would never end
        raise UnidentifiedImageError("it is no regular file")
    with Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} is more than {MAX_PIXELS // 1_000_000} million pixels")
        image.load()
        return image
