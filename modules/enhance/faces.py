"""Restoring faces with GFPGAN or CodeFormer (generation.md §10.7 of the reference). Weights are the user's; nothing is downloaded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from modules.enhance.errors import ModelMissing, UnknownFaceRestorer, UnsupportedModel
from modules.enhance.face_finder import FaceFinder, filled, find_file
from modules.enhance.network import NetworkCache, Placement, build

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
KEPT = 4
PARSER = "parsing_parsenet"
NOISE_SEED = 0


@dataclass(frozen=True)
class Restorer:
    """A face restorer: where its weights belong and how they are called."""

    name: str
    folder: str
    start: str
    file: str
    url: str

    @property
    def task(self) -> str:
        """Its name in `--use-cpu`."""
        return self.name.lower()


CODEFORMER = Restorer(
    "CodeFormer",
    "Codeformer",
    "codeformer",
    "codeformer-v0.1.0.pth",
    "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth",
)
GFPGAN = Restorer(
    "GFPGAN", "GFPGAN", "gfpgan", "GFPGANv1.4.pth", "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth"
)
RESTORERS = (CODEFORMER, GFPGAN)


class FaceRestorers:
    """The face restorers of one program; networks are loaded when a face needs them."""

    def __init__(self, folders: Mapping[str, Path], options: Any, place: Placement, *, gfpgan_model: str | None = None) -> None:
        self._folders, self._options, self._gfpgan_model = folders, options, gfpgan_model
        self._networks = NetworkCache(place, KEPT)
        self._finder = FaceFinder(folders, self._networks)

    def names(self) -> list[str]:
        return [restorer.name for restorer in RESTORERS]

    def yunet(self) -> Path | None:
        """OpenCV's face detector (ONNX), where the user has it."""
        return self._finder.yunet()

    def check(self, name: str) -> Path:
        """The weights of a restorer. Raises UnknownFaceRestorer, and ModelMissing where they or the detector's are not there."""
        restorer = self._named(name)
        weights = self._weights(restorer)
        if weights is None:
            raise ModelMissing(f"face restorer {restorer.name}", restorer.file, self._folders[restorer.folder], restorer.url)
        self._finder.check()
        return weights

    def restore(
        self, image: Image.Image, name: str, settings: Any = None, *, visibility: float = 1.0, weight: float | None = None
    ) -> Image.Image:
        """The picture as RGB with its faces restored, blended over the given one by `visibility` 0…1.

        `weight` is CodeFormer's, 0 the strongest; None takes the setting. Raises what `check` raises, WeightsError and UnsupportedModel.
        """
        settings = settings or self._options
        weights, given = self.check(name), image.convert("RGB")
        if weight is None:
            weight = float(settings.code_former_weight)
        try:
            restored = self._restored(given, self._named(name), weights, weight)
        finally:
            if settings.face_restoration_unload:
                self._networks.park()
        return restored if visibility >= 1 else Image.blend(given, restored, max(visibility, 0.0))

    def _named(self, name: str) -> Restorer:
        for restorer in RESTORERS:
            if restorer.name.lower() == str(name).lower():
                return restorer
        raise UnknownFaceRestorer(str(name), self.names())

    def _weights(self, restorer: Restorer) -> Path | None:
        if restorer is GFPGAN and self._gfpgan_model and Path(self._gfpgan_model).is_file():
            return Path(self._gfpgan_model)
        found = find_file(self._folders, (restorer.folder,), restorer.start + "v1.4")
        return found or find_file(self._folders, (restorer.folder,), restorer.start)

    def _restored(self, image: Image.Image, restorer: Restorer, weights: Path, weight: float) -> Image.Image:
        from modules.enhance.face_paste import cut_face, face_transform, paste_face

        given = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        pixels: Any = given
        for landmarks in self._finder.find(image, restorer.task):
            matrix = face_transform(landmarks)
            if matrix is None:
                continue
            face = self._restored_face(cut_face(given, matrix), restorer, weights, weight)
            pixels = paste_face(pixels, face, matrix, self._parts(face, restorer.task))
        # A1111: cut off to 8 bits, not rounded
        return Image.fromarray(np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8)[:, :, ::-1]), "RGB")

    def _restored_face(self, face: Any, restorer: Restorer, weights: Path, weight: float) -> Any:
        """The restored face as BGR pixels [512, 512, 3]."""
        import torch

        network = self._networks.get(weights, restorer.task, _codeformer if restorer is CODEFORMER else _gfpgan)
        picture = _to_tensor(face).to(next(network.parameters()))
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(NOISE_SEED)  # GFPGAN adds noise to its features: always the same
            result = network(picture, weight=weight) if restorer is CODEFORMER else network(picture, return_rgb=False)[0]
        restored = (result[0].float().clamp(-1, 1) + 1) / 2
        return np.ascontiguousarray((restored * 255).round().byte().permute(1, 2, 0).cpu().numpy()[:, :, ::-1])

    def _parts(self, face: Any, task: str) -> Any:
        """The number of the part each pixel belongs to, None without the parsing network."""
        import torch

        path = find_file(self._folders, ("GFPGAN", "Codeformer", "facexlib"), PARSER)
        if path is None:
            log.info("%s.pth is not among the models: restored faces are blended in as soft squares", PARSER)
            return None
        network = self._networks.get(path, task, _parsenet)
        with torch.inference_mode():
            return network(_to_tensor(face).to(next(network.parameters())))[0].argmax(0).cpu().numpy()


def _to_tensor(face: Any) -> Tensor:
    """BGR pixels as RGB [1, 3, 512, 512] in -1..1."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(face[:, :, ::-1].transpose(2, 0, 1))).float()[None] / 127.5 - 1


def _codeformer(path: Path) -> Any:
    from modules.nets.codeformer import CodeFormer

    return filled(CodeFormer(), path, "face restorer")


def _parsenet(path: Path) -> Any:
    from modules.nets.parsenet import ParseNet

    return filled(ParseNet(), path, "face parser")


def _gfpgan(path: Path) -> Any:
    model = build(path, "face restorer")
    if model.architecture.id != "GFPGAN":
        raise UnsupportedModel(f"face restorer '{path.name}' is a {model.architecture.name} model; put GFPGANv1.4.pth into its place")
    return model.model
