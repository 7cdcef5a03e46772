"""Small weight files for the tests: written byte by byte, so that they can also be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modules.nets.clip import CLIPTextConfig, CLIPTextModel
from modules.nets.openclip import OpenCLIPTextConfig, OpenCLIPTextModel
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig

State = dict[str, Tensor]

LEVELS: dict[str, Any] = {"model_channels": 32, "num_res_blocks": (1, 1), "channel_mult": (1, 2), "transformer_depth": (1, 0)}
VAE = VAEConfig(ch=32, ch_mult=(1, 2), num_res_blocks=1)
CLIP = CLIPTextConfig(width=64, layers=2, heads=1, vocab=60, mlp_ratio=2)
OPENCLIP = OpenCLIPTextConfig(width=64, layers=2, heads=1, vocab=60, embed_dim=64)
WIDE_HEADS: dict[str, Any] = {"num_heads": None, "num_head_channels": 32, "use_linear_in_transformer": True}


def entry(start: int, end: int, dtype: str = "U8", shape: list[Any] | None = None) -> dict[str, Any]:
    """A header entry; the shape defaults to a flat one of that many bytes."""
    return {"dtype": dtype, "shape": [end - start] if shape is None else shape, "data_offsets": [start, end]}


def raw_file(path: Path, header: Mapping[str, Any] | str | bytes, data: bytes = b"", length: int | None = None) -> Path:
    """A file of header and data as given; `length` overrides the true header length."""
    if isinstance(header, Mapping):
        header = json.dumps(header)
    text = header.encode() if isinstance(header, str) else header
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)
    return path


def sd1_state(in_channels: int = 4) -> State:
    """A complete checkpoint of SD1's layout with random weights."""
    unet = UNetModel(UNetConfig(in_channels=in_channels, context_dim=64, **LEVELS))
    state = prefixed("model.diffusion_model.", unet) | prefixed("cond_stage_model.transformer.", CLIPTextModel(CLIP))
    return state | prefixed("first_stage_model.", AutoencoderKL(VAE)) | {"betas": torch.zeros(1000)}


def sd2_state() -> State:
    """A complete checkpoint of SD2's layout with random weights."""
    unet = UNetModel(UNetConfig(context_dim=64, **LEVELS, **WIDE_HEADS))
    state = prefixed("model.diffusion_model.", unet) | prefixed("cond_stage_model.model.", OpenCLIPTextModel(OPENCLIP))
    return state | prefixed("first_stage_model.", AutoencoderKL(VAE))


def sdxl_state() -> State:
    """A complete checkpoint of SDXL's layout with random weights."""
    unet = UNetModel(UNetConfig(context_dim=128, adm_in_channels=96, **LEVELS, **WIDE_HEADS))
    state = prefixed("model.diffusion_model.", unet) | prefixed("conditioner.embedders.1.model.", OpenCLIPTextModel(OPENCLIP))
    state |= prefixed("conditioner.embedders.0.transformer.", CLIPTextModel(CLIP))
    return state | prefixed("first_stage_model.", AutoencoderKL(VAE))


def prefixed(prefix: str, net: nn.Module) -> State:
    return {prefix + name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def save(path: Path, state: State, metadata: dict[str, str] | None = None) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata)
    return path
