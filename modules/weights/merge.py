"""Merging checkpoints, tensor by tensor: memory holds one tensor of each model at a time (generation.md §10.9)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modules.weights.checkpoint_writer import write_checkpoint
from modules.weights.errors import WeightsError
from modules.weights.keymap import vae_keys
from modules.weights.mapped import TORCH_DTYPES
from modules.weights.merge_formula import (
    METHODS,
    FormulaError,
    add_difference,
    merged,
    result_dtype,
    special_kind,
    takes_part,
    weighted_sum,
)
from modules.weights.merge_recipe import MergeRequest, config_of, file_stem, metadata_of
from modules.weights.open_tensors import open_tensors
from modules.weights.safetensors_writer import Planned, Progress, dtype_name, write_safetensors
from modules.weights.weight_file import WeightFile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NEEDED = {"No interpolation": 1, "Weighted sum": 2, "Add difference": 3}
"""Models that a method looks at."""

VAE_PREFIX = "first_stage_model."
OLD_CLIP = re.compile(r"^cond_stage_model\.transformer\.(?=(?:embeddings|encoder|final_layer_norm)\.)")


class MergeError(WeightsError):
    """A merge that cannot be made; the message says which model or field is at fault."""


def merge(request: MergeRequest, folder: Path, *, overwrite: bool = False, progress: Progress | None = None) -> Path:
    """Write the merged checkpoint into `folder`, with a copy of its `.yaml`; returns its path.

    Everything that can be wrong with the models is found before the first byte is written. Raises MergeError, AlreadyThere,
    WriteFailed or another WeightsError.
    """
    _check(request)
    request = _without_unused(request)
    with ExitStack() as stack:
        files = [stack.enter_context(open_tensors(item.path, kind="checkpoint")) for item in request.ingredients]
        vae = stack.enter_context(open_tensors(request.bake_in_vae, kind="VAE")) if request.bake_in_vae else None
        work = _Merger(request, files, vae)
        target = folder / f"{file_stem(request, work.special)}.{request.format}"
        if request.format == "ckpt":
            write_checkpoint(target, work.plan, work.read, overwrite=overwrite, progress=progress)
        else:
            metadata = metadata_of(request, [file.metadata for file in files], work.special)
            write_safetensors(target, work.plan, work.read, metadata, overwrite=overwrite, progress=progress)
    config = config_of(request)
    if config is not None and config != target.with_suffix(".yaml"):
        shutil.copyfile(config, target.with_suffix(".yaml"))
    return target


class _Merger:
    """The plan of a merge, and each of its tensors on demand."""

    def __init__(self, request: MergeRequest, files: list[WeightFile], vae: WeightFile | None) -> None:
        self._request = request
        self._a, *self._others = files
        self._names = [_canonical(file) for file in files]
        self._vae = vae
        self._vae_names = vae_keys(vae.keys()) if vae is not None else {}
        self.special: str | None = None
        self.plan: dict[str, Planned] = {}
        for key in self._kept_keys():
            self.plan[key] = self._planned(key)

    def read(self, key: str) -> Tensor:
        """The finished tensor of the result."""
        import torch

        vae_key = self._baked(key)
        result = self._vae.read(vae_key) if self._vae is not None and vae_key is not None else self._merged(key)
        return result.half() if self._request.save_as_half and result.dtype == torch.float32 else result

    def _kept_keys(self) -> list[str]:
        discarded = _pattern(self._request)
        return [key for key in self._names[0] if discarded is None or not discarded.search(key)]

    def _planned(self, key: str) -> Planned:
        import torch

        shape, dtype = self._a.tensors[self._names[0][key]].shape, self._dtype(self._a, self._names[0][key])
        vae_key = self._baked(key)
        if vae_key is not None and self._vae is not None:
            dtype = self._dtype(self._vae, vae_key)
            if self._vae.tensors[vae_key].shape != shape:
                raise MergeError(self._vae.path, f"is no VAE for this model: '{vae_key}' has another shape", kind="VAE")
        elif self._partners(key):
            special = self._special(key)
            partners = [self._dtype(file, name) for file, name in self._partners(key)]
            dtype = result_dtype(dtype, partners, special is not None, self._request.method)
        if self._request.save_as_half and dtype == torch.float32:
            dtype = torch.float16
        return Planned(dtype_name(dtype), shape)

    def _merged(self, key: str) -> Tensor:
        a = self._a.read(self._names[0][key])
        partners = [file.read(name) for file, name in self._partners(key)]
        if not partners:
            return a
        multiplier = self._request.multiplier
        if self._request.method == "Weighted sum":
            return merged(a, partners[0], lambda first, second: weighted_sum(first, second, multiplier))
        third = partners[1] if len(partners) > 1 else None
        return merged(a, partners[0], lambda first, second: add_difference(first, second, third, multiplier))

    def _partners(self, key: str) -> list[tuple[WeightFile, str]]:
        """The files that this tensor is merged with, and its name in each: none, B, or B and C."""
        if self._request.method == "No interpolation" or not takes_part(key) or key not in self._names[1]:
            return []
        used = self._others if self._request.method == "Add difference" else self._others[:1]
        return [(file, names[key]) for file, names in zip(used, self._names[1:], strict=False) if key in names]

    def _special(self, key: str) -> str | None:
        """What A is if this tensor tells it; also remembers it. Raises MergeError for shapes that do not go together."""
        shapes = [file.tensors[name].shape for file, name in self._partners(key)]
        try:
            found = special_kind(self._a.tensors[self._names[0][key]].shape, shapes[0])
        except FormulaError as error:
            raise MergeError(self._a.path, f"cannot be merged: '{key}' {error}", kind="checkpoint") from error
        if len(shapes) > 1 and shapes[1] != shapes[0]:
            raise MergeError(self._a.path, f"cannot be merged: '{key}' has other shapes in B and C", kind="checkpoint")
        self.special = found or self.special
        return found

    def _baked(self, key: str) -> str | None:
        """The VAE file's name for a tensor that it replaces."""
        return self._vae_names.get(key.removeprefix(VAE_PREFIX)) if key.startswith(VAE_PREFIX) else None

    def _dtype(self, file: WeightFile, name: str) -> torch.dtype:
        import torch

        dtype: torch.dtype = getattr(torch, TORCH_DTYPES[file.tensors[name].dtype])
        return dtype


def _canonical(file: WeightFile) -> Mapping[str, str]:
    """Key -> the file's own; CLIP keys from before the `text_model.` level get it, so that old and new files match."""
    return {OLD_CLIP.sub("cond_stage_model.transformer.text_model.", key): key for key in file.tensors}


def _check(request: MergeRequest) -> None:
    path = request.primary.path
    if request.method not in METHODS:
        raise MergeError(path, f"cannot be merged by '{request.method}'; the methods are {', '.join(METHODS)}", kind="checkpoint")
    given = [request.primary, request.secondary, request.tertiary][: NEEDED[request.method]]
    for letter, item in zip("ABC", given, strict=False):
        if item is None:
            raise MergeError(path, f"cannot be merged: '{request.method}' needs a model {letter}", kind="checkpoint")
    if request.format not in ("safetensors", "ckpt"):
        raise MergeError(path, f"cannot be written as '{request.format}'; choose safetensors or ckpt", kind="checkpoint")
    name = request.custom_name
    if name != Path(name).name.strip() or "\0" in name or "\\" in name or name.startswith("."):
        raise MergeError(path, f"cannot be merged under the name {name!r}; choose one without folders", kind="checkpoint")
    _pattern(request)


def _without_unused(request: MergeRequest) -> MergeRequest:
    """The request without models that its method does not look at: they are no part of the recipe."""
    count = NEEDED[request.method]
    return replace(request, secondary=request.secondary if count > 1 else None, tertiary=request.tertiary if count > 2 else None)


def _pattern(request: MergeRequest) -> re.Pattern[str] | None:
    try:
        return re.compile(request.discard_weights) if request.discard_weights else None
    except re.error as error:
        problem = f"cannot be merged: the expression for weights to discard is not valid ({error})"
        raise MergeError(request.primary.path, problem, kind="checkpoint") from error
