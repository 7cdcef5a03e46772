"""img2img over all pictures of a folder: order, masks, names, and what the pictures' own infotexts say (generation.md §6.7)."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from modules.imaging.folders import visible_files, walk_pictures
from modules.imaging.infotext_rules import PasteRules, parse_generation_parameters
from modules.imaging.metadata import read_info_from_image
from modules.imaging.reading import corrected
from modules.pipeline.process import run_request
from modules.pipeline.processing import RequestError, fix_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modules.pipeline.processed import Processed
    from modules.pipeline.processing import StableDiffusionProcessingImg2Img
    from modules.pipeline.runtime import Runtime

log = logging.getLogger(__name__)
INFO_FIELDS = ("Prompt", "Negative prompt", "Seed", "CFG scale", "Sampler", "Steps", "Model hash")
"""What may be taken from the pictures' infotexts."""


@dataclass(frozen=True)
class FolderBatch:
    """What to run over.

    Either `input_dir`, walked with all folders inside, or `files`. `mask_dir`: one mask for all, or one of each picture's stem.
    `scale_by` makes each result that many times its picture's size. `info_fields` (of INFO_FIELDS) are taken from each picture's
    infotext, or from the picture of the same name in `info_dir`. `output_dir`: where results go, under their pictures' names.
    """

    input_dir: str | Path = ""
    files: tuple[Path, ...] = ()
    output_dir: str | Path = ""
    mask_dir: str | Path = ""
    scale_by: float | None = None
    info_fields: tuple[str, ...] = ()
    info_dir: str | Path = ""


@dataclass
class FolderResult:
    """Results of the first pictures, as many as asked for, and the names of those left out with the reason."""

    results: list[Processed] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def process_folder(
    p: StableDiffusionProcessingImg2Img,
    batch: FolderBatch,
    runtime: Runtime,
    run: Callable[[StableDiffusionProcessingImg2Img, Runtime], Processed] = run_request,
) -> FolderResult:
    """Run the request for every picture with one seed for all; raises RequestError where a folder is missing.

    How many results are kept is the setting `img2img_batch_show_results_limit` (below 0: all); files are written for every one.
    """
    pictures = _pictures(batch, bool(runtime.options.list_hidden_files))
    masks = visible_files(_folder(batch.mask_dir, "mask_dir")) if batch.mask_dir else []
    p.seed, p.subseed = fix_seed(p.seed), fix_seed(p.subseed)
    result, limit = FolderResult(), int(runtime.options.img2img_batch_show_results_limit)
    state = runtime.state
    state.job_count = len(pictures) * p.n_iter
    for number, path in enumerate(pictures, start=1):
        state.job, state.skipped = f"{number} out of {len(pictures)}", False
        if state.interrupted or state.stopping_generation:
            break
        try:
            request = _request_for(p, batch, path, masks, runtime)
        except (OSError, ValueError) as error:
            result.skipped[path.name] = str(error)
            log.warning("%s is left out: %s", path, error)
            continue
        processed = run(request, runtime)
        if limit < 0 or len(result.results) < limit:
            result.results.append(processed)
    return result


def _folder(path: str | Path, name: str) -> Path:
    folder = Path(str(path).strip())
    if not folder.is_dir():
        raise RequestError(name, f"there is no folder '{folder}'")
    return folder


def _pictures(batch: FolderBatch, hidden: bool) -> list[Path]:
    return list(batch.files) if batch.files else list(walk_pictures(_folder(batch.input_dir, "input_dir"), hidden=hidden))


def _request_for(
    p: StableDiffusionProcessingImg2Img, batch: FolderBatch, path: Path, masks: Sequence[Path], runtime: Runtime
) -> StableDiffusionProcessingImg2Img:
    """The request for one picture; raises OSError and ValueError for files that cannot be read or have no mask."""
    request = copy.copy(p)
    request.override_settings, request.extra_generation_params = dict(p.override_settings), dict(p.extra_generation_params)
    request.comments = {}
    image = _opened(path)
    request.init_images = [image] * p.batch_size
    if batch.scale_by is not None:
        request.width, request.height = int(image.width * batch.scale_by), int(image.height * batch.scale_by)
    if masks:
        request.image_mask = _opened(_mask_for(path, masks))
    if batch.info_fields:
        source = _opened(Path(batch.info_dir, path.name)) if batch.info_dir and Path(batch.info_dir, path.name).is_file() else image
        _take_info(request, source, batch.info_fields, runtime)
    if batch.output_dir:
        request.outpath_samples = str(batch.output_dir).strip()
        request.override_settings |= _naming(path.stem, several=p.n_iter > 1 or p.batch_size > 1)
    return request


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return corrected(image)


def _mask_for(path: Path, masks: Sequence[Path]) -> Path:
    if len(masks) == 1:
        return masks[0]
    for mask in masks:
        if mask.stem == path.stem:
            return mask
    raise ValueError(f"there is no mask named '{path.stem}'")


def _naming(stem: str, *, several: bool) -> dict[str, Any]:
    return {
        "save_to_dirs": False,
        "save_images_add_number": False,
        "save_images_replace_action": "Add number suffix",
        "samples_filename_pattern": f"{stem}-[generation_number]" if several else stem,
    }


def _take_info(request: StableDiffusionProcessingImg2Img, image: Image.Image, wanted: Sequence[str], runtime: Runtime) -> None:
    """Take the wanted fields of a picture's infotext; texts are put behind the request's own, with a blank between."""
    text, _ = read_info_from_image(image)
    told = parse_generation_parameters(text, PasteRules(styles="Ignore")) if text else {}
    told = {key: value for key, value in told.items() if key in wanted}
    if "Prompt" in told:
        request.prompt = f"{request.prompt} {told['Prompt']}"
    if "Negative prompt" in told:
        request.negative_prompt = f"{request.negative_prompt} {told['Negative prompt']}"
    request.seed = int(told.get("Seed", request.seed))
    request.cfg_scale = float(told.get("CFG scale", request.cfg_scale))
    request.sampler_name = told.get("Sampler", request.sampler_name)
    request.steps = int(told.get("Steps", request.steps))
    model = told.get("Model hash")
    if model and runtime.knows_checkpoint(str(model)):
        request.override_settings["sd_model_checkpoint"] = str(model)
