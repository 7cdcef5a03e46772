"""Brownian trees against torchsde's recorded increments."""

from __future__ import annotations

import pytest
import torch
from diffusion.toys import tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.diffusion.brownian import BrownianNoiseSampler, BrownianTree
from modules.diffusion.rng import randn

SHAPE = (1, 4, 8, 8)
LOW, HIGH = 0.0291675, 14.614642


def recorded() -> dict[str, torch.Tensor]:
    return tensors("nets", "samplers", "brownian_tree.safetensors")


@pytest.mark.parametrize("seed", [0, 1, 42, 123456789, 4294967295, 9007199254740993])
@pytest.mark.parametrize("backwards", [False, True])
def test_increments(seed: int, backwards: bool) -> None:
    sampler = BrownianNoiseSampler(SHAPE, LOW, HIGH, [seed], source="CPU")
    pairs = recorded()["pairs"]
    for i in sorted(range(len(pairs)), reverse=backwards):
        torch.testing.assert_close(sampler(*pairs[i]), recorded()[f"seed{seed}/{i}"], rtol=1e-5, atol=1e-5)


def test_one_tree_per_image() -> None:
    sampler = BrownianNoiseSampler((2, 4, 8, 8), LOW, HIGH, [7, 8], source="CPU")
    for i, pair in enumerate(recorded()["pairs"]):
        torch.testing.assert_close(sampler(*pair), recorded()[f"batch_seeds_7_8/{i}"], rtol=1e-5, atol=1e-5)


def test_times_through_a_transform() -> None:
    sampler = BrownianNoiseSampler(SHAPE, LOW, HIGH, [42], source="CPU", transform=lambda sigma: -sigma.log())
    for i, pair in enumerate(recorded()["pairs"]):
        torch.testing.assert_close(sampler(*pair), recorded()[f"seed42_neglog/{i}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["karras5", "karras10", "exponential5", "exponential10"])
def test_along_a_schedule(name: str) -> None:
    sigmas = tensors("nets", "samplers", "k_diffusion.safetensors")[f"sigmas/{name}"]
    sampler = BrownianNoiseSampler(SHAPE, sigmas[sigmas > 0].min(), sigmas.max(), [42], source="CPU")
    for i in range(len(sigmas) - 2):
        expected = recorded()[f"seed42_steps_{name}/{i}"]
        torch.testing.assert_close(sampler(sigmas[i], sigmas[i + 1]), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=30)
@given(st.lists(st.floats(0.0, 15.0, allow_nan=False), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_increments_add_up_and_do_not_depend_on_the_order_of_questions(times: list[float], seed: int) -> None:
    a, b, c = sorted(times)

    def tree() -> BrownianTree:
        return BrownianTree(0.03, 14.6, seed, lambda node_seed: randn(node_seed, (2,), "CPU"))

    one = tree()
    whole, first, second = one.increment(a, c), one.increment(a, b), one.increment(b, c)
    torch.testing.assert_close(first + second, whole, rtol=1e-4, atol=1e-4)
    assert torch.equal(tree().increment(b, c), second)


def test_variance_is_the_length_of_the_interval() -> None:
    tree = BrownianTree(0.1, 10.0, 3, lambda node_seed: randn(node_seed, (20000,), "CPU"))
    assert tree.increment(2.0, 5.5).var().item() == pytest.approx(3.5, rel=0.05)


def test_batch_wide_tree_takes_its_seed_from_the_global_generator() -> None:
    draws = []
    for _ in range(2):
        torch.manual_seed(11)
        sampler = BrownianNoiseSampler((2, 4, 2, 2), LOW, HIGH, None, source="CPU")
        draws.append(sampler(torch.tensor(10.0), torch.tensor(5.0)))
    assert draws[0].shape == (2, 4, 2, 2) and torch.equal(*draws) and not torch.equal(draws[0][0], draws[0][1])


def test_noise_of_the_nv_source_differs() -> None:
    cpu, nv = (BrownianNoiseSampler(SHAPE, LOW, HIGH, [42], source=source)(5.0, 1.0) for source in ("CPU", "NV"))
    assert nv.shape == cpu.shape and not torch.allclose(nv, cpu)
