"""The autoencoder in tiles gives what it gives as a whole."""

from __future__ import annotations

import pytest
import torch

from modules.nets import vae_tiles
from modules.nets.vae import AutoencoderKL, VAEConfig
from modules.nets.vae_tiles import decode_tiled, encode_tiled


def small_vae(**shape: object) -> AutoencoderKL:
    torch.manual_seed(0)
    config: dict = {"ch": 32, "ch_mult": (1, 2, 2), "num_res_blocks": 1, **shape}
    return AutoencoderKL(VAEConfig(**config)).eval().requires_grad_(False)


@pytest.fixture
def largest(monkeypatch):
    """The largest side of a tile with its surroundings that is read."""
    seen = [0]
    read = vae_tiles._Tile.read

    def counted(self, whole, device):
        piece = read(self, whole, device)
        seen[0] = max(seen[0], *piece.shape[2:])
        return piece

    monkeypatch.setattr(vae_tiles._Tile, "read", counted)
    return seen


@pytest.mark.parametrize(("height", "width"), [(16, 20), (9, 31), (40, 5)])
def test_decoding_in_tiles_gives_the_whole_picture(height, width, largest, assert_close):
    vae = small_vae()
    z = torch.randn(2, 4, height, width)
    assert_close(decode_tiled(vae, z, 32), vae.decode(z), 2e-5)
    assert 0 < largest[0] < 4 * max(height, width)
    assert not any("forward" in vars(module) or module._forward_pre_hooks for module in vae.modules())


@pytest.mark.parametrize(("height", "width"), [(64, 80), (60, 132)])
def test_encoding_in_tiles_gives_the_whole_latent(height, width, largest, assert_close):
    vae = small_vae()
    x = torch.rand(2, 3, height, width) * 2 - 1
    tiled, whole = encode_tiled(vae, x, 32), vae.encode(x)
    assert_close(tiled.mean, whole.mean, 2e-5)
    assert_close(tiled.logvar, whole.logvar, 2e-5)
    assert 0 < largest[0] < max(height, width)


def test_a_picture_no_larger_than_a_tile_is_decoded_at_once(largest, assert_close):
    vae = small_vae()
    z = torch.randn(1, 4, 8, 8)
    assert_close(decode_tiled(vae, z, 64), vae.decode(z), 0)
    assert largest[0] == 0


def test_pictures_that_tile_wrap_around(assert_close):
    vae = small_vae()
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"
    z = torch.randn(1, 4, 16, 24)
    assert_close(decode_tiled(vae, z, 32), vae.decode(z), 2e-5)


def test_the_stable_diffusion_3_shape(assert_close):
    vae = small_vae(z_channels=16, embed_dim=16, use_quant_conv=False)
    z, x = torch.randn(1, 16, 16, 16), torch.rand(1, 3, 64, 64)
    assert_close(decode_tiled(vae, z, 32), vae.decode(z), 2e-5)
    assert_close(encode_tiled(vae, x, 32).mean, vae.encode(x).mean, 2e-5)


def test_an_error_in_the_middle_leaves_the_network_as_it_was(monkeypatch, assert_close):
    vae = small_vae()
    z = torch.randn(1, 4, 16, 16)
    whole = vae.decode(z)
    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(vae.decoder.conv_out, "forward", lambda x: (_ for _ in ()).throw(torch.OutOfMemoryError("no")))
        decode_tiled(vae, z, 32)
    assert_close(vae.decode(z), whole, 0)
