"""Requests and answers of `/sdapi/v1`: A1111's fields, types and defaults (platform.md §3.2).

Unknown fields are ignored. Values are taken as generously as A1111 takes them: "12" and 12.7 are whole numbers (12), 5 is a text,
an empty list an empty object.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, bool | int | float) else value


def _object(value: Any) -> Any:
    return {} if value == [] else value


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_text)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]
Share = Annotated[float, Field(ge=0, le=1)]


class Request(BaseModel):
    """What all request bodies share."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class ProcessingRequest(Request):
    """Fields of every request that makes pictures."""

    prompt: Text | None = ""
    negative_prompt: Text | None = ""
    styles: list[Text] | None = None
    seed: Whole | None = -1
    subseed: Whole | None = -1
    subseed_strength: Number | None = 0
    seed_resize_from_h: Whole | None = -1
    seed_resize_from_w: Whole | None = -1
    sampler_name: Text | None = None
    scheduler: Text | None = None
    batch_size: Whole | None = 1
    n_iter: Whole | None = 1
    steps: Whole | None = 50
    cfg_scale: Number | None = 7.0
    width: Whole | None = 512
    height: Whole | None = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool | None = False
    do_not_save_grid: bool | None = False
    eta: Number | None = None
    denoising_strength: Number | None = None
    s_min_uncond: Number | None = None
    s_churn: Number | None = None
    s_tmax: Number | None = None
    s_tmin: Number | None = None
    s_noise: Number | None = None
    override_settings: Object | None = None
    override_settings_restore_afterwards: bool | None = True
    refiner_checkpoint: Text | None = None
    refiner_switch_at: Number | None = None
    disable_extra_networks: bool | None = False
    firstpass_image: Text | None = None
    comments: Object | None = None


class StableDiffusionProcessingTxt2Img(ProcessingRequest):
    """A text-to-image request. `prompt` alone is enough."""

    enable_hr: bool | None = False
    firstphase_width: Whole | None = 0
    firstphase_height: Whole | None = 0
    hr_scale: Number | None = 2.0
    hr_upscaler: Text | None = None
    hr_second_pass_steps: Whole | None = 0
    hr_resize_x: Whole | None = 0
    hr_resize_y: Whole | None = 0
    hr_checkpoint_name: Text | None = None
    hr_sampler_name: Text | None = None
    hr_scheduler: Text | None = None
    hr_prompt: Text | None = ""
    hr_negative_prompt: Text | None = ""
    # What follows is the API's own and, but for the texts, does not take null.
    force_task_id: Text | None = None
    sampler_index: Text = "Euler"
    script_name: Text | None = None
    script_args: list[Any] = Field(default_factory=list)
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: Object = Field(default_factory=dict)
    infotext: Text | None = None


class StableDiffusionProcessingImg2Img(ProcessingRequest):
    """An image-to-image request. Pictures are base64 texts or `data:` URIs; one in `init_images` is needed."""

    denoising_strength: Number = 0.75  # type: ignore[assignment]  # here it does not take null
    init_images: list[Any] | None = None
    resize_mode: Whole | None = 0
    image_cfg_scale: Number | None = None
    mask: Text | None = None
    mask_blur_x: Whole | None = 4
    mask_blur_y: Whole | None = 4
    mask_blur: Whole | None = None
    mask_round: bool | None = True
    inpainting_fill: Whole | None = 0
    inpaint_full_res: bool | None = True
    inpaint_full_res_padding: Whole | None = 0
    inpainting_mask_invert: Whole | None = 0
    initial_noise_multiplier: Number | None = None
    latent_mask: Text | None = None
    # What follows is the API's own and, but for the texts, does not take null.
    force_task_id: Text | None = None
    sampler_index: Text = "Euler"
    include_init_images: bool = False
    script_name: Text | None = None
    script_args: list[Any] = Field(default_factory=list)
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: Object = Field(default_factory=dict)
    infotext: Text | None = None


class TextToImageResponse(BaseModel):
    """Pictures as base64, the request as it was received, and the job's data as a JSON text."""

    images: list[str] | None
    parameters: dict[str, Any]
    info: str


class ImageToImageResponse(TextToImageResponse):
    """The same; the init pictures and the mask are left out of `parameters` unless the request asks for them."""


class ExtrasBaseRequest(Request):
    """Which steps of the Extras page to take, and how."""

    resize_mode: Literal[0, 1] = 0
    show_extras_results: bool = True
    gfpgan_visibility: Share = 0
    codeformer_visibility: Share = 0
    codeformer_weight: Share = 0
    upscaling_resize: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2
    upscaling_resize_w: Annotated[Whole, Field(ge=1)] = 512
    upscaling_resize_h: Annotated[Whole, Field(ge=1)] = 512
    upscaling_crop: bool = True
    upscaler_1: Text = "None"
    upscaler_2: Text = "None"
    extras_upscaler_2_visibility: Share = 0
    upscale_first: bool = False


class ExtrasSingleImageRequest(ExtrasBaseRequest):
    """A picture as base64 or `data:` URI, and the steps for it."""

    image: Text = ""


class FileData(BaseModel):
    """A picture as base64 and the name of its file."""

    data: Text
    name: Text


class ExtrasBatchImagesRequest(ExtrasBaseRequest):
    """Several pictures, and the steps for all of them."""

    imageList: list[FileData]


class ExtrasSingleImageResponse(BaseModel):
    """What was done, as HTML, and the picture as base64."""

    html_info: str
    image: str | None = None


class ExtrasBatchImagesResponse(BaseModel):
    """What was done to the last picture, as HTML, and all pictures as base64."""

    html_info: str
    images: list[str]


class PNGInfoRequest(Request):
    """A picture as base64 or `data:` URI."""

    image: Text


class PNGInfoResponse(BaseModel):
    """The infotext, the picture's other text entries, and the infotext's fields."""

    info: str
    items: dict[str, Any]
    parameters: dict[str, Any]


class ProgressResponse(BaseModel):
    """How far the running job is; `eta_relative` in seconds, `current_image` as base64."""

    progress: float
    eta_relative: float
    state: dict[str, Any]
    current_image: str | None = None
    textinfo: str | None = None


class SamplerItem(BaseModel):
    name: str
    aliases: list[str]
    options: dict[str, str]


class SchedulerItem(BaseModel):
    name: str
    label: str
    aliases: list[str] | None
    default_rho: float | None
    need_inner_model: bool | None


class SDModelItem(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    title: str
    model_name: str
    hash: str | None
    sha256: str | None
    filename: str
    config: str | None


class SDVaeItem(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    filename: str


class UpscalerItem(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    name: str
    model_name: str | None
    model_path: str | None
    model_url: str | None
    scale: float | None


class FaceRestorerItem(BaseModel):
    name: str
    cmd_dir: str | None


class RealesrganItem(BaseModel):
    name: str
    path: str | None
    scale: int | None


class LatentUpscalerModeItem(BaseModel):
    name: str


class PromptStyleItem(BaseModel):
    name: str
    prompt: str | None
    negative_prompt: str | None


class ScriptArg(BaseModel):
    """One argument of a script, as its control shows it."""

    model_config = ConfigDict(from_attributes=True)

    label: str | None
    value: Any
    minimum: Any
    maximum: Any
    step: Any
    choices: list[str] | None


class ScriptInfo(BaseModel):
    """One script and its arguments."""

    model_config = ConfigDict(from_attributes=True)

    name: str | None
    is_alwayson: bool | None
    is_img2img: bool | None
    args: list[ScriptArg]


class ScriptsList(BaseModel):
    txt2img: list[str]
    img2img: list[str]


class MemoryResponse(BaseModel):
    """Bytes; `error` in place of the numbers where there are none."""

    ram: dict[str, Any]
    cuda: dict[str, Any]
