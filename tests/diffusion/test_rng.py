"""Noise sources, variations, seed resize and ENSD against recorded numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusion.toys import facts
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.diffusion.errors import SizeMismatch
from modules.diffusion.philox import PhiloxGenerator
from modules.diffusion.rng import SOURCES, ImageRNG, NoiseGenerator, paste_centered, randn, slerp

SHAPE = (4, 8, 8)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seed", ["0", "1", "1234", "4294967295"])
def test_first_draw(source: str, seed: str) -> None:
    expected = torch.tensor(facts("pure", "rng.json")[source][seed])
    actual = randn(int(seed), (4, 4, 4), source)
    torch.testing.assert_close(actual.flatten(), expected, rtol=0, atol=1e-6 if source == "NV" else 0)


def test_philox_check_values() -> None:
    stream = PhiloxGenerator(0)
    np.testing.assert_allclose(
        stream.randn((8,)), [-0.924662, -0.425344, -2.643846, 0.145184, -0.120867, -0.579726, -0.622851, -0.328387], atol=2e-6
    )
    np.testing.assert_allclose(stream.randn((4,)), [0.180826, -0.552263, 0.923813, -0.734970], atol=2e-6)
    np.testing.assert_allclose(PhiloxGenerator(12345).randn((4,)), [0.578641, -0.524755, -0.291904, 0.014014], atol=2e-6)


def test_philox_separates_the_halves_of_a_long_seed() -> None:
    assert not np.array_equal(PhiloxGenerator(7).randn((4,)), PhiloxGenerator(7 + (1 << 32)).randn((4,)))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3), st.sampled_from(SOURCES))
def test_an_image_of_a_batch_equals_the_image_made_alone(seeds: list[int], source: str) -> None:
    together = ImageRNG(SHAPE, seeds, source=source)
    batches = together.first(), together.next(), together.next()
    for index, seed in enumerate(seeds):
        alone = ImageRNG(SHAPE, [seed], source=source)
        for batch in batches:
            single = alone.first() if batch is batches[0] else alone.next()
            assert torch.equal(batch[index], single[0])


def test_global_generator_is_left_seeded_with_the_last_image() -> None:
    torch.manual_seed(5)
    ImageRNG(SHAPE, [3, 99], source="CPU").first()
    assert torch.equal(torch.randn(4), torch.randn(4, generator=torch.Generator().manual_seed(99)))


def test_nv_noise_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    ImageRNG(SHAPE, [3], source="NV").first()
    assert torch.equal(torch.randn(4), torch.randn(4, generator=torch.Generator().manual_seed(5)))


def test_slerp_of_parallel_noises_exchanges_the_ends() -> None:
    a = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(slerp(1.0, a, 2 * a), a)


@pytest.mark.parametrize(("small", "offset"), [((6, 4), (1, 2)), ((12, 8), (-2, 0)), ((7, 9), (0, -1))])
def test_paste_is_centred(small: tuple[int, int], offset: tuple[int, int]) -> None:
    pasted = paste_centered(torch.zeros(1, 8, 8), torch.arange(1.0, 1 + small[0] * small[1]).view(1, *small))
    row, column = max(offset[0], 0), max(offset[1], 0)
    assert pasted[0, row, column] == 1 + max(-offset[0], 0) * small[1] + max(-offset[1], 0)
    assert pasted[0, 0, 0] == (0 if offset[0] > 0 or offset[1] > 0 else pasted[0, row, column])


def test_no_seed_is_refused() -> None:
    with pytest.raises(SizeMismatch, match="one seed per image"):
        ImageRNG(SHAPE, [])


@pytest.mark.parametrize("source", SOURCES)
def test_variation(source: str) -> None:
    """Recorded: two images, seeds 1 and 2, subseeds 7 and 8, strength 0.3; "next" was a second `first` of the same generators."""
    recorded = facts("pure", "rng.json")[f"{source}_imagerng_sub"]
    rng = ImageRNG((4, 4, 8), [1, 2], [7, 8], 0.3, source=source)
    for name, tolerance in (("first", 1e-6), ("next", 5e-5)):  # of the second, some columns are nearly parallel
        torch.testing.assert_close(rng.first().flatten(), torch.tensor(recorded[name]), rtol=1e-6, atol=tolerance)


@pytest.mark.parametrize("source", SOURCES)
def test_seed_resize(source: str) -> None:
    """Recorded: two images, seeds 1 and 2, latent 4 × 8, noise of a 32 × 64 picture."""
    recorded = facts("pure", "rng.json")[f"{source}_imagerng_resize"]
    rng = ImageRNG((4, 4, 8), [1, 2], seed_resize_from_h=64, seed_resize_from_w=32, source=source)
    torch.testing.assert_close(rng.first().flatten(), torch.tensor(recorded), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("source", SOURCES)
def test_ensd_replaces_the_streams_after_the_first_draw(source: str) -> None:
    recorded = torch.tensor(facts("pure", "rng.json")[f"{source}_imagerng_ensd31337"])
    rng = ImageRNG((4, 4, 8), [1], source=source, eta_noise_seed_delta=31337)
    draws = torch.stack([rng.first().flatten()[:16], rng.next().flatten()[:16]])
    torch.testing.assert_close(draws, recorded[:2], rtol=1e-6, atol=1e-6)
    assert torch.equal(rng.next(), randn_after(1 + 31337, source))


def randn_after(seed: int, source: str) -> torch.Tensor:
    """The second draw of a plain generator."""
    generator = NoiseGenerator(seed, source)
    generator.randn((4, 4, 8))
    return generator.randn((4, 4, 8))[None]
