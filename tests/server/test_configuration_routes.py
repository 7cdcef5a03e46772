"""Options, flags and lists."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest
from golden_data import golden
from starlette.testclient import TestClient

from modules import flags as server_flags
from modules.server.app import create_app


def test_options_are_those_recorded(client) -> None:
    recorded = json.loads(golden("lists", "options.json").read_text())
    ours = client.get("/sdapi/v1/options").json()
    changed = {"sd_model_checkpoint", "randn_source", "sd_checkpoint_hash"}
    wrong = {
        key: (value, ours.get(key))
        for key, value in recorded.items()
        if key not in changed and not key.endswith("_explanation") and key != "settings_in_ui" and repr(ours.get(key)) != repr(value)
    }
    assert not wrong
    assert all(isinstance(ours[key], str) for key in recorded if key.endswith("_explanation"))


def test_the_whole_answer_can_be_posted_back(client, engine, data) -> None:
    everything = client.get("/sdapi/v1/options").json()
    assert client.post("/sdapi/v1/options", json=everything).status_code == 200
    assert client.get("/sdapi/v1/options").json() == everything
    assert isinstance(engine.options.jpeg_quality, int)


def test_options_are_set_and_saved(client, engine, data) -> None:
    answer = client.post("/sdapi/v1/options", json={"jpeg_quality": 70, "api_useragent": "x"})
    assert (answer.status_code, answer.json()) == (200, None)
    assert engine.options.jpeg_quality == 70 and engine.options.api_useragent == ""
    assert json.loads((data / "config.json").read_text()) == {"jpeg_quality": 70}
    assert client.post("/sdapi/v1/options", json=[]).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"jpeg_quality": 50, "jpg_quality": 3}, "did you mean 'jpeg_quality'"),
        ({"jpeg_quality": 50, "tiling": "perhaps"}, "true or false"),
        ({"jpeg_quality": 50, "sd_model_checkpoint": "three"}, "checkpoint 'three' was not found"),
    ],
)
def test_one_wrong_setting_changes_none(client, engine, data, body, words: str) -> None:
    answer = client.post("/sdapi/v1/options", json=body)
    assert answer.status_code == 422 and words in answer.json()["detail"]
    assert engine.options.jpeg_quality == 80 and not (data / "config.json").exists()


def test_choosing_a_checkpoint_loads_it(client, engine) -> None:
    client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "two"})
    assert engine.options.sd_model_checkpoint == "two.safetensors" and engine.loading == 1
    client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "two.safetensors"})
    assert engine.loading == 1


def test_frozen_settings(client, engine) -> None:
    from modules.settings.store import Freeze

    engine.options.freeze = Freeze(keys=frozenset({"tiling"}))
    answer = client.post("/sdapi/v1/options", json={"jpeg_quality": 9, "tiling": True})
    assert answer.status_code == 403 and "--freeze-specific-settings" in answer.json()["detail"]
    assert engine.options.jpeg_quality == 80


def test_a_full_disk_is_told(client, engine, data) -> None:
    engine.options.path = data / "models" / "Stable-diffusion" / "one.safetensors" / "config.json"
    answer = client.post("/sdapi/v1/options", json={"jpeg_quality": 9})
    assert answer.status_code == 500 and "could not write" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["samplers", "schedulers", "latent-upscale-modes"])
def test_lists_as_recorded(client, name: str) -> None:
    assert client.get(f"/sdapi/v1/{name}").json() == json.loads(golden("lists", f"{name}.json").read_text())


def test_checkpoints(client, engine, data) -> None:
    folder = data / "models" / "Stable-diffusion"
    models = client.get("/sdapi/v1/sd-models").json()
    assert [model["title"] for model in models] == ["one.safetensors", "two.safetensors"]
    assert models[1]["config"] == str(folder / "two.yaml") and models[0]["config"] is None
    (folder / "three.safetensors").write_bytes(b"x")
    assert client.post("/sdapi/v1/refresh-checkpoints").json() is None
    assert len(client.get("/sdapi/v1/sd-models").json()) == 3


def test_vaes_styles_upscalers_scripts_memory(client, data) -> None:
    (data / "models" / "VAE").mkdir()
    for name in ("b.safetensors", "a.vae.pt", "note.txt"):
        (data / "models" / "VAE" / name).write_bytes(b"")
    client.post("/sdapi/v1/refresh-vae")
    assert [item["model_name"] for item in client.get("/sdapi/v1/sd-vae").json()] == ["a.vae.pt", "b.safetensors"]
    (data / "styles.csv").write_text("name,prompt,negative_prompt\noil,oil painting,bad\n", encoding="utf-8-sig")
    assert client.get("/sdapi/v1/prompt-styles").json() == [{"name": "oil", "prompt": "oil painting", "negative_prompt": "bad"}]
    assert client.get("/sdapi/v1/upscalers").json()[:3] == json.loads(golden("lists", "upscalers.json").read_text())[:3]
    assert "prompt matrix" in client.get("/sdapi/v1/scripts").json()["txt2img"]
    memory = client.get("/sdapi/v1/memory").json()
    assert memory["ram"]["used"] > 0 and memory["cuda"]


def test_flags_are_listed_without_secrets(engine) -> None:
    flags = server_flags.parse(["--nowebui", "--api-auth", "name:secret", "--port", "7861"])
    client = TestClient(create_app(engine, flags), base_url="http://127.0.0.1")
    client.auth = ("name", "secret")
    text = client.get("/sdapi/v1/cmd-flags").text
    listed = json.loads(text)
    assert listed["port"] == "7861" and listed["api_auth"] == "(set)" and "secret" not in text
    recorded = json.loads(golden("lists", "cmd-flags.json").read_text())
    assert set(recorded) <= set(listed)


def test_without_the_api_flag_there_is_no_api(engine) -> None:
    client = TestClient(create_app(engine, Namespace(api=False, nowebui=False)), base_url="http://127.0.0.1")
    assert client.get("/sdapi/v1/samplers").status_code == 404
    assert client.get("/docs").status_code == 404


def test_framework_errors_keep_their_body(client) -> None:
    assert (client.get("/nowhere").status_code, client.get("/nowhere").json()) == (404, {"detail": "Not Found"})
    assert client.get("/sdapi/v1/txt2img").json() == {"detail": "Method Not Allowed"}


def test_docs_work_offline(client) -> None:
    pytest.importorskip("fastapi_offline")
    for page in ("/docs", "/redoc"):
        text = client.get(page).text
        assert "http://" not in text.replace("http://127.0.0.1", "") and "https://" not in text, page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"):
        assert client.get(f"/docs-assets/{asset}").status_code == 200
    assert client.get("/docs-assets/../core.py").status_code == 404
