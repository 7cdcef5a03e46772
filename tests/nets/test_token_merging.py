"""Token merging: what is merged, and that the network is itself again afterwards."""

from __future__ import annotations

import pytest
import torch

from modules.nets.token_merging import Merge, token_merging
from modules.nets.unet import UNetConfig, UNetModel


def small_unet() -> UNetModel:
    torch.manual_seed(0)
    config = UNetConfig(model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(1, 1), num_heads=2, context_dim=8)
    unet = UNetModel(config).eval()
    for parameter in unet.parameters():  # nothing that starts at zero hides the attention
        torch.nn.init.normal_(parameter, std=0.05)
    return unet


def test_tokens_that_are_alike_become_one_and_get_the_same_back():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    x = torch.stack([a, a, b, a])[None]  # a map of 2 x 2; the top left token stays
    merge = Merge.by_similarity(x, (2, 2), 0.5)
    merged = merge.apply(x)
    assert merged.shape == (1, 2, 2)
    torch.testing.assert_close(merged, torch.stack([b, a])[None])
    torch.testing.assert_close(merge.undo(merged), x)


def test_merged_tokens_are_averaged_with_the_one_they_go_into():
    x = torch.tensor([[2.0, 0.0], [4.0, 0.0], [0.0, 1.0], [6.0, 0.0]])[None]
    merge = Merge.by_similarity(x, (2, 2), 0.5)
    assert merge.apply(x)[0, 1].tolist() == [4.0, 0.0]
    assert merge.undo(merge.apply(x))[0, :, 0].tolist() == [4.0, 4.0, 0.0, 4.0]


@pytest.mark.parametrize(("size", "ratio", "left"), [((4, 4), 0.5, 8), ((4, 4), 0.9, 4), ((5, 7), 0.5, 18), ((6, 2), 0.1, 11)])
def test_the_ratio_bounds_how_many_vanish(size, ratio, left):
    x = torch.randn(3, size[0] * size[1], 6)
    merge = Merge.by_similarity(x, size, ratio)
    merged = merge.apply(x)
    assert merged.shape == (3, left, 6)
    assert merge.undo(merged).shape == x.shape
    every = torch.cat([merge.kept, merge.single, merge.vanishing], dim=1)[..., 0].sort(dim=1).values
    assert every.tolist() == [list(range(size[0] * size[1]))] * 3


def test_each_row_of_a_batch_is_merged_by_itself():
    x = torch.randn(2, 16, 6)
    together = Merge.by_similarity(x, (4, 4), 0.5)
    alone = Merge.by_similarity(x[1:], (4, 4), 0.5)
    torch.testing.assert_close(together.apply(x)[1:], alone.apply(x[1:]))


def test_only_self_attention_at_the_finest_level_gets_fewer_tokens():
    unet, seen = small_unet(), []
    for name, module in unet.named_modules():
        if name.endswith(("attn1.to_q", "attn2.to_q")):
            module.register_forward_pre_hook(lambda _, args, name=name: seen.append((name.split(".")[-2], args[0].shape[1])))
    with token_merging(unet, 0.5):
        unet(torch.randn(1, 4, 8, 8), torch.tensor([10.0]), torch.randn(1, 3, 8))
    assert ("attn1", 32) in seen and ("attn2", 64) in seen
    assert {tokens for kind, tokens in seen if kind == "attn1"} == {32, 16}  # the coarser level keeps its 16


def test_the_network_is_itself_again_also_after_an_error():
    unet = small_unet()
    inputs = torch.randn(1, 4, 6, 10), torch.tensor([500.0]), torch.randn(1, 3, 8)
    before = unet(*inputs)
    with token_merging(unet, 0.0):
        torch.testing.assert_close(unet(*inputs), before, rtol=0, atol=0)
    with pytest.raises(ZeroDivisionError), token_merging(unet, 0.5):
        assert not torch.allclose(unet(*inputs), before)
        raise ZeroDivisionError
    torch.testing.assert_close(unet(*inputs), before, rtol=0, atol=0)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in unet.modules())
