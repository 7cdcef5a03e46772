"""A network file's keys: which layer a tensor is for, and which part of it, whatever convention the file follows.

kohya writes `lora_unet_down_blocks_0_…_to_q.lora_down.weight`, diffusers `unet.down_blocks.0.….to_q.lora_A.weight`, LyCORIS
`lycoris_…`, OFT trainers `oft_unet_…`. All become one spelling: the network's short name and the layer's path with
underscores, `unet_down_blocks_0_…_to_q`, and kohya's part, `lora_down.weight`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BUNDLED = "bundle_emb."
"""Start of the keys of textual inversions that a LoRA file brings along."""

_PREFIXES: tuple[tuple[str, str], ...] = (
    ("lora_unet_", "unet_"), ("lycoris_unet_", "unet_"), ("oft_unet_", "unet_"), ("lora_transformer_", "unet_"),
    ("lora_te1_", "te1_"), ("lora_te2_", "te2_"), ("lora_te3_", "te3_"), ("lora_te_", "te_"),
    ("lycoris_te1_", "te1_"), ("lycoris_te2_", "te2_"), ("lycoris_te_", "te_"),
    ("oft_te1_", "te1_"), ("oft_te2_", "te2_"), ("oft_te_", "te_"),
    ("lycoris_text_encoder_2_", "te2_"), ("lycoris_text_encoder_", "te_"), ("lycoris_transformer_", "unet_"), ("lycoris_", "unet_"),
    ("base_model_model_", "unet_"), ("text_encoder_3_", "te3_"), ("text_encoder_2_", "te2_"), ("text_encoder_", "te_"),
    ("diffusion_model_", "unet_"), ("model_diffusion_model_", "unet_"), ("transformer_", "unet_"), ("unet_", "unet_"),
)  # fmt: skip
"""Starts of layer names and what they become; the first that fits counts."""

_DIFFUSERS_PARTS = {
    "lora.down.weight": "lora_down.weight",
    "lora.up.weight": "lora_up.weight",
    "lora_linear_layer.down.weight": "lora_down.weight",
    "lora_linear_layer.up.weight": "lora_up.weight",
    "lora_A.default.weight": "lora_A.weight",
    "lora_B.default.weight": "lora_B.weight",
}
_PARTS = re.compile(
    r"\.(lora_(?:down|up|mid|A|B)\.weight|lora_[AB]\.default\.weight|lora\.(?:down|up)\.weight"
    r"|lora_linear_layer\.(?:down|up)\.weight|[ab][12]\.weight"
    r"|[^.]+)$"
)
_OLD_DIFFUSERS = re.compile(r"(?:\.processor)?\.(to_[qkv]|to_out)_lora\.(down|up)\.weight$")


def layer_and_part(key: str) -> tuple[str, str]:
    """The layer's name in our spelling and the part, of one key of a network file."""
    if match := _OLD_DIFFUSERS.search(key):
        inner = "to_out.0" if match[1] == "to_out" else match[1]
        return canonical(f"{key[: match.start()]}.{inner}"), f"lora_{match[2]}.weight"
    match = _PARTS.search(key)
    if match is None:
        return canonical(key), ""
    return canonical(key[: match.start()]), _DIFFUSERS_PARTS.get(match[1], match[1])


def canonical(layer: str) -> str:
    """A layer's name of any convention in our spelling; one of an unknown convention only gets its underscores."""
    name = layer.replace(".", "_")
    for start, short in _PREFIXES:
        if name.startswith(start):
            return short + name[len(start) :]
    return name


def by_layer(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """For every layer its keys by part, in the order of the file; bundled embeddings left out."""
    layers: dict[str, dict[str, str]] = {}
    for key in keys:
        if not key.startswith(BUNDLED):
            layer, part = layer_and_part(key)
            layers.setdefault(layer, {})[part] = key
    return layers


def bundled(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """The keys of bundled embeddings by embedding name and vector name (`string_to_param.*`, `clip_l`, `clip_g`)."""
    found: dict[str, dict[str, str]] = {}
    for key in keys:
        if key.startswith(BUNDLED):
            name, _, vector = key.removeprefix(BUNDLED).partition(".")
            found.setdefault(name, {})[vector] = key
    return found
