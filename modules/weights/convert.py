"""From any readable weight file to safetensors, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from modules.weights.open_tensors import open_tensors
from modules.weights.safetensors_writer import Planned, write_safetensors

if TYPE_CHECKING:
    import torch

    from modules.weights.weight_file import WeightFile

EMA = "model_ema."
SIMPLE = (str, int, float, bool)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    half: bool = False,
    no_ema: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write the tensors of `source` to the safetensors file `target`; returns how many there are.

    `half` stores float32 and float64 as float16; `no_ema` leaves out the averaged second copy of a training checkpoint.
    Metadata are kept, and so are a pickle's numbers and texts. Asking for it is consent to read a pickle, whatever the
    setting. Raises a WeightsError.
    """
    with open_tensors(source, consent=True) as file:
        names = [name for name in file.tensors if not (no_ema and name.startswith(EMA))]
        plan = {name: Planned(_target_dtype(file.tensors[name].dtype, half), file.tensors[name].shape) for name in names}
        read = _reader(file, plan)
        write_safetensors(target, plan, read, metadata_of(file), overwrite=overwrite, progress=progress)
        return len(plan)


def metadata_of(file: WeightFile) -> dict[str, str]:
    """Metadata for the new file: what was there, a pickle's short values as text, and the customary `format`."""
    kept = {str(name): str(value) for name, value in file.values.items() if isinstance(value, SIMPLE) and len(str(value)) < 10_000}
    return {**kept, "format": "pt"}


def _reader(file: WeightFile, plan: dict[str, Planned]) -> Callable[[str], torch.Tensor]:
    import torch

    from modules.weights.mapped import TORCH_DTYPES

    return lambda name: file.read(name, getattr(torch, TORCH_DTYPES[plan[name].dtype]))


def _target_dtype(stored: str, half: bool) -> str:
    return "F16" if half and stored in ("F32", "F64") else stored
