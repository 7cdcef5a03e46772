"""kill -9 in the middle of a job: the next program goes on where it was, and the pictures are the same to the byte."""

from __future__ import annotations

import base64
import io
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golden_data import data_folder
from PIL import Image

torch = pytest.importorskip("torch")

from modules.diffusion.samplers.registry import SAMPLERS  # noqa: E402
from modules.engine.engine import Engine  # noqa: E402
from modules.engine.jobs import Job  # noqa: E402
from modules.engine.journal import Journal  # noqa: E402
from modules.engine.paths import Paths  # noqa: E402
from modules.server.job_kinds import prepared, register_builders  # noqa: E402
from modules.settings.store import Options  # noqa: E402

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

FLAGS = SimpleNamespace(no_half=True, use_cpu=["all"], precision="full")
SETTINGS = {"sd_model_checkpoint": "tiny-sd1", "randn_source": "CPU", "live_previews_enable": False}
TASK = "task(crash-1)"
SMALL: dict[str, Any] = {"prompt": "a (red:1.2) cat AND a dog", "seed": 11, "width": 64, "height": 64, "save_images": True}
LOADED: dict[str, Any] = {}
"""The models, loaded once for all programs: a forked one has its own copy of the memory."""
QUICK = ("DPM++ 2M", "DPM++ SDE", "UniPC")
ALL = tuple(sampler.label for sampler in SAMPLERS)


@contextmanager
def running(data: Path) -> Iterator[Engine]:
    """An engine over `data` with the tiny checkpoints."""
    models = data_folder("models/Stable-diffusion/tiny-sd1.safetensors") / "models"
    options = Options()
    for name, value in SETTINGS.items():
        options.set(name, value)
    engine = Engine(FLAGS, Paths(data, models, (models / "Stable-diffusion",)), options)
    engine.models = LOADED.setdefault("models", engine.models)
    register_builders(engine)
    try:
        yield engine
    finally:
        engine.close()


def submit(engine: Engine, kind: str, body: dict[str, Any]) -> Job:
    request, stored = prepared(engine, FLAGS, kind, body)
    return engine.submit(request, TASK, body=stored)


def die_after(evaluations: int) -> None:
    """Kill this program with its n-th evaluation, once that is recorded."""
    whole = Journal.evaluation

    def evaluation(journal: Journal, *args: Any) -> Any:
        answer = whole(journal, *args)
        if journal.computed == evaluations:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Journal.evaluation = evaluation  # type: ignore[method-assign]


def in_another_program(work: Callable[[], None]) -> int:
    """Run `work` in a forked program; its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def crash(data: Path, kind: str, body: dict[str, Any], after: int) -> None:
    """Begin a job in another program and have it killed."""

    def work() -> None:
        die_after(after)
        with running(data) as engine:
            submit(engine, kind, body).wait()

    status = in_another_program(work)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def files_of(data: Path) -> dict[str, bytes]:
    return {str(file.relative_to(data)): file.read_bytes() for file in sorted((data / "outputs").rglob("*.png"))}


def undisturbed(data: Path, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, bytes], list[bytes]]:
    """How many evaluations a job takes, the files it leaves, and its pictures."""
    with running(data) as engine:
        job = submit(engine, kind, body)
        result = job.wait(300)
        return job.evaluations[0], files_of(data), [image.tobytes() for image in result.images]


def check(tmp_path: Path, kind: str, body: dict[str, Any]) -> None:
    total, files, pictures = undisturbed(tmp_path / "calm", kind, body)
    assert files
    after = random.Random(str(body)).randrange(1, total)
    data = tmp_path / "crashed"
    crash(data, kind, body, after)
    with running(data) as engine:
        engine.start()
        job = engine.job(TASK)
        assert job is not None and job.source == "api"
        result = job.wait(300)
        assert job.evaluations == (total - after, after)
        assert job.attempts == 2 and job.state == "done"
        assert [image.tobytes() for image in result.images] == pictures
    assert files_of(data) == files
    assert list((data / "queue").rglob("*.bin")) == []


@pytest.mark.parametrize("sampler", QUICK)
def test_quick_samplers(tmp_path: Path, sampler: str) -> None:
    check(tmp_path, "txt2img", {**SMALL, "sampler_name": sampler, "steps": 6})


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [label for label in ALL if label not in QUICK])
def test_every_other_sampler(tmp_path: Path, sampler: str) -> None:
    check(tmp_path, "txt2img", {**SMALL, "sampler_name": sampler, "steps": 6})


def test_batches(tmp_path: Path) -> None:
    """Killed in the third of three batches: the files of the first two are kept, not written again."""
    body = {**SMALL, "sampler_name": "Euler a", "steps": 4, "batch_size": 2, "n_iter": 3}
    total, files, pictures = undisturbed(tmp_path / "calm", "txt2img", body)
    data = tmp_path / "crashed"
    crash(data, "txt2img", body, total - 2)
    early = {path: Path(data / path).stat().st_mtime_ns for path in files_of(data)}
    assert len(early) == 4
    with running(data) as engine:
        engine.start()
        job = engine.job(TASK)
        assert job is not None
        assert [image.tobytes() for image in job.wait(300).images] == pictures
        assert job.evaluations == (2, total - 2)
    assert files_of(data) == files
    assert {path: Path(data / path).stat().st_mtime_ns for path in early} == early


def test_hires_fix(tmp_path: Path) -> None:
    hires = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "hr_second_pass_steps": 4, "denoising_strength": 0.7}
    check(tmp_path, "txt2img", {**SMALL, **hires, "sampler_name": "DPM++ 2S a", "steps": 4})


def png(size: int = 64) -> str:
    image = Image.radial_gradient("L").resize((size, size)).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_img2img(tmp_path: Path) -> None:
    body = {**SMALL, "init_images": [png()], "sampler_name": "DPM++ 2M SDE", "steps": 8, "denoising_strength": 0.9}
    check(tmp_path, "img2img", body)


def test_lora(tmp_path: Path) -> None:
    data_folder("models/Lora/tiny-lora-ab.safetensors")
    check(tmp_path, "txt2img", {**SMALL, "prompt": "a cat <lora:tiny-lora-ab:0.8>", "sampler_name": "Euler a", "steps": 6})


def test_a_crash_twice(tmp_path: Path) -> None:
    body = {**SMALL, "sampler_name": "Heun", "steps": 6}
    total, files, _ = undisturbed(tmp_path / "calm", "txt2img", body)
    data = tmp_path / "crashed"
    crash(data, "txt2img", body, 3)

    def work() -> None:
        die_after(2)
        with running(data) as engine:
            engine.start()
            job = engine.job(TASK)
            assert job is not None
            job.wait()

    assert os.WIFSIGNALED(in_another_program(work))
    with running(data) as engine:
        engine.start()
        job = engine.job(TASK)
        assert job is not None
        job.wait(300)
        assert job.evaluations == (total - 5, 5) and job.attempts == 3
    assert files_of(data) == files


def test_a_seed_left_to_chance_is_drawn_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    crash(data, "txt2img", {**SMALL, "seed": -1, "subseed": -1, "subseed_strength": 0.3, "sampler_name": "Euler", "steps": 5}, 3)
    with running(data) as engine:
        engine.start()
        job = engine.job(TASK)
        assert job is not None
        seed = engine.records.body(job)["seed"]
        assert seed >= 0 and job.wait(300).all_seeds == [seed]
        assert job.evaluations == (2, 3)


def test_after_a_crash_jobs_may_wait_to_be_resumed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    crash(data, "txt2img", {**SMALL, "sampler_name": "Euler", "steps": 5}, 3)
    with running(data) as engine:
        engine.options.set("queue_after_crash", "paused")
        engine.start()
        job = engine.job(TASK)
        assert job is not None and job.state == "paused" and engine.pending() == []
        engine.queue.resume(job)
        job.wait(300)
        assert job.evaluations == (2, 3)


def test_changed_settings_do_not_reach_a_job_that_began_before(tmp_path: Path) -> None:
    body = {**SMALL, "sampler_name": "Euler a", "steps": 5}
    _, files, _ = undisturbed(tmp_path / "calm", "txt2img", body)
    data = tmp_path / "data"
    crash(data, "txt2img", body, 2)
    with running(data) as engine:
        engine.options.set("eta_noise_seed_delta", 31337)
        engine.options.set("samples_format", "jpg")
        engine.start()
        job = engine.job(TASK)
        assert job is not None
        job.wait(300)
    assert files_of(data) == files
