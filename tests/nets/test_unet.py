"""The UNet against the original classes, at tiny size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from modules.nets.attention import CrossAttention, FeedForward
from modules.nets.unet import UNetConfig, UNetModel, timestep_embedding

PREFIX = "model.diffusion_model."
GOLDENS = ("sd1_4level", "sd1_inpaint9", "sd2_4level", "sd2_unclip_adm", "sdxl")
TINY = UNetConfig(
    model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(0, 1), num_heads=4, context_dim=16
)


def config_of(original: Mapping[str, Any]) -> UNetConfig:
    """Our configuration for the original constructor's arguments."""
    mult = tuple(original["channel_mult"])
    depth = original["transformer_depth"]
    depths = depth if isinstance(depth, list) else [depth] * len(mult)
    return UNetConfig(
        in_channels=original["in_channels"],
        out_channels=original["out_channels"],
        model_channels=original["model_channels"],
        num_res_blocks=(original["num_res_blocks"],) * len(mult),
        channel_mult=mult,
        transformer_depth=tuple(d if 2**i in original["attention_resolutions"] else 0 for i, d in enumerate(depths)),
        transformer_depth_middle=depths[-1],
        num_heads=original.get("num_heads"),
        num_head_channels=original.get("num_head_channels"),
        context_dim=original["context_dim"],
        use_linear_in_transformer=original.get("use_linear_in_transformer", False),
        adm_in_channels=original.get("adm_in_channels"),
    )


@pytest.mark.parametrize("name", GOLDENS)
def test_unet_gives_the_originals_output_and_blocks(name, recorded, assert_close):
    original = recorded("unet", name, PREFIX)
    unet = UNetModel(config_of(original.config))
    unet.load_state_dict(original.weights)
    seen: dict[str, torch.Tensor] = {}
    for path, module in unet.named_modules():
        if path.count(".") == (0 if path in ("middle_block", "time_embed") else 1):
            module.register_forward_hook(lambda _m, _i, output, path=path: seen.__setitem__(path, output))
    for tensors in original.cases.values():
        inputs = {key[3:]: value for key, value in tensors.items() if key.startswith("in.")}
        assert_close(unet(**inputs), tensors["out.eps"])
        for block in (key[4:] for key in tensors if key.startswith("mid.")):
            assert_close(seen[block], tensors[f"mid.{block}"], 1e-4)


def test_contiguous_and_channels_last_weights_give_the_same(recorded, assert_close):
    original = recorded("unet", "sd1_inpaint9", PREFIX)
    unet = UNetModel(config_of(original.config))
    unet.load_state_dict(original.weights)
    unet.to(memory_format=torch.channels_last)
    for tensors in original.cases.values():
        assert_close(unet(tensors["in.x"], tensors["in.timesteps"], tensors["in.context"]), tensors["out.eps"])


def test_timestep_embedding_matches_the_original(assert_close):
    recording = load_file(golden("nets", "misc", "timestep_embedding.safetensors"))
    for kind in ("int", "float"):
        timesteps = recording[f"t_{kind}"]
        for dim in (32, 33, 256, 320):
            embedding = timestep_embedding(timesteps, dim)
            assert embedding.dtype == torch.float32
            assert_close(embedding, recording[f"{kind}_dim{dim}"], 1e-4)
            small = timesteps < 10
            assert_close(embedding[small], recording[f"{kind}_dim{dim}"][small], 1e-6)


def test_any_latent_size_comes_back_in_its_size():
    unet = UNetModel(TINY)

    @given(st.integers(3, 9), st.integers(3, 9))
    def check(height, width):
        with torch.no_grad():
            prediction = unet(torch.randn(1, 4, height, width), torch.tensor([5]), torch.randn(1, 3, 16))
        assert prediction.shape == (1, 4, height, width)

    check()


def test_images_of_a_batch_do_not_mix(assert_close):
    unet = randomised(UNetModel(TINY))
    x, timesteps, context = torch.randn(3, 4, 6, 5), torch.tensor([1, 500, 999]), torch.randn(3, 7, 16)
    together = unet(x, timesteps, context)
    for i in range(3):
        assert_close(unet(x[i : i + 1], timesteps[i : i + 1], context[i : i + 1]), together[i : i + 1], 1e-5)


def test_half_precision_computes_in_the_weights_type_and_answers_in_the_inputs():
    unet = randomised(UNetModel(TINY))
    x, timesteps, context = torch.randn(1, 4, 8, 8), torch.tensor([600.5]), torch.randn(1, 7, 16)
    expected = unet(x, timesteps, context)
    actual = unet.bfloat16()(x, timesteps, context)
    assert actual.dtype == torch.float32
    assert (actual - expected).abs().max() < 0.05 * expected.abs().max()


def test_context_may_be_replaced_for_keys_and_values_separately(monkeypatch):
    attention = CrossAttention(8, 6, heads=2)
    x, context, other = torch.randn(1, 5, 8), torch.randn(1, 3, 6), torch.randn(1, 3, 6)
    plain = attention(x, context)
    monkeypatch.setattr(attention, "contexts", lambda given_context: (given_context, other))
    assert not torch.allclose(attention(x, context), plain)
    monkeypatch.setattr(attention, "contexts", lambda given_context: (other, other))
    changed = attention(x, context)
    monkeypatch.undo()
    torch.testing.assert_close(changed, attention(x, other))


@pytest.mark.usefixtures("gradients")
def test_training_and_inference_give_the_same(recorded, assert_close):
    original = recorded("unet", "sdxl", PREFIX)
    unet = UNetModel(config_of(original.config))
    unet.load_state_dict(original.weights)
    for tensors in original.cases.values():
        inputs = {key[3:]: value for key, value in tensors.items() if key.startswith("in.")}
        assert_close(unet(**inputs), tensors["out.eps"])


def test_a_long_sequence_goes_through_the_feed_forward_in_pieces(monkeypatch, assert_close):
    network, tokens = FeedForward(8), torch.randn(2, 10, 8)
    whole = network(tokens)
    monkeypatch.setattr(FeedForward, "PIECE", 4)
    assert_close(network(tokens), whole, 1e-6)


@pytest.mark.usefixtures("gradients")
def test_every_parameter_learns():
    unet = randomised(UNetModel(TINY)).train()
    unet(torch.randn(2, 4, 8, 8), torch.tensor([3, 800]), torch.randn(2, 7, 16)).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_fresh_network_predicts_zero():
    assert UNetModel(TINY)(torch.randn(1, 4, 8, 8), torch.tensor([3]), torch.randn(1, 7, 16)).abs().max() == 0


def test_a_missing_vector_and_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="vector y of width 12"):
        UNetModel(UNetConfig(32, adm_in_channels=12, model_channels=32, context_dim=16))(
            torch.randn(1, 32, 8, 8), torch.tensor([3]), torch.randn(1, 7, 16)
        )
    with pytest.raises(ValueError, match="each of the 4 levels"):
        UNetConfig(num_res_blocks=(2, 2))
    with pytest.raises(ValueError, match="num_head_channels"):
        UNetConfig(num_heads=None)
    with pytest.raises(ValueError, match="8 entries"):
        UNetConfig(input_depths=(1, 2))


def randomised(unet: UNetModel) -> UNetModel:
    """The network with its zero-initialised ends drawn like the rest, so that the output depends on everything."""
    torch.manual_seed(1)
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return unet.eval()


def test_the_size_embedding_of_sdxl_is_the_originals(assert_close):
    recording = load_file(golden("nets", "misc", "sdxl_size_embedding.safetensors"))
    values = recording["in.values"]
    embedded = timestep_embedding(values.flatten(), 256).reshape(len(values), -1)
    assert_close(embedded, recording["out.embedding"], 1e-3)
