"""The tiny autoencoder against the original layers."""

from __future__ import annotations

import pytest
import torch

from modules.nets.taesd import TAESDDecoder, TAESDEncoder


@pytest.mark.parametrize("channels", [4, 16])
@pytest.mark.parametrize(("part", "build"), [("decoder", TAESDDecoder), ("encoder", TAESDEncoder)])
def test_gives_the_originals_output(part, build, channels, recorded, assert_close):
    original = recorded("taesd", f"taesd{'' if channels == 4 else channels}_{part}")
    weights = recorded("taesd", f"taesd_{part}").weights | original.weights  # 16-channel files hold what differs
    network = build(channels)
    network.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    source, result = ("latent", "image") if part == "decoder" else ("image", "latent")
    for tensors in original.cases.values():
        assert_close(network(tensors[f"in.{source}"]), tensors[f"out.{result}"])


def test_pictures_are_mapped_between_the_two_ranges():
    decoder, encoder = TAESDDecoder(), TAESDEncoder()
    latents, pictures = torch.randn(1, 4, 2, 3), torch.rand(1, 3, 16, 24)
    torch.testing.assert_close(decoder.decode(latents), decoder(latents) * 2 - 1)
    torch.testing.assert_close(encoder.encode(pictures * 2 - 1), encoder(pictures), rtol=0, atol=1e-5)
