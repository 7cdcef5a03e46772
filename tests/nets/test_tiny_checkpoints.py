"""Networks with the weights of the tiny checkpoints against what the original program computed with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_data import data_folder, golden
from safetensors.torch import load_file

from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig

SD1 = UNetConfig(model_channels=32, context_dim=64)
SD2 = replace(SD1, num_heads=None, num_head_channels=8, use_linear_in_transformer=True)
SDXL = UNetConfig(
    model_channels=32,
    num_res_blocks=(2, 2, 2),
    channel_mult=(1, 2, 4),
    transformer_depth=(0, 1, 2),
    transformer_depth_middle=2,
    num_heads=None,
    num_head_channels=8,
    context_dim=160,
    use_linear_in_transformer=True,
    adm_in_channels=1632,
)
MODELS = {"tiny-sd1": (SD1, 0.18215), "tiny-sd2-eps": (SD2, 0.18215), "tiny-sd2-v": (SD2, 0.18215), "tiny-sdxl": (SDXL, 0.13025)}


@pytest.mark.parametrize("name", MODELS)
def test_unet_and_vae_give_the_original_programs_tensors(name, assert_close):
    config, scale = MODELS[name]
    path = f"models/Stable-diffusion/{name}.safetensors"
    weights = load_file(data_folder(path) / path)
    expected = {key: torch.from_numpy(value) for key, value in np.load(golden("pure", f"components_{name}.npz")).items()}
    unet, vae = UNetModel(config).eval(), AutoencoderKL(VAEConfig(ch=32)).eval()
    for network, prefix in ((unet, "model.diffusion_model."), (vae, "first_stage_model.")):
        network.load_state_dict({k.removeprefix(prefix): v.float() for k, v in weights.items() if k.startswith(prefix)})
    context = expected.get("cond.plain.crossattn", expected.get("cond.plain"))
    for t in (999, 500, 50, 1):
        prediction = unet(expected["x"], torch.tensor([t]), context, expected.get("cond.plain.vector"))
        assert_close(prediction, expected[f"unet.t{t}"], 1e-4)
    assert_close(vae.decode(expected["z"] / scale), expected["vae.decode"], 1e-4)
    noise = torch.randn(expected["z"].shape, generator=torch.Generator().manual_seed(0))
    assert_close(vae.encode(expected["image"]).sample(noise) * scale, expected["vae.first_stage_encoding.seed0"], 1e-4)
