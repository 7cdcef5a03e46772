"""Saving with extensions told before and after: they may change the picture, its texts and where it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from modules import events
from modules.imaging.saving import NamedPicture, Saved, SaveSettings, planned_path, save_image


def save_announced(
    image: Image.Image,
    folder: Path,
    settings: SaveSettings,
    picture: NamedPicture,
    *,
    p: Any = None,
    extension: str = "png",
    infotext: str | None = None,
    chunk: str = "parameters",
    existing_info: dict[str, Any] | None = None,
    **how: Any,
) -> Saved:
    """`save_image` between the callbacks `before_image_saved` and `image_saved`; `p` is the request. Raises SaveError."""
    told: dict[str, Any] = {"extension": extension, "infotext": infotext, "chunk": chunk, "existing_info": existing_info, **how}
    if not (events.has("before_image_saved") or events.has("image_saved")):
        return save_image(image, folder, settings, picture, **told)
    planned = planned_path(image, folder, settings, picture, extension=extension, **how)
    texts = {**(existing_info or {}), **({} if infotext is None else {chunk: infotext})}
    params = events.ImageSaveParams(image, p, str(planned), texts)
    events.fire("before_image_saved", params)
    told |= {"infotext": params.pnginfo.pop(chunk, None), "existing_info": params.pnginfo or existing_info}
    if params.filename != str(planned):
        wanted = Path(params.filename)
        folder = wanted.parent
        told |= {"extension": wanted.suffix.lstrip(".") or extension, "forced_filename": wanted.stem, "save_to_dirs": False}
    saved = save_image(params.image, folder, settings, picture, **told)
    params.filename = str(saved.path)
    if told["infotext"] is not None:
        params.pnginfo[chunk] = told["infotext"]
    events.fire("image_saved", params)
    return saved
