"""A job's files: its pictures, its grid, and `params.txt` (generation.md §9 of the reference)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from modules import events
from modules.imaging.announced import save_announced
from modules.imaging.filenames import NamedPicture
from modules.imaging.files import SaveError, replace_file
from modules.imaging.grid import grid_rows, image_grid
from modules.pipeline.recipe import create_infotext

if TYPE_CHECKING:
    from PIL import Image

    from modules.pipeline.run import Run

log = logging.getLogger(__name__)


def save_sample(run: Run, image: Image.Image, index: int, infotext: str, *, suffix: str = "") -> str | None:
    """Write picture `index` of the job; the path, or None.

    A picture that cannot be written stays in the result, with a remark that says why.
    """
    p, settings = run.p, run.settings
    own = settings.outdir_img2img_samples if p.kind == "img2img" else settings.outdir_txt2img_samples
    folder = p.outpath_samples or settings.outdir_samples or own
    return _try_to_save(run, image, folder, _named(run, index), str(settings.samples_format), infotext, suffix=suffix)


def save_init_image(run: Run, image: Image.Image, name: str) -> None:
    """Keep an init picture under its hash, with what texts it carries."""
    folder = run.runtime.data_dir / run.settings.outdir_init_images
    try:
        save_announced(
            image, folder, run.settings, NamedPicture(), p=run.p, extension=str(run.settings.samples_format),
            forced_filename=name, save_to_dirs=False, existing_info={str(key): value for key, value in image.info.items()},
        )  # fmt: skip
    except SaveError as error:
        log.error("%s", error)
        run.p.comment(str(error))


def make_grid(run: Run, images: list[Image.Image]) -> Image.Image | None:
    """The job's grid, saved if the job saves, where the settings want one; None otherwise."""
    p, settings = run.p, run.settings
    if p.do_not_save_grid or not (settings.grid_save or settings.return_grid):
        return None
    if len(images) < 2 and settings.grid_only_if_multiple:
        return None
    count = int(settings.n_rows), settings.grid_prevent_empty_spots
    rows = grid_rows(len(images), p.batch_size, n_rows=count[0], prevent_empty_spots=count[1])
    params = events.ImageGridLoopParams(list(images), -(-len(images) // rows), rows)
    events.fire("image_grid", params)
    grid = image_grid(params.imgs, rows=params.rows, background=settings.grid_background_color)
    infotext = create_infotext(run, 0, use_main_prompt=True)
    grid.info["parameters"] = infotext
    if settings.grid_save:
        own = settings.outdir_img2img_grids if p.kind == "img2img" else settings.outdir_txt2img_grids
        folder = p.outpath_grids or settings.outdir_grids or own
        picture = _named(run, 0)
        picture.basename = "grid"
        _try_to_save(run, grid, folder, picture, str(settings.grid_format), infotext, grid=True)
    return grid if settings.return_grid else None


def save_params(run: Run) -> None:
    """Write `params.txt`, the infotext that the paste button reads when the prompt is empty."""
    if not run.runtime.prompt_history:
        return
    try:
        replace_file(run.runtime.data_dir / "params.txt", create_infotext(run, 0).encode("utf-8", "replace"))
    except SaveError as error:
        log.warning("%s", error)


def _try_to_save(
    run: Run,
    image: Image.Image,
    folder: str,
    picture: NamedPicture,
    extension: str,
    infotext: str,
    *,
    grid: bool = False,
    suffix: str = "",
) -> str | None:
    journal, key = run.runtime.journal, f"{run.number}/file/{run.files}"
    run.files += 1
    before = journal.noted(key)
    if before is not None and Path(before).is_file():  # written before a crash
        image.already_saved_as = before  # type: ignore[attr-defined]
        return str(before)
    try:
        saved = save_announced(
            image,
            run.runtime.data_dir / folder,
            run.settings,
            picture,
            p=run.p,
            extension=extension,
            infotext=infotext,
            grid=grid,
            suffix=suffix,
        )
    except SaveError as error:
        log.error("%s", error)
        run.p.comment(str(error))
        return None
    journal.note(key, str(saved.path))
    return str(saved.path)


def _named(run: Run, index: int) -> NamedPicture:
    p, settings = run.p, run.settings
    return NamedPicture(
        prompt=p.all_prompts[index],
        seed=p.all_seeds[index],
        steps=p.steps,
        cfg_scale=p.cfg_scale,
        sampler=run.sampler.label,
        scheduler=_resolved_schedule(run),
        model_name=run.model.name,
        model_hash=run.model.shorthash,
        styles=p.styles,
        base_prompt=p.prompt if isinstance(p.prompt, str) else p.prompt[0],
        base_negative_prompt=p.negative_prompt if isinstance(p.negative_prompt, str) else p.negative_prompt[0],
        all_seeds=p.all_seeds,
        batch_size=p.batch_size,
        batch_count=p.n_iter,
        batch_index=index % p.batch_size,
        iteration=index // p.batch_size,
        job_timestamp=run.runtime.state.job_timestamp,
        clip_skip=int(settings.CLIP_stop_at_last_layers),
        denoising_strength=p.denoising_strength,
        user=p.user,
        max_words=int(settings.directories_max_prompt_words),
        max_length=run.runtime.filename_length,
        unix=run.runtime.unix_filenames,
    )


def _resolved_schedule(run: Run) -> str:
    return run.sampler.default_schedule or "Automatic" if run.scheduler.name == "automatic" else run.scheduler.label
