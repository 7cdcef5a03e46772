"""Saving a picture on behalf of a script: folders, names and formats by the settings, callbacks around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.imaging.announced import save_announced
from modules.imaging.filenames import NamedPicture
from modules.imaging.saving import Saved

if TYPE_CHECKING:
    from PIL import Image

    from modules.extend.host import Host


def save_picture(
    host: Host,
    image: Image.Image,
    path: str | None,
    basename: str = "",
    *,
    seed: int | None = None,
    prompt: str | None = None,
    extension: str = "png",
    info: str | None = None,
    p: Any = None,
    chunk: str = "parameters",
    **how: Any,
) -> Saved:
    """Write a picture below `path` and say what was written. Raises SaveError."""
    engine = host.engine
    folder = engine.paths.data / (path or default_folder(engine.options, p, grid=bool(how.get("grid"))))
    picture = named_picture(p, prompt or "", seed)
    picture.basename = basename
    return save_announced(image, folder, engine.options, picture, p=p, extension=extension, infotext=info, chunk=chunk, **how)


def default_folder(options: Any, p: Any, *, grid: bool) -> str:
    """Where the settings put pictures or grids of a request."""
    what = "grids" if grid else "samples"
    return str(getattr(options, f"outdir_{what}") or getattr(options, f"outdir_{getattr(p, 'kind', 'txt2img')}_{what}"))


def named_picture(p: Any, prompt: str, seed: int | None) -> NamedPicture:
    """What a file name may say about a request's picture; `p` may be None or may not have run."""
    if p is None:
        return NamedPicture(prompt=prompt, seed=seed)
    run = getattr(p, "run", None)
    return NamedPicture(
        prompt=prompt,
        seed=seed,
        steps=p.steps,
        cfg_scale=p.cfg_scale,
        sampler=p.sampler_name,
        scheduler=p.scheduler,
        model_name=run.model.name if run else None,
        model_hash=run.model.shorthash if run else None,
        styles=p.styles,
        base_prompt=p.prompt if isinstance(p.prompt, str) else p.prompt[0],
        base_negative_prompt=p.negative_prompt if isinstance(p.negative_prompt, str) else p.negative_prompt[0],
        all_seeds=p.all_seeds,
        batch_size=p.batch_size,
        batch_count=p.n_iter,
        batch_index=p.batch_index,
        iteration=p.iteration,
        denoising_strength=p.denoising_strength,
        user=p.user,
    )


def written(saved: Saved) -> tuple[str, str | None]:
    """Both paths as A1111 gives them: the picture's, and the text file's or None."""
    return str(Path(saved.path)), str(saved.text_path) if saved.text_path else None
