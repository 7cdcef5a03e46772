"""The small networks of a hypernetwork, which change what attention makes its keys and values from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    name.lower(): getattr(nn.modules.activation, name) for name in nn.modules.activation.__all__ if name != "MultiheadAttention"
}
ACTIVATIONS["swish"] = nn.Hardswish  # A1111: the name stands for the piecewise approximation
PASSED = ("linear", None)
"""Names of no activation at all."""
DEFAULT_DROPOUT = 0.3


@dataclass(frozen=True)
class HypernetworkConfig:
    """Build of a hypernetwork's networks: layer widths as multiples of the context's, and what stands between the layers.

    `dropout` has a probability for each entry of `structure`, the first of no meaning. `activate_output` puts the activation behind the
    last layer as well. Raises ValueError for an unknown activation or a structure that does not begin and end with 1.
    """

    structure: tuple[float, ...] = (1, 2, 1)
    activation: str | None = None
    layer_norm: bool = False
    activate_output: bool = False
    dropout: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.structure) < 2 or self.structure[0] != 1 or self.structure[-1] != 1:
            raise ValueError(f"the layer structure {self.structure} does not begin and end with 1")
        if any(not 0 < factor <= 64 for factor in self.structure):
            raise ValueError(f"the layer structure {self.structure} has impossible widths")
        if self.activation not in PASSED and self.activation not in ACTIVATIONS:
            raise ValueError(f"there is no activation function '{self.activation}'; there are {', '.join(sorted(ACTIVATIONS))}")
        if self.dropout and len(self.dropout) != len(self.structure):
            raise ValueError("dropout needs one entry for each entry of the layer structure")


class HypernetworkModule(nn.Module):
    """x + strength · net(x) for a context [B, T, dim]; every element of the chain counts in the names `linear.N`."""

    def __init__(self, dim: int, config: HypernetworkConfig) -> None:
        super().__init__()
        self.linear = nn.Sequential(*_chain(dim, config))

    def forward(self, x: Tensor, strength: float = 1.0) -> Tensor:
        return x + self.linear(x) * strength


def default_dropout(structure: Sequence[float], last: bool) -> tuple[float, ...]:
    """Dropout of files that only say whether there is any: 0.3 behind all layers but the last two, `last` also behind the last but one."""
    inner = [DEFAULT_DROPOUT] * max(len(structure) - 3, 0)
    return (0, *inner, DEFAULT_DROPOUT if last else 0, 0)[: len(structure)]


def _chain(dim: int, config: HypernetworkConfig) -> list[nn.Module]:
    layers: list[nn.Module] = []
    last = len(config.structure) - 2
    for index, (before, after) in enumerate(zip(config.structure, config.structure[1:], strict=False)):
        layers.append(nn.Linear(int(dim * before), int(dim * after)))
        if config.activation not in PASSED and (index < last or config.activate_output):
            layers.append(ACTIVATIONS[config.activation]())  # type: ignore[index]
        if config.layer_norm:
            layers.append(nn.LayerNorm(int(dim * after)))
        if config.dropout and config.dropout[index + 1] > 0:
            layers.append(nn.Dropout(p=config.dropout[index + 1]))
    return layers
