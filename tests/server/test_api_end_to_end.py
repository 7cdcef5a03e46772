"""The API over the real engine and a tiny checkpoint, against a recorded picture."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
from pathlib import Path

import pytest
from golden_data import golden
from PIL import Image, ImageChops, ImageStat
from starlette.testclient import TestClient

from modules import flags as server_flags

CHECKPOINT = "models/Stable-diffusion/tiny-sd1.safetensors"


@pytest.fixture
def real_client(tiny_data: Path):
    pytest.importorskip("torch")
    if not (tiny_data / CHECKPOINT).exists():
        pytest.skip("no tiny-sd1 among the packed goldens")
    from modules.engine.engine import Engine
    from modules.server.app import create_app

    words = ["--nowebui", "--data-dir", str(tiny_data), "--no-half", "--precision", "full", "--use-cpu", "all"]
    flags = server_flags.parse(words)
    engine = Engine(flags)
    with TestClient(create_app(engine, flags), base_url="http://127.0.0.1:7861") as client:
        client.post("/sdapi/v1/options", json={"randn_source": "CPU", "sd_model_checkpoint": "tiny-sd1"})
        yield client
        engine.close()


def psnr(one: Image.Image, other: Image.Image) -> float:
    squares = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).sum2
    mean = sum(squares) / (3 * one.width * one.height)
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_recorded_picture_comes_back(real_client, tiny_data) -> None:
    case = golden("cases", "misc", "steps1")
    payload = json.loads((case / "payload.json").read_text())["payload"]
    answer = real_client.post("/sdapi/v1/txt2img", json={**payload, "save_images": True})
    assert answer.status_code == 200, answer.text
    image = opened(answer.json()["images"][0])
    with Image.open(case / "0.png") as recorded:
        assert psnr(image, recorded) > 40
    told = json.loads(answer.json()["info"])["infotexts"][0]
    wanted = json.loads((case / "info.json").read_text())["infotexts"][0]
    assert told.partition(", Version")[0] == wanted.partition(", Version")[0]
    assert image.info["parameters"] == told
    saved = list((tiny_data / "outputs" / "txt2img-images").rglob("00000-*.png"))
    assert len(saved) == 1
    again = real_client.post("/sdapi/v1/png-info", json={"image": base64.b64encode(saved[0].read_bytes()).decode()}).json()
    assert again["info"] == told


def test_interrupting_ends_a_long_job(real_client) -> None:
    answers: list = []
    body = {"steps": 5000, "width": 64, "height": 64, "seed": 1}
    thread = threading.Thread(target=lambda: answers.append(real_client.post("/sdapi/v1/txt2img", json=body)))
    thread.start()
    while thread.is_alive():
        progress = real_client.get("/sdapi/v1/progress?skip_current_image=true").json()
        if progress["state"]["sampling_step"] > 0:
            real_client.post("/sdapi/v1/interrupt")
        thread.join(0.1)
    assert answers[0].status_code == 200 and len(answers[0].json()["images"]) == 1
    assert real_client.get("/sdapi/v1/progress").json()["state"]["interrupted"] is True
    assert real_client.get("/sdapi/v1/progress").json()["progress"] == 0
