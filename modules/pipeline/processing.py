"""The request: everything a job's pictures depend on, under A1111's field names.

The dataclass fields are the request and are data: they can be written as JSON, queued and compared. What a run works
out on its way (seeds, prompts of the batch, latents, masks) is kept on the same object under A1111's names, because
scripts read and change it there; those attributes are no fields and are set anew by every run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from modules.diffusion.rng import ImageRNG
    from modules.pipeline.run import Run
    from modules.pipeline.sample import Samples

MAX_SEED = 4294967294


class RequestError(ValueError):
    """A field of the request cannot be used; `.field` names it and the message says what would do."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.field = name


class Working:
    """What a run keeps on its request, under A1111's names; `begin` gives every attribute its first value."""

    run: Run
    scripts: Any
    script_args: list[Any]
    script_call: Any
    """Which scripts the request asks for, by name; whoever runs it finds them."""
    all_prompts: list[str]
    all_negative_prompts: list[str]
    all_seeds: list[int]
    all_subseeds: list[int]
    main_prompt: str
    main_negative_prompt: str
    prompts: list[str]
    negative_prompts: list[str]
    seeds: list[int]
    subseeds: list[int]
    iteration: int
    batch_index: int
    rng: ImageRNG
    c: Any
    uc: Any
    sampler: Any
    sd_model: Any
    extra_network_data: dict[str, list[Any]]
    is_hr_pass: bool
    overlay_images: list[Image.Image] | None
    color_corrections: list[Any] | None
    paste_to: tuple[int, int, int, int] | None
    mask_for_overlay: Image.Image | None
    mask: Tensor | None
    nmask: Tensor | None
    init_latent: Tensor | None
    image_conditioning: Any

    def begin(self) -> None:
        """Forget what an earlier run of this request left."""
        self.all_prompts, self.all_negative_prompts, self.all_seeds, self.all_subseeds = [], [], [], []
        self.prompts, self.negative_prompts, self.seeds, self.subseeds = [], [], [], []
        self.iteration = self.batch_index = 0
        self.c = self.uc = self.sampler = None
        self.extra_network_data = {}
        self.is_hr_pass = False
        self.overlay_images = self.paste_to = self.mask_for_overlay = None
        self.mask = self.nmask = self.init_latent = self.image_conditioning = None


@dataclass(kw_only=True)
class StableDiffusionProcessing(Working):
    """Fields common to txt2img and img2img; names, types and defaults are A1111's."""

    outpath_samples: str | None = None
    outpath_grids: str | None = None
    prompt: str | list[str] = ""
    negative_prompt: str | list[str] = ""
    styles: list[str] = field(default_factory=list)
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    eta: float | None = None
    denoising_strength: float | None = None
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    override_settings: dict[str, Any] = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    sampler_index: str | int | None = None
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    disable_extra_networks: bool = False
    firstpass_image: Any = None
    comments: dict[str, str] = field(default_factory=dict)
    user: str | None = None

    token_merging_ratio = 0.0
    token_merging_ratio_hr = 0.0
    kind = "job"

    def __post_init__(self) -> None:
        self.styles = self.styles or []
        self.override_settings = dict(self.override_settings or {})
        self.extra_generation_params = dict(self.extra_generation_params or {})
        self.comments = {}
        self.scripts, self.script_args, self.script_call = None, [], None
        self.color_corrections = None  # a script may set them before the request runs
        self.begin()

    def comment(self, text: str) -> None:
        """Add a remark that is shown with the result."""
        self.comments[text] = text

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """The share of tokens that self-attention leaves out in a pass, 0..0.9: the request's own, else the setting's."""
        settings = self.run.settings
        second = (self.token_merging_ratio_hr or settings.token_merging_ratio_hr) if for_hr else 0
        return float(second or self.token_merging_ratio or settings.token_merging_ratio)

    def hook(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Call a hook of the always-on scripts, if there are any: `name(p, *args, **kwargs)`."""
        if self.scripts is not None:
            getattr(self.scripts, name)(self, *args, **kwargs)

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Prepare the job once its prompts and seeds are known; scripts may replace this on an instance."""

    def setup_conds(self) -> None:
        """Encode the prompts of the current batch as `c` and `uc`; scripts may replace this on an instance."""
        from modules.pipeline.sample import first_conditions

        conditions = first_conditions(self.run)
        self.c, self.uc = conditions.positive, conditions.negative

    def sample(self, *_: Any, **__: Any) -> Samples:
        """Latents of the current batch, or decoded pictures after hires fix; scripts may replace this on an instance."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The request's fields, without what runs worked out."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def validate(self) -> None:
        """Raise RequestError for the first field that cannot be used."""
        for name in ("steps", "batch_size", "n_iter"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 1:
                raise RequestError(name, f"must be a whole number of at least 1, not {value!r}")
        for name in ("width", "height"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 8:
                raise RequestError(name, f"must be a whole number of at least 8 pixels, not {value!r}")
        if not isinstance(self.cfg_scale, int | float):
            raise RequestError("cfg_scale", f"must be a number, not {self.cfg_scale!r}")
        if self.prompt is None or self.prompt == []:
            raise RequestError("prompt", "must be a text (it may be empty)")


@dataclass(kw_only=True)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """A text-to-image request, with its second pass (hires fix)."""

    enable_hr: bool = False
    denoising_strength: float | None = 0.75
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: float = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""

    kind = "txt2img"

    def begin(self) -> None:
        super().begin()
        self.hr_upscale_to_x = self.hr_upscale_to_y = 0
        self.truncate_x = self.truncate_y = 0
        self.latent_scale_mode: dict[str, Any] | None = None
        self.all_hr_prompts: list[str] = []
        self.all_hr_negative_prompts: list[str] = []
        self.hr_prompts: list[str] = []
        self.hr_negative_prompts: list[str] = []
        self.hr_extra_network_data: dict[str, list[Any]] = {}
        self.hr_c: Any = None
        self.hr_uc: Any = None

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Work out the second pass."""
        from modules.pipeline.hires import prepare_hires

        if self.enable_hr:
            prepare_hires(self.run)

    def sample(self, *_: Any, **__: Any) -> Samples:
        """Latents of the current batch; decoded pictures after hires fix."""
        from modules.pipeline.sample import sample_txt2img

        return sample_txt2img(self.run)


@dataclass(kw_only=True)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    """An image-to-image request: init pictures, and a mask where only a part is drawn anew."""

    init_images: list[Any] = field(default_factory=list)
    resize_mode: int = 0
    denoising_strength: float | None = 0.75
    image_cfg_scale: float | None = None
    mask: Any = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_blur: int | None = None
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float | None = None
    latent_mask: Any = None

    kind = "img2img"

    def __post_init__(self) -> None:
        self.image_mask = self.mask
        super().__post_init__()
        if self.mask_blur is not None:
            self.mask_blur_x = self.mask_blur_y = self.mask_blur

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Read, resize, mask and encode the init pictures."""
        from modules.pipeline.img2img import prepare_img2img

        prepare_img2img(self.run)

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """As for txt2img, with a setting of its own before the common one, unless the request overrides that."""
        settings = self.run.settings
        overridden = settings.token_merging_ratio if "token_merging_ratio" in self.override_settings else 0
        return float(self.token_merging_ratio or overridden or settings.token_merging_ratio_img2img or settings.token_merging_ratio)

    def sample(self, *_: Any, **__: Any) -> Samples:
        """Latents of the current batch."""
        from modules.pipeline.sample import sample_img2img

        return sample_img2img(self.run)


def fix_seed(seed: Any) -> int:
    """The seed to use: a number as it is; -1, empty, None or nonsense become a random one in [0, 4294967293]."""
    try:
        seed = int(seed)
    except (TypeError, ValueError):
        seed = -1
    return random.randrange(MAX_SEED) if seed == -1 else seed


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
