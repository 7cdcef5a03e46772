"""The approximate preview decoders against the originals."""

from __future__ import annotations

import pytest
from golden_data import golden
from safetensors.torch import load_file

from modules.nets.vae_approx import VAEApprox, cheap_approximation


@pytest.mark.parametrize("channels", [4, 16])
def test_network_gives_the_originals_colours(channels, recorded, assert_close):
    original = recorded("vae_approx", f"vae_approx_{channels}ch")
    network = VAEApprox(channels)
    network.load_state_dict(original.weights)
    for tensors in original.cases.values():
        assert_close(network(tensors["in.latent"]), tensors["out.image"])


@pytest.mark.parametrize(("space", "name", "channels"), [("sd", "sd1", 4), ("sdxl", "sdxl", 4), ("sd3", "sd3", 16)])
def test_matrix_gives_the_originals_colours(space, name, channels, assert_close):
    recording = load_file(golden("nets", "vae_approx", "cheap_approximation.safetensors"))
    assert_close(cheap_approximation(recording[f"in.latent{channels}"], space), recording[f"out.{name}"], 1e-6)
