"""A filter between median and mean: the average over a window of percentiles of each neighbourhood (generation.md §4.6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def gaussian_kernel(deviation: float, radius: int) -> Numbers:
    """A round kernel [2r+1, 2r+1] that is 1 in the middle and falls to 0 at a distance of `radius` + 1."""
    steps = np.arange(-radius, radius + 1)
    squared = steps[:, None] ** 2 + steps[None, :] ** 2

    bell = np.exp(-squared / deviation**2)
    edge = math.exp(-((radius + 1) ** 2) / deviation**2)
    kernel: Numbers = np.maximum(0.0, (bell - edge) / (1 - edge))
    return kernel


def weighted_histogram_filter(values: NDArray[np.floating], kernel: Numbers, low: float, high: float, min_width: float) -> Numbers:
    """For every cell of `values` [H, W] the mean of those neighbours that lie between two percentiles by weight.

    The neighbours sorted by value form a stack as high as the sum of their `kernel` weights; of it the part from `low` to `high`
    (0..1) is averaged, at least `min_width` high. At the borders there are fewer neighbours.
    """
    near, weights = _neighbours(values, kernel)
    order = np.argsort(near, axis=-1, kind="stable")
    near, weights = np.take_along_axis(near, order, -1), np.take_along_axis(weights, order, -1)
    tops = np.cumsum(weights, axis=-1)
    total = tops[..., -1:]
    start, end = _window(total, low, high, min_width)
    inside = np.clip(np.minimum(tops, end) - np.maximum(tops - weights, start), 0, None)
    result: Numbers = (inside * near).sum(-1) / inside.sum(-1)
    return result


def _window(total: Numbers, low: float, high: float, min_width: float) -> tuple[Numbers, Numbers]:
    """The part of each stack that counts, moved inside where it was widened."""
    start, end = low * total, high * total
    missing = np.clip(np.minimum(min_width, total) - (end - start), 0, None) / 2
    start, end = start - missing, end + missing
    shift = np.clip(-start, 0, None) - np.clip(end - total, 0, None)
    return start + shift, end + shift


def _neighbours(values: NDArray[np.floating], kernel: Numbers) -> tuple[Numbers, Numbers]:
    """Values and weights [H, W, cells of the kernel]; outside the picture the weight is 0."""
    rows, columns = (side // 2 for side in kernel.shape)
    around = ((rows, rows), (columns, columns))
    padded = np.pad(values.astype(np.float64), around)
    there = np.pad(np.ones_like(values, dtype=np.float64), around)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    present = np.lib.stride_tricks.sliding_window_view(there, kernel.shape)
    return windows.reshape(*values.shape, -1), (present * kernel).reshape(*values.shape, -1)
