"""Shapes of the encoders of texts and pictures, read off a checkpoint's tensors."""

from __future__ import annotations

from modules.nets.configs import CLIPTextConfig, DPTConfig, OpenCLIPTextConfig, OpenCLIPVisionConfig, T5Config, XLMRConfig
from modules.weights.family import Family
from modules.weights.measure import PartShapes, ShapeError, count, dim, dims, largest_divisor, ratio, require_divides
from modules.weights.model_yaml import TextOverride

HEAD_WIDTH = 64
VIT_H_HEAD_WIDTH = 80
SD2_FAMILIES: frozenset[Family] = frozenset(("sd2", "sd2-inpaint", "sd2-depth", "sd2-unclip-l", "sd2-unclip-h"))


def clip_config(shapes: PartShapes, override: TextOverride) -> CLIPTextConfig:
    """Shape of a CLIP tower in transformers' layout; heads are 64 wide unless overridden."""
    vocab, width = dims(shapes, "text_model.embeddings.token_embedding.weight", 2)
    hidden = dim(shapes, "text_model.encoder.layers.0.mlp.fc1.weight", 0)
    return CLIPTextConfig(
        width=width,
        layers=count(shapes, "text_model.encoder.layers.{}.mlp.fc1.weight"),
        heads=text_heads(width, override),
        vocab=vocab,
        positions=dim(shapes, "text_model.embeddings.position_embedding.weight", 0),
        mlp_ratio=ratio(hidden, width),
        act=override.activation or "quick_gelu",
    )


def projected_clip_config(shapes: PartShapes, override: TextOverride) -> CLIPTextConfig:
    """The same with the projection that a text encoder's own file carries (Stable Diffusion 3)."""
    config = clip_config(shapes, override)
    projection = dim(shapes, "text_projection.weight", 0) if "text_projection.weight" in shapes else None
    return CLIPTextConfig(**{**vars(config), "projection_dim": projection})


def openclip_config(shapes: PartShapes, family: Family, override: TextOverride) -> OpenCLIPTextConfig:
    """Shape of a CLIP tower in open_clip's layout; heads are 64 wide unless overridden."""
    vocab, width = dims(shapes, "token_embedding.weight", 2)
    layers = count(shapes, "transformer.resblocks.{}.attn.in_proj_weight")
    # SD2 takes the last but one layer's output; files that came through diffusers therefore lack the last of the 24.
    layers = 24 if family in SD2_FAMILIES and (layers, width) == (23, 1024) else layers
    hidden = dim(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 0)
    return OpenCLIPTextConfig(
        width=width,
        layers=layers,
        heads=text_heads(width, override),
        vocab=vocab,
        positions=dim(shapes, "positional_embedding", 0),
        embed_dim=dim(shapes, "text_projection", 1) if "text_projection" in shapes else width,
        mlp_ratio=ratio(hidden, width),
        act=override.activation or "gelu",
    )


def t5_config(shapes: PartShapes) -> T5Config:
    """Shape of a T5 v1.1 encoder."""
    vocab, width = dims(shapes, "encoder.embed_tokens.weight", 2)
    first = "encoder.block.0.layer."
    buckets, heads = dims(shapes, first + "0.SelfAttention.relative_attention_bias.weight", 2)
    return T5Config(
        width=width,
        layers=count(shapes, "encoder.block.{}.layer.0.SelfAttention.q.weight"),
        heads=heads,
        inner=dim(shapes, first + "0.SelfAttention.q.weight", 0),
        hidden=dim(shapes, first + "1.DenseReluDense.wi_0.weight", 0),
        vocab=vocab,
        buckets=buckets,
    )


def xlmr_config(shapes: PartShapes) -> XLMRConfig:
    """Shape of AltDiffusion's text encoder; heads are 64 wide."""
    vocab, width = dims(shapes, "roberta.embeddings.word_embeddings.weight", 2)
    return XLMRConfig(
        width=width,
        layers=count(shapes, "roberta.encoder.layer.{}.intermediate.dense.weight"),
        heads=text_heads(width, TextOverride()),
        hidden=dim(shapes, "roberta.encoder.layer.0.intermediate.dense.weight", 0),
        vocab=vocab,
        positions=dim(shapes, "roberta.embeddings.position_embeddings.weight", 0),
        project_dim=dim(shapes, "transformation.weight", 0),
        pre_transformation="transformation_pre.weight" in shapes,
    )


def vision_config(shapes: PartShapes, family: Family) -> OpenCLIPVisionConfig:
    """Shape of Stable unCLIP's image encoder: OpenAI's ViT-L with its quick GELU, or open_clip's ViT-H with heads 80 wide."""
    width, _, patch_size = dims(shapes, "conv1.weight", 3)
    positions = dim(shapes, "positional_embedding", 0)
    side = round((positions - 1) ** 0.5)
    if side * side + 1 != positions:
        raise ShapeError(f"has an image encoder with {positions} positions, which are no square and one")
    openai = family == "sd2-unclip-l"
    return OpenCLIPVisionConfig(
        width=width,
        layers=count(shapes, "transformer.resblocks.{}.attn.in_proj_weight"),
        heads=width // largest_divisor(width, HEAD_WIDTH if openai or width % VIT_H_HEAD_WIDTH else VIT_H_HEAD_WIDTH),
        patch_size=patch_size,
        image_size=side * patch_size,
        embed_dim=dim(shapes, "proj", 1),
        mlp_hidden=dim(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 0),
        act="quick_gelu" if openai else "gelu",
    )


def dpt_config(shapes: PartShapes) -> DPTConfig:
    """Shape of MiDaS' DPT-hybrid; heads are 64 wide."""
    vit, stages = "pretrained.model.", "pretrained.model.patch_embed.backbone.stages."
    positions, width = dims(shapes, vit + "pos_embed", 3)[1:]
    widths = [dim(shapes, f"{stages}{stage}.blocks.0.conv3.weight", 0) for stage in range(3)]
    blocks = [count(shapes, f"{stages}{stage}.blocks.{{}}.conv3.weight") for stage in range(3)]
    layers = count(shapes, vit + "blocks.{}.norm1.weight")
    return DPTConfig(
        stem=dim(shapes, vit + "patch_embed.backbone.stem.conv.weight", 0),
        stage_widths=(widths[0], widths[1], widths[2]),
        stage_blocks=(blocks[0], blocks[1], blocks[2]),
        width=width,
        layers=layers,
        heads=width // largest_divisor(width, HEAD_WIDTH),
        mlp_hidden=dim(shapes, vit + "blocks.0.mlp.fc1.weight", 0),
        grid=round((positions - 1) ** 0.5),
        features=dim(shapes, "scratch.layer1_rn.weight", 0),
        hooks=(layers * 2 // 3, layers - 1),
    )


def text_heads(width: int, override: TextOverride) -> int:
    """The number of heads: the override's, else of 64 channels each. Raises YamlMismatch when the override does not fit."""
    if override.heads is not None:
        require_divides(override.heads, width, "heads of text_config")
        return override.heads
    return width // largest_divisor(width, HEAD_WIDTH) if width >= HEAD_WIDTH else 1
