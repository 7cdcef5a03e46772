"""The networks that look at pictures, Stable unCLIP's and the depth model's, against open_clip and timm with random weights."""

from __future__ import annotations

import math

import pytest
import torch

from modules.nets.dpt import DPTConfig, DPTHybrid, HybridViT
from modules.nets.openclip_vision import OpenCLIPVisionConfig, OpenCLIPVisionModel, prepare_pictures
from modules.nets.unclip import NoiseAugmentor, cosine_alphas

TINY_DPT = DPTConfig(stem=32, stage_widths=(128, 128, 256), stage_blocks=(1, 1, 1), width=32, layers=3, heads=2, mlp_hidden=64,
                     grid=4, features=16, hooks=(1, 2))  # fmt: skip


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
def test_the_image_encoder_is_open_clips(act):
    from open_clip.transformer import QuickGELU, VisionTransformer

    torch.manual_seed(0)
    layer = QuickGELU if act == "quick_gelu" else torch.nn.GELU
    other = VisionTransformer(56, 14, 64, 2, 4, 4.0, output_dim=32, act_layer=layer).eval()
    for parameter in other.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.2)
    own = OpenCLIPVisionModel(OpenCLIPVisionConfig(width=64, layers=2, heads=4, image_size=56, embed_dim=32, mlp_hidden=256, act=act))
    own.load_state_dict(other.state_dict())
    pictures = torch.randn(2, 3, 56, 56)
    torch.testing.assert_close(own(pictures), other(pictures), rtol=0, atol=5e-5)


def test_preparing_keeps_corners_and_shifts_colours():
    picture = torch.zeros(1, 3, 8, 12)
    picture[:, :, 0, 0], picture[:, :, -1, -1] = 1.0, -1.0
    prepared = prepare_pictures(picture, 6, antialias=False)
    assert prepared.shape == (1, 3, 6, 6)
    red_mean, red_std = 0.48145466, 0.26862954
    assert prepared[0, 0, 0, 0].item() == pytest.approx((1 - red_mean) / red_std, abs=1e-5)
    assert prepared[0, 0, -1, -1].item() == pytest.approx((0 - red_mean) / red_std, abs=1e-5)


def test_antialiasing_blurs_only_what_shrinks():
    torch.manual_seed(0)
    picture = torch.randn(1, 3, 32, 32)
    sharp, smooth = (prepare_pictures(picture, 8, antialias=on) for on in (False, True))
    assert smooth.std() < sharp.std()
    assert torch.equal(prepare_pictures(picture, 48, antialias=True), prepare_pictures(picture, 48, antialias=False))


def test_the_noise_augmentor_hardly_changes_an_embedding_at_level_zero():
    augmentor = NoiseAugmentor(8)
    embedding, noise = torch.ones(2, 8), torch.ones(2, 8)
    alpha = cosine_alphas()[0].item()
    told = augmentor(embedding, noise)
    torch.testing.assert_close(told[:, :8], torch.full((2, 8), math.sqrt(alpha) + math.sqrt(1 - alpha)))
    assert told[:, 8:].tolist() == [[1.0] * 4 + [0.0] * 4] * 2  # cosines and sines of level 0
    assert 0.9999 < alpha < 1 and cosine_alphas()[-1] < 1e-6


def test_the_cosine_schedule_is_the_recorded_one(golden_schedule):
    torch.testing.assert_close(cosine_alphas(), golden_schedule, rtol=1e-5, atol=1e-9)


@pytest.fixture
def golden_schedule():
    from golden_data import golden
    from safetensors.torch import load_file

    recording = load_file(golden("nets", "misc", "ddpm_schedule.safetensors"))
    name = next((key for key in recording if "cos" in key), None)
    if name is None:
        pytest.skip("the recording has no cosine schedule")
    betas = recording[name].double()
    return torch.cumprod(1 - betas, dim=0).float()


@pytest.mark.slow
def test_the_backbone_of_the_depth_network_is_timms():
    import timm

    torch.manual_seed(0)
    other = timm.create_model("vit_base_r50_s16_384", pretrained=False).eval()
    for parameter in other.parameters():
        if parameter.std() == 0:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    own = HybridViT(DPTConfig())
    missing, unexpected = own.load_state_dict(other.state_dict(), strict=False)
    assert not missing and {name.partition(".")[0] for name in unexpected} == {"norm", "head"}
    hooked = {}
    for index in own.config.hooks:
        other.blocks[index].register_forward_hook(lambda _, __, out, index=index: hooked.__setitem__(index, out))
    picture = torch.randn(1, 3, 384, 384)
    other.forward_features(picture)
    for tokens, index in zip(own(picture)[2], own.config.hooks, strict=True):
        torch.testing.assert_close(tokens, hooked[index], rtol=0, atol=5e-5)


def test_depth_has_the_pictures_size_and_is_not_negative():
    torch.manual_seed(0)
    net = DPTHybrid(TINY_DPT)
    depth = net(torch.randn(2, 3, 64, 96))
    assert depth.shape == (2, 1, 64, 96)
    assert depth.min() >= 0
