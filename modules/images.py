"""Pictures: grids, resizing, saving, reading (platform.md §4.14)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from modules import events
from modules.extend import host, save_picture
from modules.imaging import grid as _grid
from modules.imaging import legend, metadata, reading, resize, saving
from modules.imaging.filenames import sanitize_filename_part as _sanitize
from modules.imaging.files import SaveError
from modules.imaging.legend import GridAnnotation as GridAnnotation
from modules.imaging.tiles import Grid as Grid
from modules.imaging.tiles import combine_grid as combine_grid
from modules.imaging.tiles import split_grid as split_grid

log = logging.getLogger(__name__)

LANCZOS = Image.Resampling.LANCZOS
NEAREST = Image.Resampling.NEAREST


def get_font(fontsize: int) -> Any:
    """The grids' font in a size."""
    return legend.get_font(fontsize, host.current().opts.font)


def image_grid(imgs: Sequence[Image.Image], batch_size: int = 1, rows: int | None = None) -> Image.Image:
    """One picture with all of them row by row, as the settings want grids."""
    opts = host.current().opts
    count = len(imgs)
    if rows is None:
        rows = _grid.grid_rows(count, batch_size, n_rows=int(opts.n_rows), prevent_empty_spots=opts.grid_prevent_empty_spots)
    rows = max(1, min(rows, count))
    params = events.ImageGridLoopParams(list(imgs), -(-count // rows), rows)
    events.fire("image_grid", params)
    return _grid.image_grid(params.imgs, rows=params.rows, background=opts.grid_background_color)


def _legend_style() -> legend.LegendStyle:
    opts = host.current().opts
    return legend.LegendStyle(opts.grid_background_color, opts.grid_text_active_color, opts.grid_text_inactive_color, opts.font)


def draw_grid_annotations(
    im: Image.Image,
    width: int,
    height: int,
    hor_texts: Sequence[Sequence[GridAnnotation]],
    ver_texts: Sequence[Sequence[GridAnnotation]],
    margin: int = 0,
) -> Image.Image:
    """A grid of cells of a size with texts above its columns and beside its rows."""
    return legend.draw_grid_annotations(im, width, height, hor_texts, ver_texts, margin, _legend_style())


def draw_prompt_matrix(im: Image.Image, width: int, height: int, all_prompts: Sequence[str], margin: int = 0) -> Image.Image:
    """A prompt matrix' grid with its legend; the first of the prompts is the fixed part."""
    hor_texts, ver_texts = legend.matrix_legend(all_prompts[1:])
    return draw_grid_annotations(im, width, height, hor_texts, ver_texts, margin)


def resize_image(resize_mode: int, im: Image.Image, width: int, height: int, upscaler_name: str | None = None) -> Image.Image:
    """A picture in another size: 0 stretched, 1 cropped, 2 filled up."""
    name = upscaler_name or host.current().opts.upscaler_for_img2img
    upscale = None
    if name and name != "None":

        def upscale(image: Image.Image, factor: float) -> Image.Image:
            found = next((entry for entry in host.current().upscalers() if entry.name == name), None)
            return image if found is None else found.scaler.upscale(image, factor, found.data_path)

    return resize.resize_image(resize_mode, im, width, height, upscale)


def flatten(img: Image.Image, bgcolor: str) -> Image.Image:
    """RGB, with transparent parts in a colour."""
    return reading.flatten(img, bgcolor)


def fix_image(image: Image.Image | None) -> Image.Image | None:
    """A picture turned as its metadata says."""
    return None if image is None else reading.corrected(image)


def read(fp: Any, **kwargs: Any) -> Image.Image:
    """A picture from a file, turned as its metadata says."""
    return reading.corrected(Image.open(fp, **kwargs))


def read_info_from_image(image: Image.Image) -> tuple[str | None, dict[str, Any]]:
    """The infotext of a picture, and its other texts."""
    return metadata.read_info_from_image(image)


def image_data(data: bytes) -> tuple[str | None, Any]:
    """The infotext of a picture file's content; a text is taken as the infotext itself."""
    try:
        with Image.open(BytesIO(data)) as image:
            return read_info_from_image(image)[0], None
    except Exception:
        try:
            return data.decode("utf8"), None
        except UnicodeDecodeError:
            return "", None


def get_next_sequence_number(path: str, basename: str) -> int:
    """1 + the highest number among a folder's files, 0 without any."""
    from pathlib import Path

    return saving.next_sequence_number(Path(path), basename)


def sanitize_filename_part(text: str | None, replace_spaces: bool = True) -> str | None:
    """A text as part of a file name."""
    return None if text is None else _sanitize(text, underscores=replace_spaces)


def save_image(
    image: Image.Image,
    path: str | None,
    basename: str,
    seed: int | None = None,
    prompt: str | None = None,
    extension: str = "png",
    info: str | None = None,
    short_filename: bool = False,
    no_prompt: bool = False,
    grid: bool = False,
    pnginfo_section_name: str = "parameters",
    p: Any = None,
    existing_info: dict[str, Any] | None = None,
    forced_filename: str | None = None,
    suffix: str = "",
    save_to_dirs: bool | None = None,
) -> tuple[str | None, str | None]:
    """Save a picture under a name the settings make; its path and its text file's. A failure is logged and gives (None, None)."""
    try:
        saved = save_picture.save_picture(
            host.current(),
            image,
            path,
            basename,
            seed=seed,
            prompt=prompt,
            extension=extension,
            info=info,
            p=p,
            chunk=pnginfo_section_name,
            short_filename=short_filename,
            grid=grid,
            existing_info=existing_info,
            forced_filename=forced_filename,
            suffix=suffix,
            save_to_dirs=save_to_dirs,
        )
    except SaveError as error:
        log.error("%s", error)
        if p is not None:
            p.comment(str(error))
        return None, None
    return save_picture.written(saved)
