"""An engine whose jobs draw plain pictures, for tests whose subject is the queue."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from modules import flags
from modules.engine.engine import Engine
from modules.engine.paths import Paths
from modules.pipeline.processing import StableDiffusionProcessingTxt2Img
from modules.settings.store import Options


class Result:
    """Pictures and the seed they were asked for with."""

    def __init__(self, images: list[Image.Image], seed: int) -> None:
        self.images, self.seed = images, seed
        self.infotexts = [f"Steps: 1, Seed: {seed}"] * len(images)

    def js(self) -> str:
        return json.dumps({"seed": self.seed, "infotexts": self.infotexts})


class Drawing:
    """Runs requests: by its prompt one "waits" until `go` is set, or "fails", or is drawn at once. `order` has the prompts that ran."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, request: Any, runtime: Any) -> Result:
        self.order.append(request.prompt)
        runtime.state.job_count, runtime.state.sampling_steps = 1, 10
        self.began.set()
        while "waits" in request.prompt and not self.go.wait(0.01):
            runtime.state.raise_if_stopped()
        if "fails" in request.prompt:
            raise ValueError("it was asked to fail")
        image = Image.new("RGB", (8, 8), (request.seed % 256, 1, 2))
        image.info["parameters"] = f"Steps: 1, Seed: {request.seed}"
        return Result([image] * request.batch_size, request.seed)


def drawing_engine(data: Path, **settings: Any) -> tuple[Engine, Drawing]:
    """The engine, without any network, and what it draws with."""
    options = Options()
    for name, value in settings.items():
        options.set(name, value)
    engine = Engine(flags.parse(["--nowebui", "--no-hashing"]), Paths(data, data / "models"), options)
    drawing = Drawing()
    engine.executors["txt2img"] = drawing
    engine.builders["txt2img"] = build
    return engine, drawing


def build(body: Any) -> StableDiffusionProcessingTxt2Img:
    return StableDiffusionProcessingTxt2Img(**{name: body[name] for name in ("prompt", "seed", "batch_size") if name in body})


def request(prompt: str = "a", **values: Any) -> StableDiffusionProcessingTxt2Img:
    return StableDiffusionProcessingTxt2Img(prompt=prompt, **values)
