"""A plot's cells drawn in a good order and put together as grids with legends."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from modules.imaging.legend import GridAnnotation

Cell = Callable[[int, int, int], Any]
"""Draws the cell at (x, y, z) and returns its Processed; without pictures where that failed."""


@dataclass
class PlotGrid:
    """What the plot looks like: how many values each axis has, its labels, and what grids are made with.

    `grid(pictures, rows)` puts pictures together, `annotate(grid, width, height, above columns, beside rows, margin)` adds a legend.
    """

    sizes: tuple[int, int, int]
    labels: tuple[Sequence[str], Sequence[str], Sequence[str]]
    grid: Callable[..., Image.Image]
    annotate: Callable[..., Image.Image]
    legend: bool = True
    margin: int = 0
    order: str = "zyx"
    """The axes from the slowest to the fastest."""
    _cells: list[Any] = field(default_factory=list)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """The cells in the order in which they are drawn."""
        size = dict(zip("xyz", self.sizes, strict=True))
        slow, middle, fast = tuple(self.order)
        for first in range(size[slow]):
            for second in range(size[middle]):
                for third in range(size[fast]):
                    at = {slow: first, middle: second, fast: third}
                    yield at["x"], at["y"], at["z"]

    def draw(self, cell: Cell) -> Any:
        """All cells; then a Processed with the whole plot first, the sub-grids, and every cell's picture. None where no cell worked."""
        columns, rows, _ = self.sizes
        cells: dict[int, Any] = {}
        for x, y, z in self.places():
            cells[x + y * columns + z * columns * rows] = cell(x, y, z)
        results = [cells[index] for index in range(len(cells))]
        first = next((result for result in results if result.images), None)
        if first is None:
            return None
        whole = copy.copy(first)
        blank = Image.new(first.images[0].mode, first.images[0].size)
        whole.images = [result.images[0] if result.images else blank.copy() for result in results]
        whole.all_prompts = [result.prompt if result.images else "" for result in results]
        whole.all_seeds = [result.seed if result.images else -1 for result in results]
        whole.infotexts = [result.infotexts[0] if result.images else "" for result in results]
        whole.index_of_first_image = 1
        self._add_grids(whole)
        return whole

    def _add_grids(self, whole: Any) -> None:
        columns, rows, depth = self.sizes
        size = columns * rows
        starts = [z * size for z in range(depth)]
        grids = [self._sub_grid(whole.images[start : start + size]) for start in starts]
        plot = self.grid(grids, rows=1)
        if self.legend:
            titles = [[GridAnnotation(text)] for text in self.labels[2]]
            plot = self.annotate(plot, *_largest(grids), titles, [[GridAnnotation()]], 0)
        texts = [whole.infotexts[start] for start in starts]
        whole.images[:0] = [plot, *grids]
        whole.infotexts[:0] = [texts[0], *texts]
        whole.all_prompts[:0] = [whole.all_prompts[start] for start in starts]
        whole.all_seeds[:0] = [whole.all_seeds[start] for start in starts]

    def _sub_grid(self, pictures: Sequence[Image.Image]) -> Image.Image:
        """One z value's cells, rows by y."""
        grid = self.grid(pictures, rows=self.sizes[1])
        if not self.legend:
            return grid
        above, beside = ([[GridAnnotation(text)] for text in texts] for texts in self.labels[:2])
        return self.annotate(grid, *_largest(pictures), above, beside, self.margin)


def _largest(pictures: Sequence[Image.Image]) -> tuple[int, int]:
    return max(picture.width for picture in pictures), max(picture.height for picture in pictures)


def drawing_order(costs: tuple[float, float, float]) -> str:
    """The axes x, y, z from the slowest to the fastest: what is dear to change changes least; equal ones z, y, x."""
    x, y, z = costs
    if x > y and x > z:
        return "xyz" if y > z else "xzy"
    if y > x and y > z:
        return "yxz" if x > z else "yzx"
    return "zxy" if x > y else "zyx"
