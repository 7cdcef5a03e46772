"""Models of random weights, a few layers of everything, and networks for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from modules.nets.clip import CLIPTextModel
from modules.nets.configs import CLIPTextConfig, OpenCLIPTextConfig, UNetConfig
from modules.nets.openclip import OpenCLIPTextModel
from modules.nets.unet import UNetModel


@dataclass(eq=False)
class Model:
    """What networks are put on: a checkpoint and its device."""

    checkpoint: Any
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def checksum(self) -> str:
        """SHA-256 over every parameter's name, type and bytes."""
        digest = hashlib.sha256()
        for part in ("unet", "text_l", "text_g"):
            net = getattr(self.checkpoint, part)
            for name, parameter in net.named_parameters() if net is not None else ():
                digest.update(f"{part}.{name} {parameter.dtype} {tuple(parameter.shape)}".encode())
                digest.update(parameter.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


UNET = UNetConfig(model_channels=32, num_res_blocks=(1, 1), channel_mult=(1, 2), transformer_depth=(1, 0), num_heads=2, context_dim=16)


def small_model(family: str = "sd1", unet: UNetConfig = UNET) -> Model:
    """A model of random weights, a few layers of everything; "sd1" has CLIP's text tower, "sd2" open_clip's, "sdxl" both."""
    torch.manual_seed(5)
    text_l = CLIPTextModel(CLIPTextConfig(width=16, layers=2, heads=2)) if family != "sd2" else None
    g = OpenCLIPTextConfig(width=16, layers=2, heads=2, embed_dim=16)
    text_g = OpenCLIPTextModel(g) if family != "sd1" else None
    nets = {"unet": UNetModel(unet), "text_l": text_l, "text_g": text_g}
    for net in nets.values():
        if net is not None:
            net.eval().requires_grad_(False)
    return Model(SimpleNamespace(spec=SimpleNamespace(family=family), **nets))


ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
TEXT = "text_model_encoder_layers_0_self_attn_q_proj"


def lora_tensors(layer: str = f"lora_unet_{ATTENTION}", out: int = 32, into: int = 16, rank: int = 2) -> dict[str, torch.Tensor]:
    """A plain LoRA of one layer."""
    generator = torch.Generator().manual_seed(len(layer))
    return {
        f"{layer}.lora_up.weight": torch.randn(out, rank, generator=generator),
        f"{layer}.lora_down.weight": torch.randn(rank, into, generator=generator),
        f"{layer}.alpha": torch.tensor(1.0),
    }
