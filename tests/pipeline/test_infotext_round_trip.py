"""Whatever a request says, its infotext says, and the API reads the same request out of it again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.diffusion.samplers.registry import SAMPLERS, resolve
from modules.diffusion.schedulers import SCHEDULERS
from modules.imaging.infotext import NEGATIVE_MARKER
from modules.imaging.infotext_rules import parse_generation_parameters
from modules.pipeline.hires import prepare_hires
from modules.pipeline.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from modules.pipeline.recipe import create_infotext
from modules.pipeline.run import Run
from modules.server import models
from modules.server.infotext_field import with_infotext
from modules.settings.store import Options, SettingsView

OPTIONS = Options()
MANY = settings(max_examples=200)


def normal(text: str) -> str:
    """What an infotext can hold: lines without blanks around them, and none before the first or after the last."""
    return "\n".join(line.strip() for line in text.replace("\r", "").split("\n")).strip()


def tellable(text: str) -> bool:
    """No line that looks like the mark of the negative prompt."""
    return not any(line.startswith(NEGATIVE_MARKER) for line in text.split("\n"))


def one_value(text: str) -> bool:
    """A value that stands behind a key: one in quotes or of the form 12x34 is read as something else, in A1111 too."""
    return not (text.startswith('"') and text.endswith('"')) and not text.replace("x", "").isdigit()


words = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), max_size=60),
    st.sampled_from(("a cat, (red:1.2) [dog]", "Steps: 20, Sampler: Euler, Seed: 1", "line\n\nline",
                     "<lora:x:1>, AND b", "#not a comment", "猫, 'q' \"q\"")),
)  # fmt: skip
prompts = words.map(normal).filter(tellable)
values = prompts.filter(one_value)
shares = st.floats(0, 1)
seeds = st.integers(0, 2**63)
sides = st.integers(1, 512).map(lambda n: n * 8)
samplers = st.sampled_from([sampler.label for sampler in SAMPLERS])
schedulers = st.sampled_from([scheduler.label for scheduler in SCHEDULERS])

first_pass = st.fixed_dictionaries(
    {
        "prompt": prompts, "negative_prompt": prompts, "steps": st.integers(1, 10_000), "sampler_name": samplers, "scheduler": schedulers,
        "cfg_scale": st.floats(0, 1000), "seed": seeds, "width": sides, "height": sides, "subseed": seeds, "subseed_strength": shares,
        "seed_resize_from_w": st.integers(0, 4096), "seed_resize_from_h": st.integers(0, 4096),
    }
)  # fmt: skip
second_pass = st.fixed_dictionaries(
    {
        "enable_hr": st.just(True), "denoising_strength": shares, "hr_scale": st.floats(1, 8),
        "hr_upscaler": st.sampled_from(("Latent", "None")),
        "hr_second_pass_steps": st.integers(0, 150), "hr_resize_x": st.integers(0, 4096), "hr_resize_y": st.integers(0, 4096),
        "hr_sampler_name": st.none() | samplers, "hr_prompt": values, "hr_negative_prompt": values,
        "hr_checkpoint_name": st.none() | st.just("a, b [0123456789]"),
    }
)  # fmt: skip
overridden = st.fixed_dictionaries(
    {},
    optional={
        "CLIP_stop_at_last_layers": st.integers(1, 12), "randn_source": st.sampled_from(("GPU", "CPU", "NV")), "tiling": st.booleans(),
        "token_merging_ratio": shares, "token_merging_ratio_hr": shares,
    },
)  # fmt: skip


def run_of(p: Any, overrides: dict[str, Any]) -> Run:
    """The job of a request, as far as its infotext goes: nothing is loaded, no picture is made."""
    model = SimpleNamespace(name="a, model", shorthash="0123456789", vae_hash=None, vae_name=None, storage=None, is_edit=False)
    runtime = SimpleNamespace(
        upscaler_names=lambda: ["None"], upscalers=None, knows_checkpoint=lambda _: True, checkpoint_title=str,
        state=SimpleNamespace(job_count=1), data_dir=Path("nowhere"), styles_files=[], options=OPTIONS,
    )  # fmt: skip
    view = SettingsView(OPTIONS, {"enable_prompt_comments": False, **overrides})
    sampler, scheduler = resolve(p.sampler_name, p.scheduler)
    run = Run(p, runtime, view, model, model, sampler, scheduler, bool(view.tiling))  # type: ignore[arg-type]
    p.run, p.restore_faces = run, False
    p.all_prompts, p.all_negative_prompts, p.all_seeds, p.all_subseeds = [p.prompt], [p.negative_prompt], [p.seed], [p.subseed]
    p.main_prompt, p.main_negative_prompt = p.prompt, p.negative_prompt
    return run


def same(body: Any, p: Any, *names: str) -> None:
    assert {name: getattr(body, name) for name in names} == {name: getattr(p, name) for name in names}


def check_common(body: Any, p: Any) -> None:
    same(body, p, "steps", "sampler_name", "scheduler", "seed")
    if p.subseed_strength:
        same(body, p, "subseed", "subseed_strength")
    if p.seed_resize_from_w > 0 and p.seed_resize_from_h > 0:  # A1111: the API's field reads the sides the other way round
        assert (body.seed_resize_from_h, body.seed_resize_from_w) == (p.seed_resize_from_w, p.seed_resize_from_h)


@MANY
@given(first_pass, overridden)
def test_a_request_comes_back(fields: dict[str, Any], overrides: dict[str, Any]) -> None:
    p = StableDiffusionProcessingTxt2Img(**fields)
    text = create_infotext(run_of(p, overrides), 0)
    body = with_infotext(models.StableDiffusionProcessingTxt2Img(infotext=text), OPTIONS, None)
    same(body, p, "prompt", "negative_prompt", "cfg_scale", "width", "height")
    check_common(body, p)
    assert not body.enable_hr
    hires_only = {"token_merging_ratio_hr"}
    wanted = {key: value for key, value in overrides.items() if value != getattr(OPTIONS, key) and key not in hires_only}
    assert body.override_settings == wanted


@MANY
@given(first_pass, second_pass)
def test_a_request_with_a_second_pass_comes_back(fields: dict[str, Any], hires: dict[str, Any]) -> None:
    p = StableDiffusionProcessingTxt2Img(**fields, **hires)
    run = run_of(p, {})
    prepare_hires(run)
    if (scheduler := run.p.extra_generation_params.pop("Hires schedule type", None)) is not None:
        assert scheduler
    body = with_infotext(models.StableDiffusionProcessingTxt2Img(infotext=create_infotext(run, 0)), OPTIONS, None)
    check_common(body, p)
    same(body, p, "prompt", "negative_prompt", "width", "height", "denoising_strength", "enable_hr", "hr_upscaler")
    same(body, p, "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_checkpoint_name")
    assert (body.hr_prompt or p.prompt, body.hr_negative_prompt or p.negative_prompt) == (
        p.hr_prompt or p.prompt,
        p.hr_negative_prompt or p.negative_prompt,
    )
    assert (body.hr_sampler_name or p.sampler_name) == (p.hr_sampler_name or p.sampler_name)
    if not p.hr_resize_x and not p.hr_resize_y:
        same(body, p, "hr_scale")


@MANY
@given(first_pass, shares)
def test_an_img2img_request_comes_back_as_far_as_the_api_reads_it(fields: dict[str, Any], strength: float) -> None:
    p = StableDiffusionProcessingImg2Img(**fields, denoising_strength=strength, init_images=[])
    text = create_infotext(run_of(p, {}), 0)
    check_common(with_infotext(models.StableDiffusionProcessingImg2Img(infotext=text), OPTIONS, None), p)
    told = parse_generation_parameters(text)
    assert (told["Prompt"], told["Negative prompt"]) == (p.prompt, p.negative_prompt)
    assert (float(told["Denoising strength"]), float(told["CFG scale"])) == (strength, p.cfg_scale)
    assert (int(told["Size-1"]), int(told["Size-2"])) == (p.width, p.height)


@MANY
@given(
    st.dictionaries(st.sampled_from(("Refiner", "Lora hashes", "Hires upscaler", "Mask mode", "Script", "X Values")), values.filter(bool))
)
def test_any_extra_field_comes_back(extra: dict[str, str]) -> None:
    p = StableDiffusionProcessingTxt2Img(prompt="x", steps=1, seed=1)
    run = run_of(p, {})
    run.keep(dict(extra))
    told = parse_generation_parameters(create_infotext(run, 0))
    assert {key: told[key] for key in extra} == extra
