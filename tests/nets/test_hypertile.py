"""HyperTile: sizes and numbers of tiles, and attention that stays inside them."""

from __future__ import annotations

from random import Random

import pytest
import torch

from modules.nets.hypertile import Tiles, cut, join, tiled_unet, tiled_vae
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig


@pytest.mark.parametrize(
    ("width", "height", "largest", "size"),
    [(512, 512, 256, 256), (512, 768, 256, 256), (640, 384, 512, 128), (512, 512, 64, 128), (520, 520, 256, 128), (1024, 1024, 128, 128)],
)
def test_a_tile_is_the_largest_power_of_two_that_divides_both_sides(width, height, largest, size):
    assert Tiles.of_picture(width, height, largest, 3, Random(0)).size == size


def test_the_number_of_tiles_is_drawn_among_the_first_fitting_divisors():
    tiles = Tiles(128, 3, Random(0))
    assert {tiles.count(96) for _ in range(50)} == {6, 4, 3}  # tiles of 16, 24 and 32 cells
    assert {tiles.count(96, 2) for _ in range(50)} == {3, 2, 1}
    assert {tiles.count(8) for _ in range(5)} == {1}
    assert {Tiles(128, 1, Random(0)).count(96) for _ in range(5)} == {6}


def test_tiles_are_cut_and_joined():
    x = torch.randn(2, 8, 12, 5)
    tiles = cut(x, (2, 3))
    assert tiles.shape == (12, 4, 4, 5)
    assert torch.equal(tiles[1], x[0, :4, 4:8])
    assert torch.equal(join(tiles, (2, 3)), x)


def unet() -> UNetModel:
    torch.manual_seed(0)
    config = UNetConfig(model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(1, 1), num_heads=2, context_dim=8)
    return UNetModel(config).eval()


def attention_rows(net: UNetModel, max_depth: int, size: tuple[int, int]) -> list[tuple[int, int]]:
    """(rows, tokens) of every self-attention while tiles of 16 cells are in force."""
    seen: list[tuple[int, int]] = []
    handles = [
        module.to_q.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
        for name, module in net.named_modules()
        if name.endswith("attn1")
    ]
    with tiled_unet(net, Tiles(128, 1, Random(0)), max_depth):
        net(torch.randn(1, 4, *size), torch.tensor([10.0]), torch.randn(1, 3, 8))
    for handle in handles:
        handle.remove()
    return seen


def test_coarser_levels_get_tiles_of_the_same_picture_size():
    net = unet()
    # 64 x 32 cells in tiles of 16; one level down 32 x 16 cells, and tiles may not be under 32 there
    assert set(attention_rows(net, 3, (64, 32))) == {(8, 256), (1, 512)}
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())


def test_levels_below_the_depth_are_left_whole():
    net = unet()
    assert set(attention_rows(net, 0, (128, 64))) == {(32, 256), (1, 2048)}
    assert set(attention_rows(net, 1, (128, 64))) == {(32, 256), (2, 1024)}


def test_the_vaes_attention_works_in_tiles():
    torch.manual_seed(0)
    vae = AutoencoderKL(VAEConfig(ch=32, ch_mult=(1, 1), num_res_blocks=1)).eval()
    z = torch.randn(1, 4, 32, 32)
    whole, seen = vae.decode(z), []
    vae.decoder.mid.attn_1.q.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape)))
    with tiled_vae(vae, Tiles(128, 1, Random(0))):
        tiled = vae.decode(z)
    assert seen == [(4, 32, 16, 16)]
    assert tiled.shape == whole.shape and not torch.equal(tiled, whole)
    torch.testing.assert_close(vae.decode(z), whole, rtol=0, atol=0)
