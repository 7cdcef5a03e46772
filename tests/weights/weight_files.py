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
from modules.nets.configs import DPTConfig, MMDiTConfig, OpenCLIPVisionConfig, T5Config, XLMRConfig
from modules.nets.dpt import DPTHybrid
from modules.nets.mmdit import MMDiT
from modules.nets.openclip import OpenCLIPTextConfig, OpenCLIPTextModel
from modules.nets.openclip_vision import OpenCLIPVisionModel
from modules.nets.t5 import T5Encoder
from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig
from modules.nets.xlmr import XLMRTextModel

State = dict[str, Tensor]

LEVELS: dict[str, Any] = {"model_channels": 32, "num_res_blocks": (1, 1), "channel_mult": (1, 2), "transformer_depth": (1, 0)}
VAE = VAEConfig(ch=32, ch_mult=(1, 2), num_res_blocks=1)
CLIP = CLIPTextConfig(width=64, layers=2, heads=1, vocab=60, mlp_ratio=2)
OPENCLIP = OpenCLIPTextConfig(width=64, layers=2, heads=1, vocab=60, embed_dim=64)
MMDIT = MMDiTConfig(depth=1, hidden=64, mlp_hidden=128, context_dim=160, adm_in_channels=128, pos_side=16)
SD3_VAE = VAEConfig(ch=32, ch_mult=(1, 1, 1, 1), num_res_blocks=1, z_channels=16, embed_dim=16, use_quant_conv=False)
T5 = T5Config(width=160, layers=1, heads=2, inner=64, hidden=64, vocab=40)
XLMR = XLMRConfig(width=64, layers=2, heads=1, hidden=64, vocab=40, positions=90, project_dim=64)
VISION = OpenCLIPVisionConfig(width=160, layers=1, heads=2, patch_size=8, image_size=32, embed_dim=32, mlp_hidden=64)
DPT = DPTConfig(stem=32, stage_widths=(128, 128, 256), stage_blocks=(1, 1, 1), width=64, layers=3, heads=1, mlp_hidden=64,
                grid=4, features=16, hooks=(2, 2))  # fmt: skip
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


def sd3_text_state(vocab: int = 60) -> dict[str, State]:
    """The three text encoders of Stable Diffusion 3, each as in its own file, by the file's name."""
    clip = CLIPTextConfig(width=64, layers=2, heads=1, vocab=vocab, mlp_ratio=2, projection_dim=64)
    clips = {name: prefixed("", CLIPTextModel(clip)) for name in ("clip_l", "clip_g")}
    return clips | {"t5xxl_fp16": prefixed("", T5Encoder(T5))}


def sd3_state(texts: bool = True, vocab: int = 60) -> State:
    """A checkpoint of Stable Diffusion 3's layout with random weights, with its CLIP encoders or without any."""
    state = prefixed("model.diffusion_model.", MMDiT(MMDIT)) | prefixed("first_stage_model.", AutoencoderKL(SD3_VAE))
    for name in ("clip_l", "clip_g") if texts else ():
        encoder = sd3_text_state(vocab)[name]
        state |= {f"text_encoders.{name}.transformer.{key}": value for key, value in encoder.items()}
    return state


def alt_state() -> State:
    """A complete checkpoint of AltDiffusion's layout with random weights."""
    state = {key: value for key, value in sd1_state().items() if not key.startswith("cond_stage_model.")}
    return state | prefixed("cond_stage_model.", XLMRTextModel(XLMR))


def unclip_state(vocab: int = 60) -> State:
    """A complete checkpoint of Stable unCLIP's layout with random weights."""
    unet = UNetModel(UNetConfig(context_dim=64, adm_in_channels=64, **LEVELS, **WIDE_HEADS))
    text = OpenCLIPTextModel(OpenCLIPTextConfig(width=64, layers=2, heads=1, vocab=vocab, embed_dim=64))
    state = prefixed("model.diffusion_model.", unet) | prefixed("cond_stage_model.model.", text)
    state |= prefixed("first_stage_model.", AutoencoderKL(VAE)) | prefixed("embedder.model.visual.", OpenCLIPVisionModel(VISION))
    return state | {"embedder.model.ln_final.weight": torch.ones(32)}


def depth_state(vocab: int = 60) -> State:
    """A complete checkpoint of the depth model's layout with random weights."""
    unet = UNetModel(UNetConfig(in_channels=5, context_dim=64, **LEVELS, **WIDE_HEADS))
    text = OpenCLIPTextModel(OpenCLIPTextConfig(width=64, layers=2, heads=1, vocab=vocab, embed_dim=64))
    state = prefixed("model.diffusion_model.", unet) | prefixed("cond_stage_model.model.", text)
    return state | prefixed("first_stage_model.", AutoencoderKL(VAE)) | prefixed("depth_model.model.", DPTHybrid(DPT))


def prefixed(prefix: str, net: nn.Module) -> State:
    return {prefix + name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def save(path: Path, state: State, metadata: dict[str, str] | None = None) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata)
    return path
