"""The Extras routes over a real engine."""

from __future__ import annotations

import base64
import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.server.app import create_app
from modules.settings.store import Options

SINGLE, BATCH = "/sdapi/v1/extra-single-image", "/sdapi/v1/extra-batch-images"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    flags = Namespace(api=True, nowebui=True, port=None, use_cpu=["all"])
    engine = Engine(flags, Paths(tmp_path, tmp_path / "models"), Options(tmp_path / "config.json"))
    with TestClient(create_app(engine, flags), base_url="http://127.0.0.1:7861", raise_server_exceptions=False) as client:
        yield client
    engine.close()


def encoded(width: int = 20, height: int = 12) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(2).integers(0, 255, (height, width, 3), dtype=np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_picture_comes_back_enlarged(client: TestClient) -> None:
    answer = client.post(SINGLE, json={"image": encoded(), "upscaling_resize": 2, "upscaler_1": "Lanczos"})
    assert answer.status_code == 200
    assert answer.json()["html_info"] == "<p>Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos</p>"
    image = decoded(answer.json()["image"])
    assert image.size == (40, 24)
    assert image.info["postprocessing"] == "Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos"


def test_a_blend_to_a_size(client: TestClient) -> None:
    body = {"resize_mode": 1, "upscaling_resize_w": 64, "upscaling_resize_h": 32, "upscaler_1": "Lanczos", "upscaler_2": "Nearest"}
    answer = client.post(SINGLE, json={"image": encoded(), **body, "extras_upscaler_2_visibility": 0.5}).json()
    expected = "Postprocess upscale to: 64x32, Postprocess crop to: 64x32, Postprocess upscaler: Lanczos, Postprocess upscaler 2: Nearest"
    assert answer["html_info"] == f"<p>{expected}</p>"
    assert decoded(answer["image"]).size == (64, 32)


def test_a_batch(client: TestClient) -> None:
    files = [{"data": encoded(), "name": "a.png"}, {"data": encoded(10, 10), "name": "b.png"}]
    answer = client.post(BATCH, json={"imageList": files, "upscaler_1": "Nearest", "upscaling_resize": 1.6}).json()
    assert [decoded(text).size for text in answer["images"]] == [(32, 16), (16, 16)]
    assert client.post(BATCH, json={"imageList": []}).json() == {"html_info": "<p></p>", "images": []}


def test_without_results_only_the_text_comes_back(client: TestClient) -> None:
    answer = client.post(SINGLE, json={"image": encoded(), "upscaler_1": "Lanczos", "show_extras_results": False}).json()
    assert answer == {"html_info": "<p>Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos</p>"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"image": "zzzz"}, "image: Invalid encoded image"),
        ({}, "image: Invalid encoded image"),
        ({"upscaler_1": "Nope"}, "could not find upscaler named Nope"),
        ({"upscaler_2": "Nope"}, "could not find upscaler named Nope"),
        ({"upscaler_1": "DAT x4"}, "put it into"),
        ({"gfpgan_visibility": 1}, "GFPGAN needs GFPGANv1.4.pth"),
        ({"codeformer_visibility": 1.5}, "codeformer_visibility"),
        ({"resize_mode": 2}, "resize_mode"),
        ({"upscaling_resize": 0}, "upscaling_resize"),
        ({"upscaling_resize_w": 0}, "upscaling_resize_w"),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 900}, "million pixels"),
        ({"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 10**9}, "million pixels"),
    ],
)
def test_mistakes_are_422_and_name_what_is_wrong(client: TestClient, body: dict[str, Any], told: str) -> None:
    image = {} if body == {} else {"image": encoded(200, 120)}
    answer = client.post(SINGLE, json={**image, **body})
    assert answer.status_code == 422
    assert told in answer.text


def test_batch_entries_need_both_members(client: TestClient) -> None:
    assert client.post(BATCH, json={"imageList": [{"data": encoded()}]}).status_code == 422
    assert client.post(BATCH, json={}).status_code == 422
    answer = client.post(BATCH, json={"imageList": [{"data": encoded(), "name": ""}, {"data": "zz", "name": ""}]})
    assert "imageList[1].data" in answer.text


def test_lists(client: TestClient) -> None:
    upscalers = client.get("/sdapi/v1/upscalers").json()
    assert upscalers[1] == {"name": "Lanczos", "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}
    assert next(entry for entry in upscalers if entry["name"] == "DAT x3")["model_path"].startswith("https://")
    assert client.get("/sdapi/v1/face-restorers").json() == [{"name": "CodeFormer", "cmd_dir": None}, {"name": "GFPGAN", "cmd_dir": None}]
    assert len(client.get("/sdapi/v1/realesrgan-models").json()) == 6
