"""Ways to compute attention: all give the same values up to rounding and differ in speed and memory.

The names are those of the setting `cross_attention_optimization` of A1111. Queries, keys and values are [B, H, T, D].
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from modules.nets.memory import free_memory, is_out_of_memory, release

SHARE = 0.5
"""Part of the free memory that the scores of one slice may take."""
FALLBACK_ROWS = 1024
LEAST_KEYS = 512


@dataclass(frozen=True)
class AttentionChoice:
    """A method by its name, and its numbers.

    `upcast` computes in float32 whatever the network's type. Chunks are tokens; `chunk_threshold` is a percentage of the
    free memory up to which sub-quadratic attention works in one piece.
    """

    method: str = "Automatic"
    upcast: bool = False
    query_chunk: int = 1024
    key_chunk: int | None = None
    chunk_threshold: int | None = None


AUTOMATIC = AttentionChoice()
_in_force: ContextVar[AttentionChoice] = ContextVar("attention", default=AUTOMATIC)


def current() -> AttentionChoice:
    """The choice in force."""
    return _in_force.get()


@contextmanager
def attention_by(choice: AttentionChoice) -> Iterator[None]:
    """While it is open, networks run by this thread compute attention this way. Raises ValueError for an unknown method."""
    if choice.method not in METHODS:
        raise ValueError(f"no attention method '{choice.method}'; there are {', '.join(METHODS)}")
    token = _in_force.set(choice)
    try:
        yield
    finally:
        _in_force.reset(token)


def mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(D)) v [B, H, Tq, D] by the method in force; where its memory does not suffice, in slices."""
    choice = _in_force.get()
    dtype = value.dtype
    if choice.upcast and dtype != torch.float32:
        query, key, value = query.float(), key.float(), value.float()
    try:
        return METHODS[choice.method](query, key, value, choice).to(dtype)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return _in_ever_smaller_slices(query, key, value).to(dtype)


def fused(query: Tensor, key: Tensor, value: Tensor, *, causal: bool = False) -> Tensor:
    """torch's own kernel: flash or memory-efficient where the device has one."""
    if query.device.type == "cpu":  # read once per block of queries: worth a copy that lies head by head
        key, value = key.contiguous(), value.contiguous()
    return functional.scaled_dot_product_attention(query, key, value, is_causal=causal)


def sliced(query: Tensor, key: Tensor, value: Tensor, rows: int) -> Tensor:
    """Exact attention for `rows` queries at a time: scores take rows * Tk, not Tq * Tk."""
    scale = query.shape[-1] ** -0.5
    keys = (key * scale).transpose(-1, -2)
    mixed = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=value.dtype, device=value.device)
    for start in range(0, query.shape[-2], rows):
        piece = slice(start, start + rows)
        mixed[..., piece, :] = torch.softmax(query[..., piece, :] @ keys, dim=-1) @ value
    return mixed


def sub_quadratic(query: Tensor, key: Tensor, value: Tensor, query_chunk: int, key_chunk: int) -> Tensor:
    """Attention with memory of one chunk of queries times one chunk of keys (Rabe & Staats 2021, algorithm 1).

    Sums over chunks of keys are kept relative to the largest score seen so far, in float32.
    """
    mixed = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=value.dtype, device=value.device)
    scale = query.shape[-1] ** -0.5
    for start in range(0, query.shape[-2], query_chunk):
        piece = slice(start, start + query_chunk)
        mixed[..., piece, :] = _over_keys(query[..., piece, :] * scale, key, value, key_chunk)
    return mixed


def _over_keys(query: Tensor, key: Tensor, value: Tensor, chunk: int) -> Tensor:
    peak = query.new_full((*query.shape[:-1], 1), -math.inf, dtype=torch.float32)
    weight = torch.zeros_like(peak)
    total = torch.zeros((*query.shape[:-1], value.shape[-1]), dtype=torch.float32, device=query.device)
    for start in range(0, key.shape[-2], chunk):
        keys, values = key[..., start : start + chunk, :], value[..., start : start + chunk, :]
        scores = (query @ keys.transpose(-1, -2)).float()
        higher = torch.maximum(peak, scores.amax(dim=-1, keepdim=True))
        shares, fade = torch.exp(scores - higher), torch.exp(peak - higher)
        weight = weight * fade + shares.sum(dim=-1, keepdim=True)
        total = total * fade + (shares.to(values.dtype) @ values).float()
        peak = higher
    return (total / weight).to(value.dtype)


def rows_that_fit(query: Tensor, key: Tensor) -> int:
    """Queries whose scores, in three copies, fit into the share of the free memory; all of them where it is unknown."""
    free = free_memory(query.device)
    tokens = query.shape[-2]
    if free is None:
        return tokens
    per_row = query.shape[0] * query.shape[1] * key.shape[-2] * query.element_size() * 3
    return max(1, min(tokens, int(free * SHARE) // per_row))


def _in_ever_smaller_slices(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Sliced attention with fewer rows after each failure. Raises the device's own error when a single row is too much."""
    rows = min(FALLBACK_ROWS, max(1, query.shape[-2] // 2))
    while True:
        release()
        try:
            return sliced(query, key, value, rows)
        except (RuntimeError, MemoryError) as error:
            if rows == 1 or not is_out_of_memory(error):
                raise
        rows = max(1, rows // 4)


def _fused(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    return fused(query, key, value)


def _fused_without_memory_efficient(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]):
        return fused(query, key, value)


def _by_free_memory(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    return sliced(query, key, value, rows_that_fit(query, key))


def _head_by_head(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    tokens = query.shape[-2]
    return torch.cat([sliced(q, k, v, tokens) for q, k, v in zip(*(t.split(1, dim=1) for t in (query, key, value)), strict=True)], dim=1)


def _plain(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    return sliced(query, key, value, query.shape[-2])


def _sub_quadratic(query: Tensor, key: Tensor, value: Tensor, choice: AttentionChoice) -> Tensor:
    if choice.chunk_threshold is not None and (free := free_memory(query.device)) is not None:
        needed = query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2] * query.element_size()
        if needed <= free * choice.chunk_threshold / 100:
            return fused(query, key, value)
    keys = choice.key_chunk or max(LEAST_KEYS, math.isqrt(key.shape[-2]))
    return sub_quadratic(query, key, value, max(1, choice.query_chunk), keys)


def _xformers(query: Tensor, key: Tensor, value: Tensor, _: AttentionChoice) -> Tensor:
    from xformers.ops import memory_efficient_attention  # type: ignore[import-not-found,unused-ignore]

    queries, keys, values = (t.transpose(1, 2).contiguous() for t in (query, key, value))
    mixed: Tensor = memory_efficient_attention(queries, keys, values)
    return mixed.transpose(1, 2)


METHODS: dict[str, Callable[[Tensor, Tensor, Tensor, AttentionChoice], Tensor]] = {
    "Automatic": _fused,
    "xformers": _xformers,
    "Doggettx": _by_free_memory,
    "sdp-no-mem": _fused_without_memory_efficient,
    "sdp": _fused,
    "sub-quadratic": _sub_quadratic,
    "V1": _head_by_head,
    "InvokeAI": _by_free_memory,
    "None": _plain,
}
"""Methods by the names A1111 gives them. `None` is attention as in the paper, all scores at once."""


TITLES = {
    "sdp-no-mem": "sdp-no-mem - scaled dot product without memory efficient attention",
    "sdp": "sdp - scaled dot product",
    "V1": "V1 - original v1",
}
"""Names as the settings show them, where that is more than the name."""


def choices() -> list[str]:
    """What the setting `cross_attention_optimization` offers; a value's name is what stands before " - "."""
    return [TITLES.get(name, name) for name in METHODS if name != "xformers" or has_xformers()]


def has_xformers() -> bool:
    """Whether xformers is installed; it is not imported."""
    return importlib.util.find_spec("xformers") is not None
