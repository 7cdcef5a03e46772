"""Recorded requests and how an answer is compared with what A1111 1.10.1 gave: status, pictures, infotexts.

Used by the tests and by `bench/parity.py`. A case passes with the recorded status (where the original failed, any refusal
or a better answer will do), the same number and sizes of pictures, a PSNR of at least `FLOOR_DB` for the worst of them,
and equal infotexts but for the version.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from golden_data import golden
from PIL import Image

FLOOR_DB = 40.0
INPUT = "@inputs/"
SETTINGS = {"randn_source": "CPU", "sd_model_checkpoint": "tiny-sd1"}
"""In which the recordings were made differently from the defaults."""
MODEL_NAME = re.compile(r"tiny[\w-]*")
VERSION = re.compile(r",? *Version: [^,\n]*")


@dataclass(frozen=True)
class Case:
    """One recorded request."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    def request(self) -> tuple[str, dict[str, Any]]:
        """Path and JSON body; names of input pictures are replaced by the pictures as base64."""
        spec = json.loads((self.folder / "payload.json").read_text("utf-8"))
        return spec["endpoint"], self._filled(spec["payload"])

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(INPUT):
            file = self.folder.parents[2] / "inputs" / value.removeprefix(INPUT)
            file = file if file.exists() else golden("inputs", file.name)
            return base64.b64encode(file.read_bytes()).decode()
        if isinstance(value, dict):
            return {key: self._filled(entry) for key, entry in value.items()}
        return [self._filled(entry) for entry in value] if isinstance(value, list) else value

    def names(self) -> set[str]:
        """The recorded models that the request speaks of."""
        return set(MODEL_NAME.findall((self.folder / "payload.json").read_text("utf-8")))

    @property
    def status(self) -> int:
        return int(json.loads((self.folder / "response.json").read_text("utf-8"))["status"])

    def pictures(self) -> list[Image.Image]:
        files = sorted(self.folder.glob("[0-9]*.*"), key=lambda file: int(file.stem))
        return [Image.open(file) for file in files]

    def infotexts(self) -> list[str] | None:
        file = self.folder / "info.json"
        info = json.loads(file.read_text("utf-8")) if file.exists() else None
        return info.get("infotexts") if isinstance(info, dict) else None


@dataclass
class Verdict:
    """How an answer compares: `faults` is empty where it passes."""

    faults: list[str] = field(default_factory=list)
    worst_db: float = math.inf
    same_infotext: bool = True

    @property
    def passed(self) -> bool:
        return not self.faults


def find_cases(root: Path, prefixes: tuple[str, ...] = ("",)) -> Iterator[Case]:
    """The cases below `root` (`<group>/<name>/payload.json`) whose name starts with one of the prefixes, sorted."""
    for file in sorted(root.glob("*/*/payload.json")):
        case = Case(file.parent)
        if case.name.startswith(prefixes):
            yield case


def compare(case: Case, status: int, answer: dict[str, Any]) -> Verdict:
    """The verdict on an answer to a case's request."""
    wanted = case.status
    if wanted != 200:
        fine = status < 500 if wanted >= 500 else 400 <= status < 500
        return Verdict([] if fine else [f"status {status}; the original's was {wanted}"], same_infotext=fine)
    if status != 200:
        return Verdict([f"status {status}: {answer.get('detail', '')}"], 0.0, False)
    verdict = Verdict()
    _compare_pictures(case.pictures(), [_decoded(data) for data in _pictures(answer)], verdict)
    recorded = case.infotexts()
    if recorded is not None:
        _compare_infotexts(recorded, _info(answer).get("infotexts", []), verdict)
    return verdict


def _pictures(answer: dict[str, Any]) -> list[str]:
    return answer.get("images") or ([answer["image"]] if answer.get("image") else [])


def _info(answer: dict[str, Any]) -> dict[str, Any]:
    info = answer.get("info") or "{}"
    return json.loads(info) if isinstance(info, str) and info.startswith("{") else {}


def _decoded(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data.split(",", 1)[-1])))


def _compare_pictures(recorded: list[Image.Image], given: list[Image.Image], verdict: Verdict) -> None:
    if len(recorded) != len(given):
        verdict.faults.append(f"{len(given)} pictures instead of {len(recorded)}")
        return
    for want, have in zip(recorded, given, strict=True):
        if want.size != have.size:
            verdict.faults.append(f"size {have.size} instead of {want.size}")
            return
        verdict.worst_db = min(verdict.worst_db, psnr(want, have))
    if verdict.worst_db < FLOOR_DB:
        verdict.faults.append(f"{verdict.worst_db:.1f} dB")


def psnr(want: Image.Image, have: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB, infinite for equal pictures; alpha counts where the recorded picture has it."""
    mode = "RGBA" if "A" in want.getbands() else "RGB"
    error = float(((np.asarray(want.convert(mode), np.float64) - np.asarray(have.convert(mode), np.float64)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _compare_infotexts(recorded: list[str], given: list[str], verdict: Verdict) -> None:
    want, have = ([VERSION.sub("", text) for text in texts] for texts in (recorded, given))
    if want != have:
        verdict.same_infotext = False
        verdict.faults.append(f"infotext {have} instead of {want}")
