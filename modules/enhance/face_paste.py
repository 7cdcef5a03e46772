"""Faces cut out upright at 512 pixels, and put back with a soft edge (generation.md §10.7 of the reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

SIDE = 512
TEMPLATE = np.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935], [201.26117, 371.41043], [313.08905, 371.15118]])
"""Where eyes, nose and corners of the mouth lie in an upright face (FFHQ's alignment)."""
BORDER = (135, 133, 132)
BACKGROUND_PARTS = (0, 14, 16, 17, 18)
"""Background, neck, clothes and the like among ParseNet's 19 parts: they keep the given picture."""
BLUR, DEVIATION, RIM = 101, 11, 10


def face_transform(landmarks: Pixels) -> Pixels | None:
    """The turn, scale and shift [2, 3] that bring landmarks onto the template; None where no face can lie like this."""
    matrix = cv2.estimateAffinePartial2D(landmarks, TEMPLATE, method=cv2.LMEDS)[0]
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-9:
        return None
    return np.asarray(matrix)


def cut_face(pixels: Pixels, matrix: Pixels) -> Pixels:
    """The upright face [512, 512, 3] of a picture [H, W, 3]; grey where the picture ends."""
    return np.asarray(cv2.warpAffine(pixels, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_CONSTANT, borderValue=BORDER))


def paste_face(pixels: Pixels, face: Pixels, matrix: Pixels, parts: Pixels | None) -> Pixels:
    """The picture with a restored face in its place, as floats.

    `parts` [512, 512] numbers the parts of the face; only what belongs to the face is taken. Without it the square is, with a soft edge.
    """
    size = (pixels.shape[1], pixels.shape[0])
    back = cv2.invertAffineTransform(matrix)
    pasted = cv2.warpAffine(face, back, size)
    mask = _soft_square(back, size) if parts is None else cv2.warpAffine(_soft_parts(parts), back, size, flags=cv2.INTER_AREA)
    mask = np.asarray(mask)[:, :, None]
    return np.asarray(mask * pasted + (1 - mask) * pixels)


def _soft_parts(parts: Pixels) -> Pixels:
    mask = np.where(np.isin(parts, BACKGROUND_PARTS), 0.0, 255.0)
    for _ in range(2):
        mask = cv2.GaussianBlur(mask, (BLUR, BLUR), DEVIATION)
    inner = np.zeros_like(mask)
    inner[RIM:-RIM, RIM:-RIM] = mask[RIM:-RIM, RIM:-RIM]
    return inner / 255


def _soft_square(back: Pixels, size: tuple[int, int]) -> Pixels:
    square = cv2.warpAffine(np.ones((SIDE, SIDE), dtype=np.float32), back, size)
    square = cv2.erode(square, np.ones((2, 2), np.uint8))
    edge = int(float(square.sum()) ** 0.5) // 20 * 2
    if edge < 1:
        return np.asarray(square)
    inner = cv2.erode(square, np.ones((edge, edge), np.uint8))
    return np.asarray(cv2.GaussianBlur(inner, (edge + 1, edge + 1), 0))
