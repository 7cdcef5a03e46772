"""The autoencoder against the original class, at tiny size."""

from __future__ import annotations

import pytest
import torch

from modules.nets.vae import AutoencoderKL, DiagonalGaussian, VAEConfig


def config_of(original) -> VAEConfig:
    """Our configuration for the original constructor's arguments."""
    shape = original["ddconfig"]
    return VAEConfig(
        in_channels=shape["in_channels"],
        out_ch=shape["out_ch"],
        z_channels=shape["z_channels"],
        ch=shape["ch"],
        ch_mult=tuple(shape["ch_mult"]),
        num_res_blocks=shape["num_res_blocks"],
        embed_dim=original["embed_dim"],
        double_z=shape["double_z"],
    )


@pytest.mark.parametrize("name", ["vae_kl_2level", "vae_kl_4level"])
def test_autoencoder_gives_the_originals_latents_and_pictures(name, recorded, assert_close):
    original = recorded("vae", name, "first_stage_model.")
    vae = AutoencoderKL(config_of(original.config))
    vae.load_state_dict(original.weights)
    for tensors in original.cases.values():
        latents = vae.encode(tensors["in.image"])
        assert_close(latents.mean, tensors["out.mean"])
        assert_close(latents.logvar, tensors["out.logvar"])
        assert_close(latents.std, tensors["out.std"])
        assert_close(vae.decode(tensors["in.z"]), tensors["out.decoded"])


def test_a_sample_is_mean_plus_scaled_noise():
    moments = torch.tensor([1.0, -2.0, 2 * torch.log(torch.tensor(3.0)), 100.0]).reshape(1, 4, 1, 1)
    latents = DiagonalGaussian.of_moments(moments)
    assert latents.logvar.max() == 20
    torch.testing.assert_close(latents.sample(torch.full((1, 2, 1, 1), 2.0))[0, 0], torch.tensor([[7.0]]))
    assert latents.mode() is latents.mean


def test_the_stable_diffusion_3_shape_has_no_quant_convolutions():
    config = VAEConfig(z_channels=16, embed_dim=16, ch=32, ch_mult=(1, 1), num_res_blocks=1, use_quant_conv=False)
    vae = AutoencoderKL(config)
    assert not any("quant" in key for key in vae.state_dict())
    assert vae.encode(torch.zeros(1, 3, 8, 8)).mean.shape == (1, 16, 4, 4)
    assert vae.decode(torch.zeros(1, 16, 4, 4)).shape == (1, 3, 8, 8)
    assert config.scale_factor == 2


@pytest.mark.usefixtures("gradients")
def test_every_parameter_learns():
    vae = AutoencoderKL(VAEConfig(ch=32, ch_mult=(1, 2), num_res_blocks=1)).train()
    latents = vae.encode(torch.randn(1, 3, 16, 16))
    vae.decode(latents.sample(torch.randn_like(latents.mean))).square().mean().backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_shapes_without_sense_are_refused():
    with pytest.raises(ValueError, match="double_z"):
        VAEConfig(double_z=False)
    with pytest.raises(ValueError, match="embed_dim 4"):
        VAEConfig(z_channels=16, use_quant_conv=False)
