"""Emphasis modes on a text encoder's output, and the old emphasis on tokens."""

from __future__ import annotations

import pytest

from modules.prompt.emphasis import apply_emphasis, emphasis_mode, parses_attention
from modules.prompt.errors import PromptError
from modules.prompt.old_emphasis import bracket_factors, tokenize_line_old
from modules.prompt.tokenizer import Tokenizer

torch = pytest.importorskip("torch")

CLIP = Tokenizer()


def states_and_weights() -> tuple[torch.Tensor, list[list[float]]]:
    z = torch.randn(2, 77, 8, generator=torch.Generator().manual_seed(1)) + 0.5
    return z, [[1.0] * 70 + [1.3] * 7, [0.5] * 77]


@pytest.mark.parametrize("mode", ["None", "Ignore"])
def test_modes_without_effect(mode: str) -> None:
    z, weights = states_and_weights()
    assert torch.equal(apply_emphasis(z, weights, mode), z)


def test_no_norm_multiplies() -> None:
    z, weights = states_and_weights()
    assert torch.equal(apply_emphasis(z, weights, "No norm"), z * torch.tensor(weights)[..., None])


def test_original_keeps_the_mean_of_the_whole_batch() -> None:
    z, weights = states_and_weights()
    weighted = apply_emphasis(z, weights, "Original")
    assert torch.allclose(weighted.mean(), z.mean())
    assert not torch.allclose(weighted[0].mean(), z[0].mean())
    ratio = weighted / apply_emphasis(z, weights, "No norm")
    assert torch.allclose(ratio, ratio[0, 0, 0].expand_as(ratio))
    assert torch.equal(apply_emphasis(z, weights, "no such mode"), weighted)


def test_half_precision_stays_half() -> None:
    z, weights = states_and_weights()
    assert apply_emphasis(z.half(), weights, "Original").dtype == torch.float16


def test_names() -> None:
    assert emphasis_mode("No norm") == "No norm"
    assert emphasis_mode("?") == "Original"
    assert [parses_attention(mode) for mode in ("None", "Ignore", "Original", "No norm", "?")] == [False, True, True, True, True]


def test_old_emphasis_multiplies_along_the_brackets() -> None:
    chunk, count, overflow = tokenize_line_old("a ((cat)) [dog] mat", CLIP)
    a, cat, dog, mat = CLIP.encode("a cat dog mat")
    assert chunk.tokens[:6] == [CLIP.start_id, a, cat, dog, mat, CLIP.end_id]
    assert chunk.multipliers[:6] == pytest.approx([1, 1, 1.21, 1 / 1.1, 1, 1])
    assert (count, overflow, len(chunk.tokens), len(chunk.multipliers)) == (4, "", 77, 77)


def test_old_emphasis_knows_no_numbers() -> None:
    chunk, count, _ = tokenize_line_old("(cat:1.4)", CLIP)
    assert count == len(CLIP.encode("cat:1.4"))
    assert chunk.multipliers[1 : 1 + count] == pytest.approx([1.1] * count)


def test_old_emphasis_without_attention_keeps_the_brackets() -> None:
    chunk, count, _ = tokenize_line_old("((cat))", CLIP, attention=False)
    assert count == len(CLIP.encode("((cat))"))
    assert set(chunk.multipliers) == {1.0}


def test_old_emphasis_cuts_what_is_too_long_and_says_so() -> None:
    line = tokenize_line_old("cat " * 75 + "red dog", CLIP)
    assert (line.token_count, line.overflow, len(line.chunk.tokens)) == (77, "red dog", 77)
    assert "red dog" in line.comment
    assert not tokenize_line_old("cat", CLIP).comment


def test_old_emphasis_refuses_openclip() -> None:
    with pytest.raises(PromptError, match="use_old_emphasis_implementation"):
        tokenize_line_old("cat", Tokenizer("open_clip"))


def test_balanced_bracket_entries_are_ordinary_tokens() -> None:
    assert CLIP.vocab["()</w>"] not in bracket_factors()
    assert bracket_factors()[CLIP.vocab["((</w>"]] == pytest.approx(1.21)
    assert bracket_factors()[CLIP.vocab["]</w>"]] == pytest.approx(1.1)
