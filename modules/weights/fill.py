"""A network without storage, and filling it from a file: names and shapes first, then one tensor after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from modules.weights.errors import MissingKeys, UnsupportedFamily, WrongShape
from modules.weights.weight_file import WeightFile

log = logging.getLogger(__name__)

FLOATS = frozenset(("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"))
POSITION_IDS = "position_ids"


class WithoutInit(TorchFunctionMode):
    """Leaves out the random initialisation of weights, which does nothing on the meta device but costs time.

    (A mere `weight * 0.01` there imports torch's whole compiler, which takes seconds.)
    """

    FILLS = frozenset((Tensor.uniform_, Tensor.normal_, Tensor.fill_, Tensor.zero_))
    SCALINGS = frozenset((Tensor.mul, Tensor.__mul__, Tensor.__rmul__))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.randn:
            return torch.empty(*args, **kwargs)
        if func in self.SCALINGS and isinstance(args[1], (int, float)):
            return args[0]
        if func in self.FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class NetFiller:
    """One network and the tensors of a file that belong to it.

    `keys` maps the network's names to the file's; tensors whose name starts with one of `spare` may be absent and become
    zeros. Building checks names, shapes and dtypes and raises MissingKeys, WrongShape or UnsupportedFamily.
    """

    def __init__(
        self, file: WeightFile, part: str, build: Callable[[], nn.Module], keys: Mapping[str, str], spare: tuple[str, ...] = ()
    ) -> None:
        self.file = file
        self.part = part
        self.keys = keys
        self.net: Any = self._without_storage(build)  # Any: the caller knows which class it asked for
        self.wanted: dict[str, Tensor] = dict(self.net.state_dict())
        self.absent = self._check_names(spare)
        self._check_tensors()

    def fill(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Read every tensor as `dtype` onto `device`; the network is then in evaluation mode and without gradients."""
        state: dict[str, Tensor] = {}
        for name, meta in self.wanted.items():
            if name.endswith(POSITION_IDS):
                state[name] = self._position_ids(name, meta).to(device)
            elif name in self.absent:
                state[name] = torch.zeros(meta.shape, dtype=dtype, device=device)
            else:
                tensor = self.file.read(self.keys[name], dtype, device)
                state[name] = tensor.reshape(meta.shape)
        self.net.load_state_dict(state, strict=True, assign=True)
        self.net.eval().requires_grad_(False)

    def _without_storage(self, build: Callable[[], nn.Module]) -> nn.Module:
        try:
            with torch.device("meta"), WithoutInit():
                return build()
        except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            problem = f"has a {self.part} of impossible sizes ({reason}); choose another one"
            raise WrongShape(self.file.path, problem, kind=self.file.kind) from error

    def _check_names(self, spare: tuple[str, ...]) -> frozenset[str]:
        """Names that the file lacks and may lack."""
        lacking = [name for name in self.wanted if name not in self.keys and not name.endswith(POSITION_IDS)]
        missing = [name for name in lacking if not name.startswith(spare)] if spare else lacking
        if missing:
            examples = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            problem = f"lacks {len(missing)} of the {len(self.wanted)} tensors of its {self.part}: {examples}; download it again"
            raise MissingKeys(self.file.path, problem, keys=missing, kind=self.file.kind)
        unexpected = self.keys.keys() - self.wanted.keys()
        if unexpected:
            log.info("%s: %d unused tensors in its %s, as %s", self.file.path.name, len(unexpected), self.part, min(unexpected))
        return frozenset(lacking)

    def _check_tensors(self) -> None:
        for name, meta in self.wanted.items():
            if name in self.absent or name.endswith(POSITION_IDS):
                continue
            info = self.file.tensors[self.keys[name]]
            if not _fits(info.shape, tuple(meta.shape)):
                problem = (
                    f"has '{self.keys[name]}' in shape {list(info.shape)} where {list(meta.shape)} is needed; "
                    "download it again or choose another one"
                )
                raise WrongShape(self.file.path, problem, kind=self.file.kind)
            if info.dtype not in FLOATS:
                problem = f"is quantized ('{self.keys[name]}' is {info.dtype}), which is not built in yet; take its fp16 version"
                raise UnsupportedFamily(self.file.path, problem, family="quantized", kind=self.file.kind)

    def _position_ids(self, name: str, meta: Tensor) -> Tensor:
        """The file's position numbers in their own dtype, or 0, 1, 2, … where it has none or impossible ones.

        An index beyond the table would fail in the middle of a picture, and on a GPU take the whole process with it.
        """
        key = self.keys.get(name)
        length = meta.shape[-1]
        if key is not None and self.file.tensors[key].shape in ((length,), (1, length)):
            ids = self.file.read(key).reshape(1, length)
            if not ids.is_complex() and bool(((ids.double() >= 0) & (ids.double() < length)).all()):
                return ids
        if key is not None:
            log.warning("%s: '%s' holds no position numbers and is ignored", self.file.path.name, key)
        return torch.arange(length, device="cpu")[None]


def _fits(stored: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Equal, or a matrix stored as a 1x1 convolution or the other way round."""
    if stored == wanted:
        return True
    longer, shorter = (stored, wanted) if len(stored) > len(wanted) else (wanted, stored)
    return len(shorter) == 2 and longer == (*shorter, 1, 1)
