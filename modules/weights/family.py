"""Which model family a checkpoint belongs to, from the names and shapes of its tensors alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

Family = Literal[
    "sd1", "sd1-inpaint", "sd1-pix2pix",
    "sd2", "sd2-inpaint", "sd2-depth", "sd2-unclip-l", "sd2-unclip-h", "sd2-x4-upscaler",
    "sdxl", "sdxl-inpaint", "sdxl-pix2pix", "sdxl-refiner", "ssd-1b", "vega",
    "sd3", "alt", "alt-m18", "svd", "stable-cascade", "flux",
]  # fmt: skip

SUPPORTED: frozenset[Family] = frozenset((
    "sd1", "sd1-inpaint", "sd1-pix2pix", "sd2", "sd2-inpaint", "sd2-depth", "sd2-unclip-l", "sd2-unclip-h",
    "sdxl", "sdxl-inpaint", "sdxl-refiner", "ssd-1b", "vega", "sd3", "alt", "alt-m18",
))  # fmt: skip
"""Families whose networks are built."""

NAMES: dict[Family, str] = {
    "sd1": "Stable Diffusion 1",
    "sd1-inpaint": "Stable Diffusion 1 inpainting",
    "sd1-pix2pix": "instruct-pix2pix",
    "sd2": "Stable Diffusion 2",
    "sd2-inpaint": "Stable Diffusion 2 inpainting",
    "sd2-depth": "Stable Diffusion 2 depth",
    "sd2-unclip-l": "Stable unCLIP (ViT-L)",
    "sd2-unclip-h": "Stable unCLIP (ViT-H)",
    "sd2-x4-upscaler": "Stable Diffusion x4 upscaler",
    "sdxl": "Stable Diffusion XL",
    "sdxl-inpaint": "Stable Diffusion XL inpainting",
    "sdxl-pix2pix": "Stable Diffusion XL pix2pix",
    "sdxl-refiner": "Stable Diffusion XL refiner",
    "ssd-1b": "Segmind SSD-1B",
    "vega": "Segmind Vega",
    "sd3": "Stable Diffusion 3",
    "alt": "AltDiffusion",
    "alt-m18": "AltDiffusion m18",
    "svd": "Stable Video Diffusion",
    "stable-cascade": "Stable Cascade",
    "flux": "Flux",
}

UNET = "model.diffusion_model."
OPENCLIP_BLOCK = "model.transformer.resblocks.0.attn.in_proj_weight"


def detect(shapes: Shapes) -> Family | None:
    """Family of a checkpoint with these tensors, None if no rule fits; sizes matter only where families differ in nothing else.

    The order of the rules is A1111's (generation.md §3.3); small models of odd widths are found like their full-size relatives.
    """
    transformer = _transformer_family(shapes)
    if transformer is not None:
        return transformer
    if UNET + "input_blocks.0.0.weight" not in shapes:
        return None
    if any(".time_stack." in key for key in shapes):
        return "svd"
    return _xl_family(shapes) or _sd2_family(shapes) or _sd1_family(shapes)


def first_channels(shapes: Shapes) -> int:
    """Channels that the UNet's first convolution takes; 0 without one."""
    return dim(shapes, UNET + "input_blocks.0.0.weight", 1)


def dim(shapes: Shapes, key: str, axis: int) -> int:
    """Size of one axis of a tensor, 0 where there is no such tensor or axis."""
    shape = shapes.get(key, ())
    return shape[axis] if axis < len(shape) else 0


def _transformer_family(shapes: Shapes) -> Family | None:
    """Families without a latent-diffusion UNet."""
    if UNET + "x_embedder.proj.weight" in shapes:
        return "sd3"
    for prefix in ("", UNET):
        if prefix + "double_blocks.0.img_attn.qkv.weight" in shapes:
            return "flux"
        if prefix + "clip_txt_mapper.weight" in shapes or prefix + "clip_mapper.weight" in shapes:
            return "stable-cascade"
    return None


def _xl_family(shapes: Shapes) -> Family | None:
    if "conditioner.embedders.1.model.ln_final.weight" in shapes:
        if not any(key.startswith(UNET + "middle_block.1.") for key in shapes):
            deep = UNET + "input_blocks.7.1.transformer_blocks.3.norm1.weight"
            return "ssd-1b" if deep in shapes else "vega"
        by_channels: dict[int, Family] = {4: "sdxl", 9: "sdxl-inpaint", 8: "sdxl-pix2pix"}
        return by_channels.get(first_channels(shapes))
    width = dim(shapes, "conditioner.embedders.0.model.ln_final.weight", 0)
    if not width:
        return None
    # SD2 turbo has SDXL's key names; a refiner, unlike it, takes a vector.
    return "sdxl-refiner" if width != 1024 and UNET + "label_emb.0.0.weight" in shapes else "sd2"


def _sd2_family(shapes: Shapes) -> Family | None:
    if any(key.startswith("depth_model.") and key.endswith("act_postprocess3.0.project.0.bias") for key in shapes):
        return "sd2-depth"
    image_width = dim(shapes, "embedder.model.ln_final.weight", 0)
    if image_width:
        return "sd2-unclip-l" if image_width == 768 else "sd2-unclip-h"
    if "cond_stage_model." + OPENCLIP_BLOCK not in shapes:
        return None
    by_channels: dict[int, Family] = {4: "sd2", 9: "sd2-inpaint", 7: "sd2-x4-upscaler", 5: "sd2-depth"}
    return by_channels.get(first_channels(shapes))


def _sd1_family(shapes: Shapes) -> Family | None:
    if any(key.startswith("cond_stage_model.roberta.embeddings.") for key in shapes):
        m18 = "cond_stage_model.transformation_pre.weight" in shapes
        return "alt-m18" if m18 or dim(shapes, "cond_stage_model.transformation.weight", 0) == 1024 else "alt"
    if UNET + "label_emb.0.0.weight" in shapes:
        return "sdxl"  # its text encoders are missing, which the loader then says
    by_channels: dict[int, Family] = {4: "sd1", 9: "sd1-inpaint", 8: "sd1-pix2pix"}
    return by_channels.get(first_channels(shapes))
