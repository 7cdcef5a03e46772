"""From the form's values to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img

FIELDS = (
    "prompt", "negative_prompt", "styles", "n_iter", "batch_size", "cfg_scale", "height", "width",
    "enable_hr", "denoising_strength", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y",
    "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt",
    "steps", "sampler_name", "scheduler", "enable_refiner", "refiner_checkpoint", "refiner_switch_at",
    "seed", "seed_enable_extras", "subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h",
)  # fmt: skip
"""Names of the generate event's inputs after the task id, in the order in which A1111's page passes them."""

WHOLE = frozenset(
    {
        "n_iter", "batch_size", "height", "width", "steps", "seed", "subseed", "seed_resize_from_w", "seed_resize_from_h",
        "hr_second_pass_steps", "hr_resize_x", "hr_resize_y",
        "resize_mode", "mask_blur", "inpainting_fill", "inpaint_full_res_padding", "inpainting_mask_invert",
    }
)  # fmt: skip
REFINER = ("refiner_checkpoint", "refiner_switch_at")
SAME = {"Use same checkpoint", "Use same sampler", "Use same scheduler"}
SEED_EXTRAS = ("subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h")


def txt2img_request(values: Mapping[str, Any]) -> StableDiffusionProcessingTxt2Img:
    """Build the request of the txt2img form from values by the names of `FIELDS`; see `common_fields`."""
    from modules.pipeline.processing import StableDiffusionProcessingTxt2Img

    return StableDiffusionProcessingTxt2Img(**common_fields({name: values[name] for name in FIELDS if name in values}))


def common_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """A form's values as fields of a request.

    Browsers send numbers as floats and an emptied number box as None: the first are made whole, the second leave the
    default. Seed extras and refiner count only while their switch is on.
    """
    fields = {name: value for name, value in values.items() if value is not None}
    if not fields.pop("seed_enable_extras", False):
        fields = {name: value for name, value in fields.items() if name not in SEED_EXTRAS}
    if not fields.pop("enable_refiner", False):
        fields = {name: value for name, value in fields.items() if name not in REFINER}
    fields = {name: value for name, value in fields.items() if not (name.startswith("hr_") and value in SAME)}
    for name in WHOLE & fields.keys():
        fields[name] = _whole(fields[name])
    return fields


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
