"""The normal numbers an NVIDIA card draws, computed with numpy (Philox-4x32-10 and Box-Muller).

Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011); torch's CUDA generator gives element i of
request r the counter (r, 0, i, 0) and the key (seed low, seed high).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MULTIPLIER_A, MULTIPLIER_B = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
TO_UNIT = np.float32(2.3283064e-10)
TO_ANGLE = np.float32(2.3283064e-10 * 6.2831855)

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox_4x32(offset: int, count: int, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Words 0 and 1 (values below 2**32, held as uint64) of the Philox block of elements 0 … count-1 in request `offset`."""
    zero = np.zeros(count, dtype=np.uint64)
    c0, c1, c2, c3 = zero + np.uint64(offset), zero, np.arange(count, dtype=np.uint64), zero
    key0, key1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(ROUNDS):
        a, b = c0 * MULTIPLIER_A, c2 * MULTIPLIER_B
        c0, c1 = (b >> _SHIFT) ^ c1 ^ np.uint64(key0), b & _LOW
        c2, c3 = (a >> _SHIFT) ^ c3 ^ np.uint64(key1), a & _LOW
        key0, key1 = (key0 + WEYL[0]) & 0xFFFFFFFF, (key1 + WEYL[1]) & 0xFFFFFFFF
    return c0, c1


class PhiloxGenerator:
    """A stream of standard normal numbers; each call of `randn` is one request."""

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)
        self.offset = 0

    def randn(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Standard normal float32 numbers of `shape`, row-major."""
        x, y = philox_4x32(self.offset, int(np.prod(shape)), self.seed)
        self.offset += 1
        u = x.astype(np.float64) * TO_UNIT.astype(np.float64) + TO_UNIT.astype(np.float64) / 2
        v = y.astype(np.float64) * TO_ANGLE.astype(np.float64) + TO_ANGLE.astype(np.float64) / 2
        return (np.sqrt(-2.0 * np.log(u)) * np.sin(v)).astype(np.float32).reshape(tuple(shape))
