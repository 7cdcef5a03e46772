"""Reading sizes off the shapes of a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping

from modules.weights.family import Shape

PartShapes = Mapping[str, Shape]

MAX_COUNT = 128


class ShapeError(ValueError):
    """The tensors do not form a network of a known build; the message is a clause about the file."""


class YamlMismatch(ValueError):
    """The `.yaml` does not fit the weights; the message is a clause about it."""


def count(shapes: PartShapes, template: str) -> int:
    """How many of template.format(0), template.format(1), … there are without a gap."""
    number = 0
    while template.format(number) in shapes:
        number += 1
    if number > MAX_COUNT:
        raise ShapeError(f"has {number} layers where no model has more than {MAX_COUNT}")
    return number


def dim(shapes: PartShapes, key: str, axis: int) -> int:
    """The size of one axis of a tensor; raises ShapeError as `dims` does."""
    return dims(shapes, key, axis + 1)[axis]


def dims(shapes: PartShapes, key: str, axes: int) -> tuple[int, ...]:
    """The first `axes` sizes of a tensor; raises ShapeError if it is absent, has fewer axes or an empty one."""
    shape = shapes.get(key)
    if shape is None:
        raise ShapeError(f"lacks '{key}'")
    if len(shape) < axes or 0 in shape:
        raise ShapeError(f"has '{key}' in the impossible shape {list(shape)}")
    return shape[:axes]


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of `number` that is at most `limit`."""
    return next(divisor for divisor in range(min(number, limit), 0, -1) if number % divisor == 0)


def ratio(hidden: int, width: int) -> float:
    """hidden / width, such that the integer part of width times it is exactly `hidden`."""
    quotient = hidden / width
    return quotient if int(width * quotient) == hidden else (hidden + 0.5) / width


def require_divides(part: int, whole: int, name: str) -> None:
    """Raises YamlMismatch unless `part` divides the network's width."""
    if part < 1 or whole % part:
        raise YamlMismatch(f"gives {name} as {part}, which does not divide the network's width {whole}; correct or remove it")
