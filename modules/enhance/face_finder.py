"""Finding faces: RetinaFace where its weights are, else OpenCV's YuNet (generation.md §10.7 of the reference)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from modules.enhance.errors import ModelMissing, UnsupportedModel
from modules.enhance.focal_crop import yunet_faces
from modules.enhance.network import NetworkCache, read_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SIDE = 640
"""Length that the shorter side has while faces are searched."""
LONGEST_SIDE = 4096
SCORE, OVERLAP = 0.97, 0.4
LEAST_EYE_DISTANCE = 5.0
DETECTOR = "detection_Resnet50_Final"
URL = "https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_Resnet50_Final.pth"
YUNET = "face_detection_yunet"
FOLDERS = ("GFPGAN", "Codeformer", "facexlib", "opencv")
SUFFIXES = (".safetensors", ".pth", ".pt")


def find_file(folders: Mapping[str, Path], names: Iterable[str], start: str, suffixes: Iterable[str] = SUFFIXES) -> Path | None:
    """The first file in these model folders whose name begins like this, whatever the case."""
    wanted = tuple(suffixes)
    for name in names:
        folder = folders[name]
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.name.lower().startswith(start.lower()) and file.suffix.lower() in wanted and file.is_file():
                return file
    return None


class FaceFinder:
    """Five landmarks of every face: eyes, nose and corners of the mouth, in pixels, left before right as seen."""

    def __init__(self, folders: Mapping[str, Path], networks: NetworkCache) -> None:
        self._folders, self._networks = folders, networks

    def yunet(self) -> Path | None:
        """OpenCV's detector, where the user has it."""
        return find_file(self._folders, FOLDERS, YUNET, (".onnx",))

    def check(self) -> None:
        """Raise ModelMissing where there is no detector at all."""
        if find_file(self._folders, FOLDERS, DETECTOR) is None and self.yunet() is None:
            files = f"{DETECTOR}.pth or {YUNET}_2023mar.onnx"
            raise ModelMissing("face detection", files, self._folders["GFPGAN"], URL)

    def find(self, image: Image.Image, task: str) -> list[NDArray[np.float32]]:
        """Landmarks [5, 2] of each face whose eyes are apart far enough. Raises ModelMissing, WeightsError."""
        self.check()
        scale = min(SIDE / min(image.size), LONGEST_SIDE / max(image.size))
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        faces = self._in_resized(resized(np.asarray(image.convert("RGB"))[:, :, ::-1], size), task)
        factor = np.float32(1 / scale)
        return [face * factor for face in faces if np.linalg.norm((face[0] - face[1]) * factor) >= LEAST_EYE_DISTANCE]

    def _in_resized(self, pixels: Pixels, task: str) -> list[NDArray[np.float32]]:
        weights = find_file(self._folders, FOLDERS, DETECTOR)
        if weights is not None:
            return self._by_retinaface(pixels, weights, task)
        detector = self.yunet()
        assert detector is not None
        rows = yunet_faces(Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1])), detector)
        return [row[4:14].reshape(5, 2).astype(np.float32) for row in rows]

    def _by_retinaface(self, pixels: Pixels, weights: Path, task: str) -> list[NDArray[np.float32]]:
        import torch
        from torchvision.ops import nms

        network = self._networks.get(weights, task, retinaface)
        first = next(network.parameters())
        picture = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(first)
        with torch.inference_mode():
            boxes, scores, landmarks = network(picture)
        sure = scores > SCORE
        boxes, scores, landmarks = boxes[sure], scores[sure], landmarks[sure]
        kept = nms(boxes, scores, OVERLAP)
        return list(landmarks[kept].cpu().numpy())


def resized(pixels: Any, size: tuple[int, int]) -> Pixels:
    """The pixels [H, W, 3] at a size (width, height), by OpenCV's Lanczos."""
    import cv2

    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_LANCZOS4), dtype=np.uint8)


def retinaface(path: Path) -> Any:
    """The detector's network with the weights of a file. Raises WeightsError and UnsupportedModel."""
    from modules.nets.retinaface import RetinaFace

    return filled(RetinaFace(), path, "face detector", optional=("body.fc.",))


def filled(network: Any, path: Path, kind: str, *, optional: tuple[str, ...] = ()) -> Any:
    """The network with the weights of a file, ready to be used.

    optional: beginnings of names that the network does not have. Raises WeightsError and, where names or shapes differ, UnsupportedModel.
    """
    tensors = {name.removeprefix("module."): tensor for name, tensor in read_tensors(path, kind).items()}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(optional or ("\0",))}
    missing = [name for name in network.state_dict() if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise UnsupportedModel(f"{kind} '{path.name}' has no tensor '{missing[0]}': it is for another network; download it again")
    try:
        network.load_state_dict({name: tensors[name] for name in network.state_dict() if name in tensors}, strict=False)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1].strip()
        raise UnsupportedModel(f"{kind} '{path.name}' does not fit its network: {line}") from error
    return network.eval()
