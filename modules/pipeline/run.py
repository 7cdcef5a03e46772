"""What a job works out from its request before it runs: settings in force, model, samplers, and the lists kept on the request."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from torch import Generator

from modules.diffusion.options import RequestFields, SamplingOptions
from modules.diffusion.samplers.registry import SamplerInfo, resolve
from modules.diffusion.schedulers import Scheduler
from modules.pipeline.codec import decode_latents
from modules.pipeline.memory import fit
from modules.pipeline.processing import StableDiffusionProcessing, fix_seed
from modules.pipeline.recovery import INFOTEXT, Recovery
from modules.pipeline.state import Interrupted
from modules.prompt.comments import strip_comments
from modules.prompt.styles import StyleDatabase
from modules.settings.store import SettingsView

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image
    from torch import Tensor

    from modules.pipeline.conditions import BatchConditions
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.optimizations import HyperTile, ModelPatches
    from modules.pipeline.runtime import Runtime


@dataclass
class Run:
    """One job: its request, settings in force, and the model in use, which a refiner or a hires checkpoint may change."""

    p: StableDiffusionProcessing
    runtime: Runtime
    settings: SettingsView
    model: DiffusionModel
    main_model: DiffusionModel
    sampler: SamplerInfo
    scheduler: Scheduler
    tiling: bool
    number: int = 0
    """Counts the runs within a job, as a script may start many."""
    eta: float = 1.0
    """The η the sampler uses; known once the pass is planned."""
    uses_inpainting_conditioning: bool = False
    posterior: Generator = field(default_factory=Generator)
    """The stream of the VAE's posterior noise in the current batch."""
    files: int = 0
    """How many files the run has written so far."""
    hypertile: HyperTile | None = None
    patches: list[ModelPatches] = field(default_factory=list)
    """What is on the model in use for the job and for the pass."""
    recovery: Recovery = field(default_factory=Recovery)
    """What was done about failing networks."""
    conditions: dict[Any, tuple[BatchConditions, dict[str, Any]]] = field(default_factory=dict)
    """Conditionings encoded last and the infotext keys they caused, so that batches with equal prompts encode once."""

    @classmethod
    def prepare(cls, p: StableDiffusionProcessing, runtime: Runtime) -> Run:
        """Resolve overrides, model, names, seeds and prompts; raises for anything the job cannot run with."""
        settings = SettingsView(runtime.options, _overrides(p, runtime))
        model = runtime.load_model(settings.sd_model_checkpoint, settings)
        fit(model, settings)
        if model.is_sd3:
            p.width, p.height = p.width // 16 * 16, p.height // 16 * 16
        sampler, scheduler = resolve(p.sampler_name or _legacy_name(p), p.scheduler)
        tiling = bool(settings.tiling if p.tiling is None else p.tiling)
        if p.restore_faces is None:
            p.restore_faces = bool(settings.face_restoration)
        if p.restore_faces and runtime.face_restorers is not None:
            runtime.face_restorers.check(settings.face_restoration_model)
        run = cls(p, runtime, settings, model, model, sampler, scheduler, tiling, runtime.journal.begin_run())
        p.begin()
        p.run, p.sd_model = run, model
        p.seed, p.subseed = _first(p.seed), _first(p.subseed)
        run._set_prompts()
        count = len(p.all_prompts)
        p.all_seeds = _sequence(p.seed, count, 0 if p.subseed_strength != 0 else 1)
        p.all_subseeds = _sequence(p.subseed, count, 1)
        return run

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
        self.p.extra_generation_params.update(infotext)

    def key(self, part: str) -> str:
        """The journal's name for a part of the current batch."""
        return f"{self.number}/{self.p.iteration}/{part}"

    def decode(self, latents: Tensor, part: str) -> Tensor:
        """Pictures [B, 3, H, W] in -1..1 of latents, kept in the journal under the name of the part."""
        pictures = self.runtime.journal.recall(self.key(part), lambda: decode_latents(self, latents), latents.device)
        self.settle(self.key(part))
        return pictures

    def settle(self, key: str) -> None:
        """After an answer of a network: let the journal know what was done to get it, or read there what had been done."""
        if self.hypertile is not None:
            self.hypertile.settle(key)
        journal, done = self.runtime.journal, self.recovery.infotext
        noted = journal.noted(f"{key}/recovery")
        if noted is not None and done is None:
            self.keep({INFOTEXT: noted})
        elif noted is None and done is not None:
            journal.note(f"{key}/recovery", done)

    def check(self, key: str, step: int) -> None:
        """Raise Interrupted or Suspended when the user asked for it, or had asked for it here before a crash."""
        state = self.runtime.state
        state.raise_if_stopped()
        stop = self.runtime.journal.noted(f"{key}/stopped")
        if stop is not None and stop["step"] == step:
            state.interrupted, state.skipped = stop["interrupted"], stop["skipped"]
            raise Interrupted

    def note_stop(self, key: str, step: int) -> None:
        """Let the journal know that the user stopped a pass after so many evaluations."""
        state = self.runtime.state
        self.runtime.journal.note(f"{key}/stopped", {"step": step, "interrupted": state.interrupted, "skipped": state.skipped})

    def use(self, model: DiffusionModel) -> None:
        """Go on with another model: a refiner's, the second pass', or the main one again."""
        if model is not self.model:
            self.runtime.use_model(model)
            fit(model, self.settings)
        self.model = self.p.sd_model = model
        for patches in self.patches:
            patches.follow(model)

    def styled(self, prompt: str | list[str], negative: str | list[str], count: int) -> tuple[list[str], list[str]]:
        """Prompts and negative prompts of every picture with the styles merged in and comments removed."""
        prompts = list(prompt) if isinstance(prompt, list) else [prompt] * count
        negatives = list(negative) if isinstance(negative, list) else [negative] * len(prompts)
        if self.p.styles:
            styles = StyleDatabase(self.runtime.styles_files or [self.runtime.data_dir / "styles.csv"])
            prompts = [styles.apply_styles_to_prompt(text, self.p.styles) for text in prompts]
            negatives = [styles.apply_negative_styles_to_prompt(text, self.p.styles) for text in negatives]
        if self.settings.enable_prompt_comments:
            prompts, negatives = [strip_comments(text) for text in prompts], [strip_comments(text) for text in negatives]
        return prompts, negatives

    @property
    def saves_samples(self) -> bool:
        """Whether pictures of this job are written; an interrupted batch's only where the setting says so."""
        state, p = self.runtime.state, self.p
        whole = self.settings.save_incomplete_images or not (state.interrupted or state.skipped)
        return bool(self.settings.samples_save and not p.do_not_save_samples and whole)

    def activate_networks(self) -> None:
        """Put the networks of the pass's prompts on the model in use; before the second pass the scripts hear of it again."""
        p = self.p
        if p.disable_extra_networks:
            return
        wanted = p.hr_extra_network_data if p.is_hr_pass else p.extra_network_data  # type: ignore[attr-defined]
        if self.runtime.networks is not None:
            active = self.runtime.networks.activate(self.model, wanted, self.settings)
            self.keep(active.infotext_after(p.extra_generation_params if p.is_hr_pass else {}))
            if active.prompt_tags and not p.is_hr_pass:
                p.all_prompts = [prompt + active.prompt_tags for prompt in p.all_prompts]
            for remark in active.comments:
                p.comment(remark)

    def upscaler(self, name: str | None) -> Callable[[Image.Image, float], Image.Image] | None:
        """What enlarges a picture by a factor under this name; None for "None" and no name."""
        upscalers = self.runtime.upscalers
        if name in (None, "", "None") or upscalers is None:
            return None
        return lambda image, scale: upscalers.upscale(image, scale, name, self.settings)

    def _set_prompts(self) -> None:
        p = self.p
        p.all_prompts, p.all_negative_prompts = self.styled(p.prompt, p.negative_prompt, p.batch_size * p.n_iter)
        p.main_prompt, p.main_negative_prompt = p.all_prompts[0], p.all_negative_prompts[0]


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


def _first(seed: Any) -> Any:
    """A list of seeds as it is; one seed made concrete."""
    return [fix_seed(entry) for entry in seed] if isinstance(seed, list) else fix_seed(seed)


def _sequence(seed: Any, count: int, step: int) -> list[int]:
    """A seed for every picture: the list that was given, else numbers that go on from the first."""
    return list(seed) if isinstance(seed, list) else [seed + step * index for index in range(count)]
