"""Requests and running them (platform.md §4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.extend import host
from modules.pipeline.processed import Processed as Processed
from modules.pipeline.processing import StableDiffusionProcessing as StableDiffusionProcessing
from modules.pipeline.processing import StableDiffusionProcessingImg2Img as StableDiffusionProcessingImg2Img
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img as StableDiffusionProcessingTxt2Img
from modules.pipeline.processing import fix_seed as _concrete_seed

if TYPE_CHECKING:
    from PIL import Image

opt_C = 4
opt_f = 8


def process_images(p: StableDiffusionProcessing) -> Processed:
    """Make the pictures of a request: within a running job at once, elsewhere through the engine's queue."""
    from modules.pipeline import process, runtime

    if runtime.is_active():
        return process.process_images(p, runtime.current())
    return host.current().engine.run(p)


process_images_inner = process_images


def get_fixed_seed(seed: Any) -> int:
    """The seed, or a random one for -1, empty and nonsense."""
    return _concrete_seed(seed)


def fix_seed(p: StableDiffusionProcessing) -> None:
    """Make both seeds of a request concrete."""
    p.seed = [get_fixed_seed(s) for s in p.seed] if isinstance(p.seed, list) else get_fixed_seed(p.seed)
    p.subseed = get_fixed_seed(p.subseed)


def program_version() -> str:
    """The A1111 release whose behaviour this program follows; extensions choose code by it."""
    from modules.pipeline.recipe import VERSION

    return VERSION


def create_infotext(
    p: StableDiffusionProcessing,
    all_prompts: list[str] | None = None,
    all_seeds: list[int] | None = None,
    all_subseeds: list[int] | None = None,
    comments: Any = None,
    iteration: int = 0,
    position_in_batch: int = 0,
    use_main_prompt: bool = False,
    index: int | None = None,
    all_negative_prompts: list[str] | None = None,
) -> str:
    """The infotext of one picture of a request that has run."""
    from modules.pipeline import recipe

    number = position_in_batch + iteration * p.batch_size if index is None else index
    return recipe.create_infotext(p.run, number, use_main_prompt=use_main_prompt)


def create_binary_mask(image: Image.Image, round: bool = True) -> Image.Image:
    """A mask from a picture: its alpha where that varies, else its brightness; black and white if `round`."""
    from modules.imaging import mask

    return mask.create_binary_mask(image, round)


def setup_color_correction(image: Image.Image) -> Any:
    """What `apply_color_correction` brings pictures to."""
    from modules.imaging import color_correction

    return color_correction.setup_color_correction(image)


def apply_color_correction(correction: Any, original_image: Image.Image) -> Image.Image:
    """The picture with the colours of another."""
    from modules.imaging import color_correction

    return color_correction.apply_color_correction(correction, original_image)
