"""Brownian motion that can be asked at any time in any order: the noise of the SDE samplers.

A virtual Brownian tree (Li et al., "Scalable Gradients for Stochastic Differential Equations", 2020): the increment over an
interval is split at its midpoint by a Brownian bridge whose noise is a function of the node's seed alone. Node seeds, rounding
and the order of operations are those of torchsde 0.2.6, so that SDE pictures stay the same. Only the path of the last query
is kept: memory is O(log(range / 1e-6)) tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modules.diffusion.rng import NoiseSource, randn

DIGITS = 6
POOL = 24
MAX_ENTROPY = 2**63 - 1

Normal = Callable[[int], Tensor]
"""Standard normal tensor of one image's shape from a 32-bit seed."""


@dataclass(frozen=True)
class _Node:
    """An interval of the tree, its place (k-th of its depth) and the increment over it."""

    k: int
    depth: int
    start: float
    end: float
    increment: Tensor


class BrownianTree:
    """A Wiener process on [t0, t1]; `increment(ta, tb)` = W(tb) − W(ta) for ta <= tb."""

    def __init__(self, t0: float, t1: float, entropy: int, normal: Normal) -> None:
        self.start, self.end = round(float(t0), DIGITS), round(float(t1), DIGITS)
        self._entropy, self._normal = int(entropy), normal
        seed = int(np.random.SeedSequence(self._entropy, pool_size=POOL).generate_state(3)[0])
        self._root = _Node(0, 0, self.start, self.end, normal(seed) * math.sqrt(float(t1) - float(t0)))
        self._path: dict[tuple[int, int], _Node] = {}

    def increment(self, ta: float, tb: float) -> Tensor:
        """W(tb) − W(ta); both times are clamped to the tree's interval and rounded to six decimals."""
        ta, tb = (min(max(round(float(t), DIGITS), self.start), self.end) for t in (ta, tb))
        if ta >= tb:
            return torch.zeros_like(self._root.increment)
        visited: dict[tuple[int, int], _Node] = {}
        pieces: list[Tensor] = []
        self._collect(self._root, ta, tb, pieces, visited)
        self._path = visited
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + piece
        return total

    def _collect(self, node: _Node, ta: float, tb: float, pieces: list[Tensor], visited: dict[tuple[int, int], _Node]) -> None:
        if (node.start, node.end) == (ta, tb):
            pieces.append(node.increment)
            return
        left, right = self._children(node, visited)
        if ta < left.end:
            self._collect(left, ta, min(tb, left.end), pieces, visited)
        if tb > right.start:
            self._collect(right, max(ta, right.start), tb, pieces, visited)

    def _children(self, node: _Node, visited: dict[tuple[int, int], _Node]) -> tuple[_Node, _Node]:
        places = (2 * node.k, node.depth + 1), (2 * node.k + 1, node.depth + 1)
        known = tuple(visited.get(place) or self._path.get(place) for place in places)
        left, right = known if known[0] and known[1] else self._split(node)
        assert left is not None and right is not None
        visited[places[0]], visited[places[1]] = left, right
        return left, right

    def _split(self, node: _Node) -> tuple[_Node, _Node]:
        middle = round((node.start + node.end) / 2, DIGITS)
        span, first, second = node.end - node.start, middle - node.start, node.end - middle
        sequence = np.random.SeedSequence(self._entropy, spawn_key=(node.k, node.depth), pool_size=POOL)
        noise = self._normal(int(sequence.generate_state(4)[0]))
        per_span = 1 / span
        left = first * node.increment * per_span + math.sqrt(first * second * per_span) * noise
        right = node.increment - left
        k, depth = 2 * node.k, node.depth + 1
        return _Node(k, depth, node.start, middle, left), _Node(k + 1, depth, middle, node.end, right)


class BrownianNoiseSampler:
    """Unit-variance noise `sampler(sigma, sigma_next)` [B, C, h, w] from one tree per image, or from one tree for the whole batch.

    shape: (B, C, h, w). seeds: one per image, or None: one tree for the batch with entropy from torch's global CPU generator.
    """

    def __init__(
        self,
        shape: Sequence[int],
        sigma_min: float,
        sigma_max: float,
        seeds: Sequence[int] | None,
        *,
        source: NoiseSource = "GPU",
        device: torch.device | str = "cpu",
        transform: Callable[[Tensor], Tensor] = lambda sigma: sigma,
    ) -> None:
        self._transform = transform
        t0, t1 = self._time(sigma_min), self._time(sigma_max)
        self._sign = 1 if t0 < t1 else -1
        t0, t1 = min(t0, t1), max(t0, t1)
        self._stacked = seeds is not None
        draw_shape = tuple(shape[1:]) if self._stacked else tuple(shape)
        if seeds is None:
            seeds = [int(torch.randint(0, MAX_ENTROPY, []).item())]
        self._trees = [BrownianTree(t0, t1, seed, lambda s: randn(s, draw_shape, source, device)) for seed in seeds]

    def _time(self, sigma: float | Tensor) -> float:
        return float(self._transform(torch.as_tensor(sigma)))

    def __call__(self, sigma: float | Tensor, sigma_next: float | Tensor) -> Tensor:
        start, end = (self._transform(torch.as_tensor(s)) for s in (sigma, sigma_next))
        ta, tb = float(start), float(end)
        sign = self._sign if ta < tb else -self._sign
        increments = [tree.increment(min(ta, tb), max(ta, tb)) * sign for tree in self._trees]
        total = torch.stack(increments) if self._stacked else increments[0]
        return total / (end - start).abs().sqrt()
