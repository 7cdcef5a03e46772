"""The txt2img route: what it takes, what it hands to the engine and what it answers."""

from __future__ import annotations

import base64
import io
import json
import threading

import pytest
from golden_data import golden
from PIL import Image

URL = "/sdapi/v1/txt2img"


def open_answer(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_answer_has_pictures_echo_and_info(client) -> None:
    answer = client.post(URL, json={"prompt": "a cat", "steps": 2, "width": 64, "height": 32, "unknown": 1})
    assert answer.status_code == 200
    body = answer.json()
    image = open_answer(body["images"][0])
    assert image.size == (64, 32) and image.info["parameters"].startswith("a cat\nSteps: 2")
    assert json.loads(body["info"])["infotexts"] == [image.info["parameters"]]
    assert "unknown" not in body["parameters"]


def test_the_echo_is_as_recorded(client) -> None:
    folder = golden("cases", "misc", "defaults")
    payload = json.loads((folder / "payload.json").read_text())["payload"]
    recorded = json.loads((folder / "response.json").read_text())["other"]["parameters"]
    echo = client.post(URL, json={**payload, "send_images": True}).json()["parameters"]
    assert echo == recorded
    assert list(echo) == list(recorded)


def test_fields_are_those_of_the_recorded_openapi(client) -> None:
    recorded = json.loads(golden("lists", "openapi.json").read_text())["components"]["schemas"]["StableDiffusionProcessingTxt2Img"]
    ours = client.get("/openapi.json").json()["components"]["schemas"]["StableDiffusionProcessingTxt2Img"]
    assert set(ours["properties"]) == set(recorded["properties"])
    for name, field in recorded["properties"].items():
        assert ours["properties"][name].get("default") == field.get("default") or name == "alwayson_scripts" or name == "script_args", name


def test_generous_types(client, engine) -> None:
    body = {"steps": "3", "width": 64.7, "height": 64, "prompt": 5, "override_settings": [], "alwayson_scripts": [], "styles": [1]}
    assert client.post(URL, json=body).status_code == 200
    request = engine.requests[0]
    assert (request.steps, request.width, request.prompt, request.override_settings, request.styles) == (3, 64, "5", {}, ["1"])


@pytest.mark.parametrize(
    "body",
    [
        {"steps": "many"},
        {"prompt": ["a"]},
        {"styles": "a"},
        {"send_images": None},
        {"sampler_index": None},
        {"script_args": None},
        {"seed": []},
        [],
    ],
)
def test_wrong_types_are_422(client, body) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


@pytest.mark.parametrize("text", ['{"steps": NaN}', '{"steps": Infinity}', '{"cfg_scale": NaN}', '{"width": 1e999}'])
def test_numbers_that_are_none(client, text: str) -> None:
    assert client.post(URL, content=text, headers={"content-type": "application/json"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"width": -8}, "width"),
        ({"batch_size": 0}, "batch_size"),
        ({"prompt": None}, "prompt"),
        ({"steps": None}, "steps"),
        ({"override_settings": {"clip_stop_at_last_layers": 2}}, "clip_stop_at_last_layers"),
        ({"override_settings": {"randn_source": "XPU"}}, "GPU, CPU, NV"),
        ({"script_name": "no such script"}, "Script 'no such script' not found"),
        ({"alwayson_scripts": {"x": {}}}, "Script 'x' not found"),
    ],
)
def test_mistakes_are_told_and_nothing_runs(client, engine, body, words: str) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert set(answer.json()) == {"error", "detail", "body", "errors"}
    assert engine.requests == []


def test_the_script_error_is_as_recorded(client) -> None:
    recorded = json.loads((golden("cases", "misc", "bad_script") / "response.json").read_text())
    answer = client.post(URL, json={"script_name": "no such script"})
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["error"])


def test_an_error_inside_is_500_with_its_name(client, engine) -> None:
    def fail(job) -> None:
        raise ZeroDivisionError("broken")

    engine.before_finish = fail
    answer = client.post(URL, json={})
    assert answer.status_code == 500
    assert answer.json() == {"error": "ZeroDivisionError", "detail": "", "body": "", "errors": "broken"}
    assert "x-process-time" in answer.headers


def test_sampler_and_saving_fields(client, engine) -> None:
    client.post(URL, json={"sampler_index": "Euler a"})
    client.post(URL, json={"sampler_index": "Euler a", "sampler_name": "LMS", "save_images": True, "do_not_save_samples": True})
    first, second = engine.requests
    assert (first.sampler_name, first.do_not_save_samples, first.do_not_save_grid) == ("Euler a", True, True)
    assert (second.sampler_name, second.do_not_save_samples, second.do_not_save_grid) == ("LMS", False, False)


def test_overrides_that_the_api_may_not_give_are_ignored(client, engine) -> None:
    client.post(URL, json={"override_settings": {"api_useragent": "x", "CLIP_stop_at_last_layers": 2.0}})
    assert engine.requests[0].override_settings == {"CLIP_stop_at_last_layers": 2}


def test_formats_of_the_answer(client, engine) -> None:
    for name, kind in (("jpg", "JPEG"), ("WEBP", "WEBP")):
        engine.options.set("samples_format", name)
        image = open_answer(client.post(URL, json={"prompt": "p"}).json()["images"][0])
        assert image.format == kind
    engine.options.set("samples_format", "gif")
    answer = client.post(URL, json={})
    assert answer.status_code == 422 and "samples_format" in answer.json()["detail"]
    assert len(engine.requests) == 2


def test_pictures_without_infotext_and_no_pictures(client) -> None:
    off = client.post(URL, json={"override_settings": {"enable_pnginfo": False}}).json()
    assert open_answer(off["images"][0]).info == {}
    assert client.post(URL, json={"send_images": False}).json()["images"] == []


def test_infotext_fills_what_was_left_out(client, engine) -> None:
    text = (
        "a cat on a mat\nNegative prompt: bad\nSteps: 5, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 4.5, Seed: 77, "
        "Size: 64x128, Clip skip: 2, Seed resize from: 16x8, Version: v1.10.1"
    )
    body = client.post(URL, json={"infotext": text, "seed": 3, "override_settings": {"CLIP_stop_at_last_layers": 1}}).json()
    request = engine.requests[0]
    assert (request.prompt, request.negative_prompt, request.steps, request.seed) == ("a cat on a mat", "bad", 5, 3)
    assert (request.width, request.height, request.sampler_name, request.scheduler) == (64, 128, "DPM++ 2M", "Karras")
    assert (request.seed_resize_from_h, request.seed_resize_from_w) == (16, 8)
    assert request.override_settings == {"CLIP_stop_at_last_layers": 1}
    assert body["parameters"]["steps"] == 5
    assert client.post(URL, json={"infotext": "only words"}).status_code == 200
    assert engine.requests[1].prompt == "only words"


def test_progress_while_many_wait(client, engine) -> None:
    """More requests than the framework's pool has threads wait, and progress still answers."""
    go, running = threading.Event(), threading.Semaphore(0)

    def wait(job) -> None:
        job.progress.job_count, job.progress.sampling_steps, job.progress.sampling_step = 1, 10, 5
        running.release()
        go.wait(20)

    engine.before_finish = wait
    with client:
        threads = [threading.Thread(target=lambda: client.post(URL, json={"width": 8, "height": 8})) for _ in range(45)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert running.acquire(timeout=20)
        answer = client.get("/sdapi/v1/progress").json()
        assert answer["progress"] == 0.5 and answer["state"]["sampling_step"] == 5
        assert client.post("/sdapi/v1/interrupt").json() == {}
        assert client.post("/sdapi/v1/skip").json() is None
        assert engine.current.progress.interrupted and engine.current.progress.skipped
        go.set()
        for thread in threads:
            thread.join(20)


def test_progress_when_idle(client) -> None:
    answer = client.get("/sdapi/v1/progress").json()
    assert (answer["progress"], answer["eta_relative"], answer["current_image"], answer["textinfo"]) == (0, 0, None, None)
    assert list(answer["state"]) == [
        "skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no", "sampling_step", "sampling_steps",
    ]  # fmt: skip
    stamp = client.post("/sdapi/v1/txt2img", json={}) and client.get("/sdapi/v1/progress").json()["state"]["job_timestamp"]
    assert len(stamp) == 14
    assert client.get("/sdapi/v1/progress?skip_current_image=perhaps").status_code == 422


def test_the_preview_is_sent(client, engine) -> None:
    seen = []

    def show(job) -> None:
        job.progress.show(Image.new("RGB", (8, 8), (1, 2, 3)))
        job.progress.textinfo = "busy"
        seen.append(client.get("/sdapi/v1/progress").json())
        seen.append(client.get("/sdapi/v1/progress?skip_current_image=true").json())

    engine.before_finish = show
    client.post(URL, json={})
    assert open_answer(seen[0]["current_image"]).size == (8, 8) and seen[0]["textinfo"] == "busy" and seen[0]["progress"] == 0.01
    assert seen[1]["current_image"] is None
