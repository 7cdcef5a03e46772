"""kill -9 on a real server in the middle of a job, over HTTP: after the restart the job goes on to the same bytes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from golden_data import data_folder

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("--nowebui", "--port", "0", "--no-half", "--precision", "full", "--use-cpu", "all", "--skip-load-model-at-start")
JOBS = "/easel/v1/jobs"
PATIENCE = 300.0


@contextmanager
def served(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server over a data folder: the program and its address."""
    words = [sys.executable, str(ROOT / "webui.py"), *FLAGS, "--data-dir", str(data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        try:
            assert program.stdout is not None
            line = next(line for line in program.stdout if "http://" in line)
            yield program, line[line.index("http://") :].strip().removesuffix("/docs")
        finally:
            program.kill()


def asked(address: str, path: str, body: Any = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        data = answer.read()
    return json.loads(data) if answer.headers["content-type"].startswith("application/json") else data


def job_when(address: str, job_id: str, ready: Any) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while not ready(job := asked(address, f"{JOBS}/{job_id}")):
        assert time.monotonic() < end and job["state"] != "failed", job
        time.sleep(0.02)
    return dict(job)


def done(job: dict[str, Any]) -> bool:
    return bool(job["state"] == "done")


@pytest.mark.slow
def test_a_killed_server_goes_on(tiny_data: Path) -> None:
    data_folder("models/Stable-diffusion/tiny-sd1.safetensors")
    (tiny_data / "config.json").write_text(json.dumps({"sd_model_checkpoint": "tiny-sd1", "randn_source": "CPU"}))
    body = {"prompt": "a cat", "sampler_name": "Euler a", "steps": 40, "width": 64, "height": 64, "batch_size": 2, "n_iter": 2}
    at = random.Random(4).randrange(5, 70)
    with served(tiny_data) as (program, address):
        job_id = asked(address, JOBS, {"kind": "txt2img", "request": body})["id"]
        job_when(address, job_id, lambda job: job["evaluations"]["computed"] >= at)
        program.kill()
        program.wait()
    with served(tiny_data) as (_, address):
        job = job_when(address, job_id, done)
        assert job["attempts"] == 2 and job["evaluations"]["replayed"] >= at
        assert sum(job["evaluations"].values()) == 80
        again = job_when(address, asked(address, f"{JOBS}/{job_id}/again", {})["id"], done)
        assert again["evaluations"] == {"computed": 80, "replayed": 0}
        assert len(job["images"]) == len(again["images"]) == 4
        for one, other in zip(job["images"], again["images"], strict=True):
            assert asked(address, one) == asked(address, other)
