"""The lists of networks: the recorded answers, and files that come later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_data import data_folder, golden
from safetensors.torch import save_file
from starlette.testclient import TestClient

from modules import flags
from modules.engine.engine import Engine
from modules.server.app import create_app


@pytest.fixture
def client(tiny_data: Path) -> Iterator[TestClient]:
    settings = flags.parse(["--api", "--nowebui", "--no-half", "--data-dir", str(tiny_data)])
    engine = Engine(settings)
    engine.options.set("sd_model_checkpoint", "tiny-sd1")
    engine.options.set("read_pickles", "small files")
    with TestClient(create_app(engine, settings), base_url="http://127.0.0.1:7860") as client:
        yield client
    engine.close()


def with_short_paths(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "path": Path(item["path"]).name} for item in items]


@pytest.mark.parametrize("name, needed", [
    ("loras", "models/Lora/tiny-oft.safetensors"), ("hypernetworks", "models/hypernetworks/tinyhn.pt"),
])  # fmt: skip
def test_the_recorded_lists(client: TestClient, name: str, needed: str) -> None:
    data_folder(needed)
    expected = json.loads(golden("lists", f"{name}.json").read_text("utf-8"))
    assert with_short_paths(client.get(f"/sdapi/v1/{name}").json()) == with_short_paths(expected)


def test_embeddings_fit_the_model_or_do_not(client: TestClient) -> None:
    data_folder("embeddings/tinyti.pt")
    assert client.get("/sdapi/v1/embeddings").json() == json.loads(golden("lists", "embeddings.json").read_text("utf-8"))


def test_new_files_show_after_a_refresh(client: TestClient, tiny_data: Path) -> None:
    before = {name: client.get(f"/sdapi/v1/{name}").json() for name in ("loras", "embeddings", "hypernetworks")}
    (tiny_data / "models" / "Lora").mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_x.alpha": torch.tensor(1.0)}, tiny_data / "models" / "Lora" / "new.safetensors", {"ss_output_name": "alias"})
    save_file({"emb_params": torch.ones(1, 64)}, tiny_data / "embeddings" / "new.safetensors")
    for name in ("loras", "embeddings"):
        answer = client.post(f"/sdapi/v1/refresh-{name}")
        assert (answer.status_code, answer.json()) == (200, None)
    loras = client.get("/sdapi/v1/loras").json()
    assert len(loras) == len(before["loras"]) + 1
    (new,) = [item for item in loras if item["name"] == "new"]
    assert new["alias"] == "alias" and new["metadata"] == {"ss_output_name": "alias"}
    assert client.get("/sdapi/v1/embeddings").json()["loaded"].keys() - before["embeddings"]["loaded"].keys() == {"new"}
