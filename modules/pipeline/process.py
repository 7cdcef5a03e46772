"""`process_images`: a request in, pictures with their recipes out. The order of the hooks is platform.md §4.9's of the reference."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules import events
from modules.pipeline.care import careful
from modules.pipeline.finish import Finisher
from modules.pipeline.optimizations import HyperTile
from modules.pipeline.pixels import to_unit
from modules.pipeline.processed import Processed
from modules.pipeline.recipe import create_infotext
from modules.pipeline.run import Run
from modules.pipeline.sample import Samples, batch_noise
from modules.pipeline.save import make_grid, save_params
from modules.prompt.extra_networks import parse_prompts

if TYPE_CHECKING:
    from modules.pipeline.processing import StableDiffusionProcessing
    from modules.pipeline.runtime import Runtime

log = logging.getLogger(__name__)


def run_request(p: StableDiffusionProcessing, runtime: Runtime) -> Processed:
    """Run a request with its selected script, if it has one; see `process_images`."""
    with runtime.active():
        result = p.scripts.run(p, *p.script_args) if p.scripts is not None else None
        return result if isinstance(result, Processed) else process_images(p, runtime)


def process_images(p: StableDiffusionProcessing, runtime: Runtime) -> Processed:
    """Run a request to its end, or to the point where the job is stopped; what is finished by then is returned.

    Raises RequestError, PromptError, WeightsError or SettingError for what the user can mend.
    """
    p.hook("before_process")
    p.validate()
    state = runtime.state
    state.textinfo = "Loading the checkpoint…"
    run = Run.prepare(p, runtime)
    state.textinfo = None
    if state.job_count <= 0:
        state.job_count = p.n_iter
    try:
        p.hook("process")
        run.hypertile = HyperTile.of(run)
        with torch.inference_mode(), careful(run):
            p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
            finisher = _all_batches(run)
    finally:
        try:
            run.use(run.main_model)
        finally:
            if runtime.networks is not None:
                runtime.networks.deactivate()
    p.color_corrections = None  # a script may run the request again, with another init picture
    result = _finished(run, finisher)
    p.hook("postprocess", result)
    return result


def _all_batches(run: Run) -> Finisher:
    p, state, finisher = run.p, run.runtime.state, Finisher(run)
    for iteration in range(p.n_iter):
        state.skipped = False
        if state.interrupted or state.stopping_generation:
            break
        run.use(run.main_model)
        p.iteration = iteration
        if not _prepare_batch(run):
            break
        if p.n_iter > 1:
            state.job = f"Batch {iteration + 1} out of {p.n_iter}"
        run.runtime.last_seed = p.seeds[-1]
        finisher.batch(_sampled(run))
        state.nextjob()
    return finisher


def _prepare_batch(run: Run) -> bool:
    """Set the batch's prompts, seeds and noise on the request and its networks on the model; False when there is nothing to draw."""
    p = run.p
    set_batch_lists(p)
    if not p.prompts:
        return False
    p.rng = batch_noise(run, p.height // 8, p.width // 8)
    told: dict[str, Any] = {"batch_number": p.iteration, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}
    p.hook("before_process_batch", **told)
    p.prompts, p.extra_network_data = parse_prompts(p.prompts)
    if getattr(p, "enable_hr", False):
        rows = slice(p.iteration * p.batch_size, (p.iteration + 1) * p.batch_size)
        p.hr_prompts, p.hr_extra_network_data = parse_prompts(p.all_hr_prompts[rows])  # type: ignore[attr-defined]
        p.hr_negative_prompts = p.all_hr_negative_prompts[rows]  # type: ignore[attr-defined]
    run.activate_networks()
    told["prompts"] = p.prompts
    if not p.disable_extra_networks:
        p.hook("after_extra_networks_activate", **told, extra_network_data=p.extra_network_data)
    p.hook("process_batch", **told)
    p.setup_conds()
    if p.iteration == 0:
        save_params(run)
    return True


def set_batch_lists(p: StableDiffusionProcessing) -> None:
    """The current batch's part of the job's lists."""
    rows = slice(p.iteration * p.batch_size, (p.iteration + 1) * p.batch_size)
    p.prompts, p.negative_prompts = p.all_prompts[rows], p.all_negative_prompts[rows]
    p.seeds, p.subseeds = p.all_seeds[rows], p.all_subseeds[rows]


def _sampled(run: Run) -> Tensor:
    """The decoded pictures [B, 3, H, W] in 0..1 of the current batch."""
    p = run.p
    samples = p.sample(p.c, p.uc, p.seeds, p.subseeds, p.subseed_strength, p.prompts)
    if p.scripts is not None:
        args = events.PostSampleArgs(DecodedSamples(samples.tensor) if samples.decoded else samples.tensor)
        p.hook("post_sample", args)
        samples = _after_scripts(args.samples)
    decoded = samples.tensor if samples.decoded else run.decode(samples.tensor, "picture")
    return to_unit(decoded)


class DecodedSamples(list[Tensor]):
    """Pictures [3, H, W] in -1..1 where scripts else find latents."""

    already_decoded = True


def _after_scripts(samples: Any) -> Samples:
    if getattr(samples, "already_decoded", False):
        return Samples(torch.stack(list(samples)), decoded=True)
    return Samples(samples)


def _finished(run: Run, finisher: Finisher) -> Processed:
    p, images, infotexts, first = run.p, finisher.images, finisher.infotexts, 0
    text = create_infotext(run, 0, use_main_prompt=True)
    if grid := make_grid(run, images):
        images, infotexts, first = [grid, *images], [text, *infotexts], 1
    result = Processed(p, images, p.all_seeds[0], text, p.all_subseeds[0], index_of_first_image=first, infotexts=infotexts)
    result.paths = finisher.paths
    return result
