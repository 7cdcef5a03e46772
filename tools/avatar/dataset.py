"""The drawn data set on disk: pictures, attributes and eye positions; picture i depends on (seed, i) alone."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tools.avatar.attributes import Attributes, Landscape, Portrait, sample_attributes
from tools.avatar.render import Picture, render


def draw(seed: int, index: int, size: int) -> tuple[Attributes, Picture]:
    """Picture number `index` of the data set `seed`."""
    rng = np.random.default_rng((seed, index))
    attributes = sample_attributes(rng)
    return attributes, render(attributes, rng, size)


def to_json(attributes: Attributes) -> str:
    return json.dumps(asdict(attributes))


def from_json(line: str) -> Attributes:
    """The inverse of `to_json`."""
    fields = json.loads(line)
    if "place" in fields:
        return Landscape(**fields)
    return Portrait(**{**fields, "props": tuple(fields["props"]), "traits": tuple(fields["traits"])})


def _draw_slice(job: tuple[str, int, int, int, int, int]) -> list[tuple[str, list[list[float]]]]:
    path, count, size, seed, start, stop = job
    pictures = np.memmap(path, np.uint8, "r+", shape=(count, size, size, 3))
    rows = []
    for index in range(start, stop):
        attributes, picture = draw(seed, index, size)
        pictures[index] = picture.pixels
        rows.append((to_json(attributes), [list(eye) for eye in picture.eyes]))
    return rows


def build(folder: Path, count: int, size: int, seed: int, workers: int = 2) -> None:
    """Draws `count` pictures into the folder unless they are there: pictures.u8, attributes.jsonl, eyes.npy (NaN without eyes)."""
    folder.mkdir(parents=True, exist_ok=True)
    path, done = folder / "pictures.u8", folder / "dataset.json"
    stamp = json.dumps({"count": count, "size": size, "seed": seed})
    if done.exists() and done.read_text() == stamp:
        return
    np.memmap(path, np.uint8, "w+", shape=(count, size, size, 3)).flush()
    bounds = list(range(0, count, 500)) + [count]
    jobs = [(str(path), count, size, seed, a, b) for a, b in zip(bounds, bounds[1:], strict=False)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        rows = [row for part in pool.imap(_draw_slice, jobs) for row in part]
    eyes = np.full((count, 2, 2), np.nan, np.float32)
    for index, (_, centres) in enumerate(rows):
        if centres:
            eyes[index] = centres
    np.save(folder / "eyes.npy", eyes)
    (folder / "attributes.jsonl").write_text("".join(line + "\n" for line, _ in rows))
    done.write_text(stamp)


class Drawings:
    """Read access to a folder made by `build`."""

    def __init__(self, folder: Path) -> None:
        stamp = json.loads((folder / "dataset.json").read_text())
        self.count, self.size = stamp["count"], stamp["size"]
        self.pictures = np.memmap(folder / "pictures.u8", np.uint8, "r", shape=(self.count, self.size, self.size, 3))
        self.eyes = np.load(folder / "eyes.npy")
        self.attributes = [from_json(line) for line in (folder / "attributes.jsonl").read_text().splitlines()]
