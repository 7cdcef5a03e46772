"""Routes about models: lists, refreshing, taking models off the graphics card and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.small_models import write
from starlette.testclient import TestClient

from modules import flags
from modules.engine.engine import Engine
from modules.server.app import create_app


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    write(tmp_path, "sd1", 1)
    made = Engine(options(tmp_path))
    yield made
    made.close()


def options(folder: Path):
    return flags.parse(["--api", "--nowebui", "--data-dir", str(folder), "--no-half", "--use-cpu", "all"])


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(engine, options(tmp_path)), base_url="http://127.0.0.1:7860") as made:
        yield made


def test_models_and_vaes_are_listed_and_read_again(client: TestClient, tmp_path: Path) -> None:
    (model,) = client.get("/sdapi/v1/sd-models").json()
    assert (model["model_name"], model["title"], model["config"]) == ("sd1-1", "sd1-1.safetensors", None)
    assert model["filename"] == str(tmp_path / "models" / "Stable-diffusion" / "sd1-1.safetensors")
    assert client.get("/sdapi/v1/sd-vae").json() == []
    write(tmp_path, "sd1", 2)
    folder = tmp_path / "models" / "VAE" / "inner"
    folder.mkdir(parents=True)
    (folder / "b.vae.pt").write_bytes(b"x")
    (tmp_path / "models" / "Stable-diffusion" / "A.vae.safetensors").write_bytes(b"x")
    assert client.get("/sdapi/v1/sd-vae").json() == []
    assert client.post("/sdapi/v1/refresh-vae").json() is None
    vaes = client.get("/sdapi/v1/sd-vae").json()
    assert [vae["model_name"] for vae in vaes] == ["A.vae.safetensors", "b.vae.pt"]
    assert vaes[1]["filename"] == str(folder / "b.vae.pt")
    assert client.post("/sdapi/v1/refresh-checkpoints").json() is None
    assert [model["model_name"] for model in client.get("/sdapi/v1/sd-models").json()] == ["sd1-1", "sd1-2"]


def test_unloading_and_reloading_answer_also_where_nothing_is_loaded(client: TestClient, engine: Engine) -> None:
    for route in ("unload-checkpoint", "reload-checkpoint"):
        answer = client.post(f"/sdapi/v1/{route}")
        assert (answer.status_code, answer.json()) == (200, {})
    request = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64, "seed": 3}
    first = client.post("/sdapi/v1/txt2img", json=request).json()["images"]
    assert client.post("/sdapi/v1/unload-checkpoint").status_code == 200
    assert client.post("/sdapi/v1/txt2img", json=request).json()["images"] == first
    assert [model.name for model in engine.models.models] == ["sd1-1"]
