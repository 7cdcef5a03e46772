"""Full-size networks have exactly the keys and shapes of the released files; built on the meta device, so nothing is computed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.openclip import OpenCLIPTextConfig, OpenCLIPTextModel
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig

SD1 = UNetConfig()
SD2 = replace(SD1, num_heads=None, num_head_channels=64, context_dim=1024, use_linear_in_transformer=True)
SDXL = UNetConfig(
    num_res_blocks=(2, 2, 2),
    channel_mult=(1, 2, 4),
    transformer_depth=(0, 2, 10),
    transformer_depth_middle=10,
    num_heads=None,
    num_head_channels=64,
    context_dim=2048,
    use_linear_in_transformer=True,
    adm_in_channels=2816,
)
REFINER = replace(
    SDXL,
    model_channels=384,
    num_res_blocks=(2, 2, 2, 2),
    channel_mult=(1, 2, 4, 4),
    transformer_depth=(0, 4, 4, 0),
    transformer_depth_middle=4,
    context_dim=1280,
    adm_in_channels=2560,
)
SSD_1B = replace(
    SDXL, transformer_depth_middle=None, input_depths=(0, 0, 2, 2, 4, 4), output_depths=(4, 4, 10, 2, 1, 1, 0, 0, 0)
)
VEGA = replace(
    SDXL, transformer_depth_middle=None, input_depths=(0, 0, 1, 1, 2, 2), output_depths=(2, 2, 2, 1, 1, 1, 0, 0, 0)
)
CLIP_L = CLIPTextConfig()
CLIP_H = OpenCLIPTextConfig()
CLIP_G = OpenCLIPTextConfig(width=1280, layers=32, heads=20, embed_dim=1280)

UNETS = {
    "sd1_checkpoint": SD1,
    "sd1_checkpoint_fp16_noschedule": SD1,
    "sd1_checkpoint_with_ema": SD1,
    "sd1_inpainting_checkpoint": replace(SD1, in_channels=9),
    "sd1_instruct_pix2pix_checkpoint": replace(SD1, in_channels=8),
    "sd2_checkpoint": SD2,
    "sd2_depth_checkpoint": replace(SD2, in_channels=5),
    "sd2_inpainting_checkpoint": replace(SD2, in_channels=9),
    "sd2_unclip_l_checkpoint": replace(SD2, adm_in_channels=1536),
    "sd2_unclip_h_checkpoint": replace(SD2, adm_in_channels=2048),
    "sdxl_base_checkpoint": SDXL,
    "sdxl_inpainting_checkpoint": replace(SDXL, in_channels=9),
    "sdxl_refiner_checkpoint": REFINER,
    "ssd1b_checkpoint": SSD_1B,
    "segmind_vega_checkpoint": VEGA,
}
L_OF_SD1 = (CLIP_L, "cond_stage_model.transformer.")
H_OF_SD2 = (CLIP_H, "cond_stage_model.model.")
TEXTS = {
    name: (L_OF_SD1,) if name.startswith("sd1_") else (H_OF_SD2,) if name.startswith("sd2_") else (
        (CLIP_L, "conditioner.embedders.0.transformer."), (CLIP_G, "conditioner.embedders.1.model.")
    )
    for name in UNETS
}
TEXTS["sdxl_refiner_checkpoint"] = ((CLIP_G, "conditioner.embedders.0.model."),)


@pytest.mark.parametrize("name", UNETS)
def test_every_network_of_a_released_file_loads_strictly(name, full_size_shapes):
    shapes = full_size_shapes(name)
    with torch.device("meta"):
        load(UNetModel(UNETS[name]), shapes, "model.diffusion_model.")
        load(AutoencoderKL(VAEConfig()), shapes, "first_stage_model.")
        for config, prefix in TEXTS[name]:
            load(CLIPTextModel(config) if isinstance(config, CLIPTextConfig) else OpenCLIPTextModel(config), shapes, prefix)


def load(network: nn.Module, shapes: dict[str, tuple[int, ...]], prefix: str) -> None:
    """Loads the part of the file under `prefix`, failing on any missing or unexpected key and on any other shape."""
    weights = {key.removeprefix(prefix): torch.empty(shape) for key, shape in shapes.items() if key.startswith(prefix)}
    assert weights
    network.load_state_dict(weights, strict=True, assign=True)
