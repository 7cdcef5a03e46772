"""A plot of a request over up to three axes: the axes' values, the cells, the infotexts (generation.md §10.2 of the reference)."""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from modules.extend.host import current
from modules.extend.plot_grid import PlotGrid, drawing_order
from modules.extend.plot_values import decimal_numbers, join_values, split_values, whole_numbers
from modules.pipeline import process, runtime
from modules.pipeline.processed import Processed
from modules.pipeline.processing import RequestError
from modules.pipeline.recipe import create_infotext

log = logging.getLogger(__name__)

SEED_AXES = ("Seed", "Var. seed")
SEEDS = 4294967294


def str_permutations(x: Any) -> Any:
    """Type of the values that are orders of words; only told apart from other types."""
    return x


class Axis:
    """One axis of a plot: its option, what was typed, and the values."""

    def __init__(self, p: Any, option: Any, text: str | None, chosen: Sequence[str] | None, csv_mode: bool) -> None:
        self.option, self.text = option, text or ""
        if option.choices is not None and not csv_mode:
            self.text = join_values(list(chosen or []))
        self.values = self._values(p, list(chosen or []), csv_mode)

    def _values(self, p: Any, chosen: list[str], csv_mode: bool) -> list[Any]:
        option = self.option
        if option.label == "Nothing":
            return [0]
        if option.choices is not None and not csv_mode:
            entries = chosen
        elif option.prepare is not None:
            entries = option.prepare(self.text)
        else:
            entries = split_values(self.text)
        try:
            values = _typed(option, entries)
        except ValueError as error:
            raise RequestError("script_args", f"{option.label}: {error}") from error
        if option.confirm:
            option.confirm(p, values)
        if not values:
            raise RequestError("script_args", f"{option.label} has no values; give some, or choose Nothing as its type")
        return values

    def fix_seeds(self) -> None:
        """Give the random seeds of a seed axis their numbers."""
        if self.option.label in SEED_AXES:
            self.values = [random.randrange(SEEDS) if value in (None, "", -1) else value for value in self.values]

    def infotext(self, name: str, fixed: bool) -> dict[str, Any]:
        """What the plot's infotext says about the axis called `name`."""
        if self.option.label == "Nothing":
            return {}
        told = {f"{name} Type": self.option.label, f"{name} Values": self.text}
        if self.option.label in SEED_AXES and fixed:
            told[f"Fixed {name} Values"] = ", ".join(str(value) for value in self.values)
        return told


def _typed(option: Any, entries: list[str]) -> list[Any]:
    if option.type is int:
        return whole_numbers(entries)
    if option.type is float:
        return decimal_numbers(entries)
    if option.type is str_permutations:
        return list(permutations(entries))
    return [option.type(entry) for entry in entries]


class Plot:
    """A request, its axes, and the infotexts of the grids: the whole plot's, then each z value's.

    `vary_seeds` says for which axes seeds go up from cell to cell, `fixed` that a random seed is the same for all cells;
    `images` makes grids and legends (the module of that name). Raises RequestError for a plot beyond the size limit.
    """

    def __init__(self, p: Any, axes: Sequence[Axis], vary_seeds: Sequence[bool], fixed: bool, title: str, images: Any) -> None:
        self.p, self.axes, self.vary_seeds, self.fixed, self.title = p, list(axes), vary_seeds, fixed, title
        self.images = images
        self.sizes = len(axes[0].values), len(axes[1].values), len(axes[2].values)
        self.infotexts = [""] * (1 + self.sizes[2])
        self.error: Exception | None = None
        self.state = current().state
        count = self.sizes[0] * self.sizes[1] * self.sizes[2]
        megapixels, limit = round(count * p.width * p.height / 1_000_000), current().opts.img_max_size_mp
        if megapixels >= limit:
            raise RequestError("script_args", f"the grid would have {megapixels} MP; the limit is {limit} MP (setting img_max_size_mp)")
        self.state.job_count = count * p.n_iter * (2 if getattr(p, "enable_hr", False) else 1)

    def draw(self, legend: bool, margin: int) -> Processed:
        """All cells and their grids. Raises the cells' error where none of them worked."""
        labels = [[str(axis.option.format_value(self.p, axis.option, value)) for value in axis.values] for axis in self.axes]
        costs = [axis.option.cost for axis in self.axes]
        grid = PlotGrid(
            self.sizes,
            (labels[0], labels[1], labels[2]),
            lambda pictures, rows: self.images.image_grid(pictures, rows=rows),
            self.images.draw_grid_annotations,
            legend,
            margin,
            drawing_order((costs[0], costs[1], costs[2])),
        )
        processed: Processed | None = grid.draw(self.cell)
        if processed is None and self.error is not None:
            raise self.error
        return processed or self._nothing()

    def _nothing(self) -> Processed:
        return Processed(self.p, [], self.p.seed, "")

    def cell(self, x: int, y: int, z: int) -> Processed:
        """The picture of one combination; nothing where it failed or the job was stopped."""
        p = self.p
        if self.state.interrupted or self.state.stopping_generation:
            return self._nothing()
        one = copy.copy(p)
        one.styles, one.override_settings = list(p.styles), dict(p.override_settings)
        one.extra_generation_params = dict(p.extra_generation_params)
        if not self.fixed and getattr(p, "asks_random_seed", False):
            one.seed = random.Random(f"{p.seed}/{x}/{y}/{z}").randrange(SEEDS)
        for axis, index in zip(self.axes, (x, y, z), strict=True):
            axis.option.apply(one, axis.values[index], axis.values)
        self._vary_seed(one, (x, y, z))
        try:
            processed = process.process_images(one, runtime.current())
        except Exception as error:
            log.exception("a cell of the plot failed and stays blank")
            self.error = self.error or error
            return self._nothing()
        if x == y == 0:
            self._tell(one, z)
        return processed

    def _vary_seed(self, one: Any, place: tuple[int, int, int]) -> None:
        step = 1
        for index, size, vary in zip(place, self.sizes, self.vary_seeds, strict=True):
            if vary:
                one.seed = [seed + index * step for seed in one.seed] if isinstance(one.seed, list) else one.seed + index * step
                step *= size

    def _tell(self, one: Any, z: int) -> None:
        """The infotext of the z value's grid, and of the whole plot."""
        own = one.extra_generation_params
        told = {**own, "Script": self.title, **self.axes[0].infotext("X", self.fixed), **self.axes[1].infotext("Y", self.fixed)}
        one.extra_generation_params = told
        self.infotexts[1 + z] = create_infotext(one.run, 0)
        if z == 0:
            one.extra_generation_params = {**told, **self.axes[2].infotext("Z", self.fixed)}
            self.infotexts[0] = create_infotext(one.run, 0)
        one.extra_generation_params = own
