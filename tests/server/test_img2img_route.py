"""The img2img route: what it takes, what it hands to the engine and what it answers."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from golden_data import golden
from PIL import Image

URL = "/sdapi/v1/img2img"
ORIENTATION = 0x0112
SCHEMA = "StableDiffusionProcessingImg2Img"


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


WHITE = encoded(Image.new("RGB", (16, 8), "white"))


def test_pictures_reach_the_engine_upright_and_decoded(client, engine) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    body = {"init_images": [f"data:image/jpeg;base64,{encoded(Image.new('RGB', (16, 8)), 'JPEG', exif=exif)}"], "mask": WHITE}
    answer = client.post(URL, json={**body, "latent_mask": WHITE, "mask_blur": 3, "inpainting_mask_invert": True, "steps": 1})
    assert answer.status_code == 200
    request = engine.requests[0]
    assert request.init_images[0].size == (8, 16) and request.image_mask.size == (16, 8) == request.latent_mask.size
    assert (request.mask_blur_x, request.mask_blur_y, request.inpainting_mask_invert) == (3, 3, 1)
    assert (request.denoising_strength, request.inpainting_fill, request.inpaint_full_res) == (0.75, 0, True)


@pytest.mark.parametrize("include", [False, True])
def test_the_echo_has_the_pictures_only_when_asked_for(client, include: bool) -> None:
    body = {"init_images": [WHITE], "mask": WHITE, "include_init_images": include}
    echo = client.post(URL, json=body).json()["parameters"]
    assert (echo["init_images"], echo["mask"]) == (([WHITE], WHITE) if include else (None, None))


def test_the_echo_is_as_recorded(client) -> None:
    folder = golden("cases", "inpaint", "blur4")
    payload = json.loads((folder / "payload.json").read_text())["payload"] | {"init_images": [WHITE], "mask": WHITE}
    recorded = json.loads((folder / "response.json").read_text())["other"]["parameters"]
    echo = client.post(URL, json=payload).json()["parameters"]
    assert echo == recorded
    assert list(echo) == list(recorded)


def test_fields_are_those_of_the_recorded_openapi(client) -> None:
    recorded = json.loads(golden("lists", "openapi.json").read_text())["components"]["schemas"][SCHEMA]
    ours = client.get("/openapi.json").json()["components"]["schemas"][SCHEMA]
    assert list(ours["properties"]) == list(recorded["properties"])
    for name, field in recorded["properties"].items():
        assert ours["properties"][name].get("default") == field.get("default") or name in ("alwayson_scripts", "script_args"), name


@pytest.mark.parametrize("body", [{}, {"init_images": None}])
def test_without_a_picture_nothing_is_found(client, body: dict[str, Any]) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == 404 and answer.json()["detail"] == "Init image not found"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"init_images": [""]}, "init_images[0]"),
        ({"init_images": [WHITE, 5]}, "init_images[1]"),
        ({"init_images": ["bm8gcGljdHVyZQ=="]}, "init_images[0]"),
        ({"init_images": ["http://127.0.0.1/x.png"]}, "init_images[0]"),
        ({"init_images": [WHITE], "mask": "https://example.com/x.png"}, "mask"),
        ({"init_images": [WHITE], "mask": "?"}, "mask"),
        ({"init_images": [WHITE], "denoising_strength": None}, "denoising_strength"),
        ({"init_images": WHITE}, "init_images"),
        ({"init_images": [WHITE], "include_init_images": None}, "include_init_images"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(client, engine, body: dict[str, Any], name: str) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == 422 and name.split("[")[0] in answer.text
    assert not engine.requests


def test_null_means_the_default(client, engine) -> None:
    names = ("resize_mode", "mask_blur_x", "mask_round", "inpainting_fill", "inpaint_full_res", "inpainting_mask_invert")
    assert client.post(URL, json={"init_images": [WHITE], **dict.fromkeys(names)}).status_code == 200
    request = engine.requests[0]
    assert [getattr(request, name) for name in names] == [0, 4, True, 0, True, 0]


def test_an_infotext_gives_steps_and_seed_but_no_prompt(client, engine) -> None:
    told = "a dog\nSteps: 7, Sampler: DDIM, CFG scale: 3, Seed: 77, Size: 64x128, Denoising strength: 0.2"
    assert client.post(URL, json={"init_images": [WHITE], "infotext": told}).status_code == 200
    request = engine.requests[0]
    assert (request.steps, request.sampler_name, request.seed) == (7, "DDIM", 77)
    assert (request.prompt, request.cfg_scale, request.width, request.denoising_strength) == ("", 7.0, 512, 0.75)
