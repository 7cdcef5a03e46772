"""What a job works out from its request before and while it runs; the request itself stays as it was given."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from modules.diffusion.options import RequestFields, SamplingOptions
from modules.diffusion.samplers.registry import SamplerInfo, resolve
from modules.diffusion.schedulers import Scheduler
from modules.pipeline.processing import StableDiffusionProcessing, fix_seed
from modules.prompt.comments import strip_comments
from modules.prompt.styles import StyleDatabase
from modules.settings.store import SettingsView

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.runtime import Runtime


@dataclass
class Run:
    """One job: settings in force, model, and the lists with an entry for every picture."""

    p: StableDiffusionProcessing
    runtime: Runtime
    settings: SettingsView
    model: DiffusionModel
    sampler: SamplerInfo
    scheduler: Scheduler
    all_prompts: list[str]
    all_negative_prompts: list[str]
    all_seeds: list[int]
    all_subseeds: list[int]
    main_prompt: str
    main_negative_prompt: str
    tiling: bool
    eta: float = 1.0
    """The η the sampler uses; known once the pass is planned."""
    extra_params: dict[str, Any] = field(default_factory=dict)
    """Infotext keys that stages of the job set, in the order in which they are first set."""

    @classmethod
    def prepare(cls, p: StableDiffusionProcessing, runtime: Runtime) -> Run:
        """Resolve overrides, model, names, seeds and prompts; raises for anything the job cannot run with."""
        settings = SettingsView(runtime.options, _overrides(p, runtime))
        model = runtime.load_model(settings.sd_model_checkpoint)
        sampler, scheduler = resolve(p.sampler_name or _legacy_name(p), p.scheduler)
        count = p.batch_size * p.n_iter
        prompts, negatives = _styled(p, runtime, count)
        seed, subseed = _first(p.seed), _first(p.subseed)
        varied = p.subseed_strength != 0
        comments_on = bool(settings.enable_prompt_comments)
        return cls(
            p=p,
            runtime=runtime,
            settings=settings,
            model=model,
            sampler=sampler,
            scheduler=scheduler,
            all_prompts=[strip_comments(text) if comments_on else text for text in prompts],
            all_negative_prompts=[strip_comments(text) if comments_on else text for text in negatives],
            all_seeds=[seed + (0 if varied else i) for i in range(count)],
            all_subseeds=[subseed + i for i in range(count)],
            main_prompt=strip_comments(prompts[0]) if comments_on else prompts[0],
            main_negative_prompt=strip_comments(negatives[0]) if comments_on else negatives[0],
            tiling=bool(settings.tiling if p.tiling is None else p.tiling),
        )

    @property
    def sampling_options(self) -> SamplingOptions:
        """The settings that sampling depends on."""
        return SamplingOptions.from_settings({f.name: getattr(self.settings, f.name, None) for f in fields(SamplingOptions)})

    @property
    def request_fields(self) -> RequestFields:
        p = self.p
        return RequestFields(eta=p.eta, s_churn=p.s_churn, s_tmin=p.s_tmin, s_tmax=p.s_tmax, s_noise=p.s_noise)

    def keep(self, infotext: dict[str, Any]) -> None:
        """Add infotext keys; a key set before stays in its place."""
        self.extra_params.update(infotext)

    def batch(self, iteration: int) -> slice:
        """The pictures of one batch within the job's lists."""
        size = self.p.batch_size
        return slice(iteration * size, (iteration + 1) * size)


def _overrides(p: StableDiffusionProcessing, runtime: Runtime) -> dict[str, Any]:
    """The request's overrides without a checkpoint nobody knows.  # A1111: such an override is dropped; here with a remark"""
    overrides = dict(p.override_settings)
    name = overrides.get("sd_model_checkpoint")
    if name is not None and not runtime.knows_checkpoint(str(name)):
        p.comment(f"checkpoint '{name}' was not found; the selected one was used")
        del overrides["sd_model_checkpoint"]
    return overrides


def _legacy_name(p: StableDiffusionProcessing) -> str | None:
    return p.sampler_index if isinstance(p.sampler_index, str) else None


def _first(seed: Any) -> int:
    return fix_seed(seed[0] if isinstance(seed, list) else seed)


def _styled(p: StableDiffusionProcessing, runtime: Runtime, count: int) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts of every picture with the styles merged in."""
    prompts = list(p.prompt) if isinstance(p.prompt, list) else [p.prompt] * count
    negatives = list(p.negative_prompt) if isinstance(p.negative_prompt, list) else [p.negative_prompt] * len(prompts)
    if p.styles:
        styles = StyleDatabase(runtime.styles_files or [runtime.data_dir / "styles.csv"])
        prompts = [styles.apply_styles_to_prompt(text, p.styles) for text in prompts]
        negatives = [styles.apply_negative_styles_to_prompt(text, p.styles) for text in negatives]
    return prompts, negatives
