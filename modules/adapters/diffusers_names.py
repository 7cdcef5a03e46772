"""The names that diffusers, and with it most trainers, give to the layers of a latent-diffusion UNet and of CLIP's text tower."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modules.nets.attention import SpatialTransformer
from modules.nets.unet_blocks import Downsample, ResBlock, Upsample

if TYPE_CHECKING:
    from torch import nn

    from modules.nets.unet import UNetModel

RES_LAYERS = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
MMDIT_BLOCK = {
    "x_block.attn.proj": "attn.to_out.0",
    "x_block.mlp.fc1": "ff.net.0.proj",
    "x_block.mlp.fc2": "ff.net.2",
    "x_block.adaLN_modulation.1": "norm1.linear",
    "context_block.attn.proj": "attn.to_add_out",
    "context_block.mlp.fc1": "ff_context.net.0.proj",
    "context_block.mlp.fc2": "ff_context.net.2",
    "context_block.adaLN_modulation.1": "norm1_context.linear",
}
MMDIT_ENDS = {
    "x_embedder.proj": "pos_embed.proj",
    "context_embedder": "context_embedder",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
MMDIT_QKV = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
"""Matrices that the checkpoint has as one, and the three that diffusers makes of them."""
OPENCLIP_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def unet_names(unet: UNetModel) -> dict[str, str]:
    """diffusers' name of every module of a UNet that it names, by the module's own path."""
    names = dict(ENDS)
    for start, renamed in (*_encoder(unet), *_middle(unet), *_decoder(unet)):
        block = unet.get_submodule(start)
        for inner, _ in block.named_modules():
            names[f"{start}.{inner}".removesuffix(".")] = f"{renamed}.{_inside(block, inner)}".removesuffix(".")
    return names


def mmdit_names(depth: int) -> dict[str, str]:
    """diffusers' name of every module of an MMDiT that it names, by the module's own path."""
    names = dict(MMDIT_ENDS)
    for index in range(depth):
        names |= {f"joint_blocks.{index}.{ours}": f"transformer_blocks.{index}.{theirs}" for ours, theirs in MMDIT_BLOCK.items()}
    return names


def openclip_names(layers: int) -> dict[str, str]:
    """The names that CLIP's layers have in transformers, by those of open_clip; the fused attention matrix has none."""
    names = {"ln_final": "text_model.final_layer_norm"}
    for index in range(layers):
        for ours, theirs in OPENCLIP_LAYERS.items():
            names[f"transformer.resblocks.{index}.{ours}"] = f"text_model.encoder.layers.{index}.{theirs}"
    return names


def _inside(block: nn.Module, inner: str) -> str:
    """The name inside a block: residual and resampling blocks differ, transformers do not."""
    if isinstance(block, ResBlock):
        return RES_LAYERS.get(inner, inner)
    return "conv" if isinstance(block, Downsample | Upsample) and inner else inner


def _encoder(unet: UNetModel) -> Iterator[tuple[str, str]]:
    level = index = 0
    for number, block in enumerate(unet.input_blocks):
        layers = list(block)  # type: ignore[call-overload]
        if isinstance(layers[0], Downsample):
            yield f"input_blocks.{number}.0", f"down_blocks.{level}.downsamplers.0"
            level, index = level + 1, 0
        elif isinstance(layers[0], ResBlock):
            yield from _pair(f"input_blocks.{number}", layers, f"down_blocks.{level}", index)
            index += 1


def _middle(unet: UNetModel) -> Iterator[tuple[str, str]]:
    seen = {"resnets": 0, "attentions": 0}
    for number, layer in enumerate(unet.middle_block):
        kind = "attentions" if isinstance(layer, SpatialTransformer) else "resnets"
        yield f"middle_block.{number}", f"mid_block.{kind}.{seen[kind]}"
        seen[kind] += 1


def _decoder(unet: UNetModel) -> Iterator[tuple[str, str]]:
    level = index = 0
    for number, block in enumerate(unet.output_blocks):
        layers = list(block)  # type: ignore[call-overload]
        yield from _pair(f"output_blocks.{number}", layers, f"up_blocks.{level}", index)
        index += 1
        if isinstance(layers[-1], Upsample):
            yield f"output_blocks.{number}.{len(layers) - 1}", f"up_blocks.{level}.upsamplers.0"
            level, index = level + 1, 0


def _pair(path: str, layers: list[nn.Module], renamed: str, index: int) -> Iterator[tuple[str, str]]:
    """A residual block and the transformer behind it, if there is one."""
    yield f"{path}.0", f"{renamed}.resnets.{index}"
    if len(layers) > 1 and isinstance(layers[1], SpatialTransformer):
        yield f"{path}.1", f"{renamed}.attentions.{index}"
