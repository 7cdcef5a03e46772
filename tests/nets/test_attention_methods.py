"""Every way to compute attention gives the same values, and running out of memory is not the end."""

from __future__ import annotations

import pytest
import torch

from modules.nets import attention_methods as methods
from modules.nets.attention import attend
from modules.nets.attention_methods import METHODS, AttentionChoice, attention_by, fused, mix, sliced, sub_quadratic


def tensors(tokens: int = 70, keys: int = 90) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, length, 16, generator=generator) for length in (tokens, keys, keys)]


@pytest.mark.parametrize("name", [name for name in METHODS if name != "xformers"])
def test_every_method_gives_the_same(name, assert_close):
    query, key, value = tensors()
    expected = torch.softmax(query @ key.transpose(-1, -2) / 4, dim=-1) @ value
    with attention_by(AttentionChoice(name, query_chunk=32, key_chunk=17)):
        assert_close(mix(query, key, value), expected, 2e-6)


@pytest.mark.parametrize(("rows", "chunk"), [(1, 1), (7, 90), (70, 13), (1000, 1000)])
def test_slices_of_any_size_give_the_same(rows, chunk, assert_close):
    query, key, value = tensors()
    assert_close(sliced(query, key, value, rows), fused(query, key, value), 2e-6)
    assert_close(sub_quadratic(query, key, value, rows, chunk), fused(query, key, value), 2e-6)


def test_large_scores_do_not_overflow_in_chunks(assert_close):
    query, key, value = (t * scale for t, scale in zip(tensors(), (100, 100, 1), strict=True))
    assert_close(sub_quadratic(query, key, value, 16, 16), fused(query, key, value), 2e-5)


def test_the_choice_is_in_force_only_inside(monkeypatch):
    seen = []
    monkeypatch.setitem(METHODS, "V1", lambda q, k, v, choice: seen.append(q.dtype) or fused(q, k, v))
    x = torch.randn(1, 5, 8, dtype=torch.bfloat16)
    with attention_by(AttentionChoice("V1", upcast=True)):
        assert attend(x, x, x, 2).dtype == torch.bfloat16
    attend(x, x, x, 2)
    assert seen == [torch.float32]
    assert methods.current().method == "Automatic"


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="no attention method 'fast'"), attention_by(AttentionChoice("fast")):
        pass


def test_out_of_memory_is_met_with_ever_smaller_slices(monkeypatch, assert_close):
    def too_large(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    rows = []

    def limited(query, key, value, count):
        rows.append(count)
        if count > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sliced(query, key, value, count)

    monkeypatch.setitem(METHODS, "Automatic", too_large)
    monkeypatch.setattr(methods, "sliced", limited)
    query, key, value = tensors()
    assert_close(mix(query, key, value), fused(query, key, value), 2e-6)
    assert rows == [35, 8, 2]


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setitem(METHODS, "Automatic", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        mix(*tensors())


def test_sub_quadratic_works_in_one_piece_below_its_threshold(monkeypatch):
    calls = []
    monkeypatch.setattr(methods, "sub_quadratic", lambda *args: calls.append(args) or fused(*args[:3]))
    for threshold in (None, 100, 0):
        with attention_by(AttentionChoice("sub-quadratic", chunk_threshold=threshold)):
            mix(*tensors())
    assert len(calls) == 2  # not at 100 % of the free memory
