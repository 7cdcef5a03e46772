"""Stable Diffusion 3's networks against the originals, at tiny size."""

from __future__ import annotations

import pytest
import torch
from golden_data import golden
from safetensors.torch import load_file

from modules.diffusion.schedule import FlowSchedule
from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.mmdit import MMDiT, MMDiTConfig
from modules.nets.t5 import T5Config, T5Encoder, distance_bucket
from modules.nets.text_states import at_first_end
from modules.nets.vae import AutoencoderKL, VAEConfig

TINY = MMDiTConfig(depth=2, hidden=128, mlp_hidden=512, context_dim=40, adm_in_channels=24, pos_side=12)


def test_the_transformer_gives_the_originals_outputs(recorded, assert_close):
    original = recorded("sd3", "mmdit_depth2", "model.diffusion_model.")
    net = MMDiT(TINY)
    net.load_state_dict(original.weights)
    blocks = {}
    for index, block in enumerate(net.joint_blocks):
        block.register_forward_hook(lambda _, __, out, index=index: blocks.__setitem__(index, out))
    for case in original.cases.values():
        output = net(case["in.x"], case["in.t"], case["in.context"], case["in.y"])
        assert_close(blocks[0][0], case["mid.joint_blocks.0.context"], 2e-4)
        for index in (0, 1):
            assert_close(blocks[index][1], case[f"mid.joint_blocks.{index}.x"], 2e-4)
        assert blocks[1][0] is None
        assert_close(output, case["out.out"], 2e-4)


def test_an_odd_latent_keeps_its_size_and_one_beyond_the_table_is_refused():
    net = MMDiT(TINY)
    context, y, t = torch.zeros(1, 3, 40), torch.zeros(1, 24), torch.ones(1)
    assert net(torch.zeros(1, 16, 7, 10), t, context, y).shape == (1, 16, 7, 10)
    with pytest.raises(ValueError, match="at most 192 pixels"):
        net(torch.zeros(1, 16, 26, 4), t, context, y)
    with pytest.raises(ValueError, match="vector y"):
        net(torch.zeros(1, 16, 8, 8), t, context)


@pytest.mark.parametrize(("name", "width", "act"), [("sd3_clip_l", 32, "quick_gelu"), ("sd3_clip_g", 48, "gelu")])
def test_the_clip_towers_give_the_originals_states(name, width, act, recorded, assert_close):
    original = recorded("sd3", name)
    tower = CLIPTextModel(
        CLIPTextConfig(width=width, layers=3, heads=4, vocab=1000, mlp_ratio=2, act=act, projection_dim=width)
    )
    tower.load_state_dict(original.weights)
    case = original.cases["case0"]
    states = tower(case["in.tokens"])
    assert_close(states.last, case["out.last"])
    assert_close(states.hidden[-2], case["out.penultimate"])
    assert_close(at_first_end(case["in.tokens"], states.last), case["out.pooled"])
    assert_close(tower.pooled(case["in.tokens"], states.hidden[-1]), case["out.projected_pooled"])


def test_t5_gives_the_originals_states(recorded, assert_close):
    original = recorded("sd3", "t5_encoder", "transformer.")
    net = T5Encoder(T5Config(width=32, layers=3, heads=4, inner=32, hidden=64, vocab=1000))
    net.load_state_dict(original.weights)
    for case in original.cases.values():
        assert_close(net(case["in.tokens"]), case["out.last"])


def test_t5_has_a_bucket_for_each_near_distance_and_one_for_all_far_ones():
    buckets = distance_bucket(torch.tensor([[0, -1, -7, 1, 7, -1000, 1000]]), 32)
    assert buckets.tolist() == [[0, 1, 7, 17, 23, 15, 31]]


def test_the_vae_gives_the_originals_latents_and_pictures(recorded, assert_close):
    original = recorded("sd3", "vae16", "first_stage_model.")
    vae = AutoencoderKL(VAEConfig(ch=32, ch_mult=(1, 1, 1, 1), num_res_blocks=1, z_channels=16, embed_dim=16, use_quant_conv=False))
    vae.load_state_dict(original.weights)
    for case in original.cases.values():
        mean, logvar = case["out.encoder"].chunk(2, dim=1)
        posterior = vae.encode(case["in.image"])
        assert_close(posterior.mean, mean)
        assert_close(posterior.logvar, logvar.clamp(-30, 20))
        assert_close(vae.decode(case["in.z"]), case["out.decoded"])


def test_the_flow_schedule_is_the_originals():
    recording = load_file(golden("nets", "sd3", "sd3_sampling.safetensors"))
    for shift in (3, 1):
        torch.testing.assert_close(FlowSchedule(shift).sigmas, recording[f"sigmas_shift{shift}"], rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(FlowSchedule().sigmas * 1000, recording["timestep_of_sigmas"], rtol=1e-6, atol=1e-5)
