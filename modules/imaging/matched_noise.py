"""Noise that continues a picture: in the masked part it has the picture's spectrum and colours (generation.md §10.5 of the reference)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FULLY_MASKED, UNMASKED = 1e-6, 1e-3


def matched_noise(image: Floats, mask: Floats, falloff: float = 1.0, color_variation: float = 0.05) -> Floats:
    """`image` [H, W, 3] in 0..1 with shaped noise where `mask` [H, W, 3] is 1; deterministic.

    `falloff` is the exponent of the picture's spectrum (low: more detail), `color_variation` the share of coloured noise.
    """
    rows, columns, _ = image.shape
    inside = mask.sum(axis=2) / 3.0
    spectrum = _spectrum(_windowed(image, mask))
    size = np.abs(spectrum)
    phase = spectrum / np.where(size == 0, 1, size)
    noise = _softened(_noise(image.shape, color_variation), rows, columns)
    shaped = np.real(_image(np.abs(_spectrum(noise)) ** 2 * size**falloff * phase))
    shaped -= shaped.min()
    shaped /= shaped.max() or 1.0
    masked, known = inside > FULLY_MASKED, inside < UNMASKED
    if masked.any() and known.any():
        shaped[masked] = match_histograms(shaped[masked], image[known])
    return np.clip(image * (1 - mask) + shaped * mask, 0.0, 1.0)


def match_histograms(source: Floats, reference: Floats) -> Floats:
    """Values [N, C] with the distribution of those of `reference` [M, C], channel by channel."""
    return np.stack([_matched(source[:, c], reference[:, c]) for c in range(source.shape[1])], axis=1)


def _matched(source: Floats, reference: Floats) -> Floats:
    _, position, counts = np.unique(source, return_inverse=True, return_counts=True)
    values, wanted = np.unique(reference, return_counts=True)
    quantiles = np.interp(np.cumsum(counts) / source.size, np.cumsum(wanted) / reference.size, values)
    return quantiles[position]


def _windowed(image: Floats, mask: Floats) -> Floats:
    """The known part at full brightness; its mean in the rest."""
    known = image * (1.0 - mask)
    return known / (known.max() or 1.0) + image.mean() * mask


def _noise(shape: tuple[int, ...], color_variation: float) -> Floats:
    noise = np.random.default_rng(0).random(shape)
    grey = noise.sum(axis=2, keepdims=True) / 3.0
    return noise * color_variation + grey * (1.0 - color_variation)


def _softened(noise: Floats, rows: int, columns: int) -> Floats:
    """The noise through a window that lets low frequencies pass."""
    shortest = min(rows, columns)
    x, y = ((np.arange(side) / side * 2.0 - 1.0) * (side / shortest) for side in (rows, columns))
    window = 1.0 / ((x[:, None] ** 2 + 1.0) * (y[None, :] ** 2 + 1.0))
    return np.real(_image(_spectrum(noise) * window[:, :, None]))


def _spectrum(image: Floats) -> NDArray[np.complex128]:
    axes = (0, 1)
    return np.fft.fftshift(np.fft.fft2(np.fft.fftshift(image, axes), axes=axes, norm="ortho"), axes)


def _image(spectrum: NDArray[np.complex128]) -> NDArray[np.complex128]:
    axes = (0, 1)
    return np.fft.ifftshift(np.fft.ifft2(np.fft.ifftshift(spectrum, axes), axes=axes, norm="ortho"), axes)
