"""What a file is that is no checkpoint: LoRA, VAE, embedding, upscaler …, and the folder where it belongs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modules.weights.family import Shapes


class Kind(NamedTuple):
    """A sort of weight file: what to call it, and what to do with it."""

    name: str
    cure: str


def _folder(name: str, folder: str) -> Kind:
    return Kind(name, f"put it into {folder}")


LORA = _folder("a LoRA", "models/Lora")
VAE = _folder("a VAE", "models/VAE")
EMBEDDING = _folder("a textual inversion embedding", "embeddings")
HYPERNETWORK = _folder("a hypernetwork", "models/hypernetworks")
CONTROLNET = _folder("a ControlNet", "models/ControlNet")
T2I_ADAPTER = _folder("a T2I adapter", "models/ControlNet")
IP_ADAPTER = _folder("an IP-Adapter", "models/ControlNet")
ESRGAN = _folder("an upscaler", "models/ESRGAN")
SWINIR = _folder("an upscaler", "models/SwinIR")
DAT = _folder("an upscaler", "models/DAT")
HAT = _folder("an upscaler", "models/HAT")
SCUNET = _folder("an upscaler", "models/ScuNET")
GFPGAN = _folder("a face restorer", "models/GFPGAN")
CODEFORMER = _folder("a face restorer", "models/Codeformer")
TAESD = _folder("a TAESD preview decoder", "models/VAE-taesd")
VAE_APPROX = _folder("a preview decoder", "models/VAE-approx")
TEXT_ENCODER = _folder("a text encoder without a model", "models/CLIP")
DIFFUSERS_VAE = Kind("a VAE in diffusers' layout", "convert it to the single-file layout, then put it into models/VAE")
DIFFUSERS_UNET = Kind("a UNet in diffusers' layout", "convert the whole model to one safetensors checkpoint")
BARE_UNET = Kind("a UNet without VAE and text encoder", "download the complete checkpoint")

_LORA_STARTS = ("lora_unet_", "lora_te", "lora_prior_", "oft_unet_", "oft_te", "lycoris_", "bundle_emb.")
_LORA_PARTS = re.compile(r"\.lora_(?:up|down|A|B|mid)\.|\.lora\.(?:up|down)\.|_lora\.(?:up|down)\.|\.hada_w1_|\.lokr_w1|\.dora_scale$")
_HYPERNETWORK = re.compile(r"\d+\.[01]\.linear(?:\.\d+\.|[12]\.)")


class _Keys:
    """Questions about a file's key names."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.names = frozenset(_without_nesting(key) for key in keys)

    def has(self, *names: str) -> bool:
        return all(name in self.names for name in names)

    def starts(self, *prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in self.names)

    def matches(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(name) for name in self.names)


_RULES: tuple[tuple[Kind, Callable[[_Keys], bool]], ...] = (
    (LORA, lambda k: k.starts(*_LORA_STARTS) or k.matches(_LORA_PARTS)),
    (IP_ADAPTER, lambda k: k.starts("image_proj.", "ip_adapter.")),
    (CONTROLNET, lambda k: k.starts("control_model.", "controlnet_cond_embedding.", "input_hint_block.", "zero_convs.")),
    (T2I_ADAPTER, lambda k: k.has("body.0.block1.weight") or k.starts("adapter.body.", "transformer_layes.", "body.0.in_conv.")),
    (CODEFORMER, lambda k: k.has("quantize.embedding.weight", "position_emb")),
    (GFPGAN, lambda k: k.starts("stylegan_decoder.", "stylegan_decoderdotto_rgbs.")),
    (VAE, lambda k: k.has("decoder.conv_in.weight", "decoder.up.0.block.0.conv1.weight")),
    (VAE, lambda k: k.has("first_stage_model.decoder.conv_in.weight") and not k.starts("model.diffusion_model.")),
    (DIFFUSERS_VAE, lambda k: k.has("decoder.conv_in.weight") and k.starts("decoder.up_blocks.", "encoder.down_blocks.")),
    (TAESD, lambda k: k.starts("decoder.layers.", "encoder.layers.") or (k.has("1.conv.0.weight") or k.has("3.conv.0.weight"))),
    (VAE_APPROX, lambda k: k.has("conv1.weight", "conv8.weight") and len(k.names) == 16),
    (DIFFUSERS_UNET, lambda k: k.has("conv_in.weight", "mid_block.resnets.0.conv1.weight")),
    (BARE_UNET, lambda k: k.has("input_blocks.0.0.weight", "out.2.weight")),
    (SCUNET, lambda k: k.has("m_head.0.weight", "m_tail.0.weight")),
    (DAT, lambda k: k.has("conv_first.weight") and k.starts("layers.0.blocks.")),
    (HAT, lambda k: k.has("conv_first.weight", "relative_position_index_SA")),
    (SWINIR, lambda k: k.has("conv_first.weight") and k.starts("layers.0.residual_group.")),
    (ESRGAN, lambda k: k.has("conv_first.weight") and k.starts("body.", "RRDB_trunk.")),
    (ESRGAN, lambda k: k.starts("model.1.sub.") or (k.has("body.0.weight", "body.1.weight") and len(k.names) < 400)),
    (TEXT_ENCODER, lambda k: k.has("text_model.embeddings.token_embedding.weight") or k.starts("encoder.block.0.layer.0.SelfAttention.")),
    (HYPERNETWORK, lambda k: k.matches(_HYPERNETWORK)),
    (EMBEDDING, lambda k: k.has("emb_params") or k.has("clip_g") or k.starts("string_to_param.")),
)


def what_is_it(shapes: Shapes) -> Kind | None:
    """The sort of weight file that holds these tensors, None if it is none of the known ones (or a checkpoint)."""
    keys = _Keys(shapes)
    for kind, rule in _RULES:
        if rule(keys):
            return kind
    lone = next(iter(shapes.values())) if len(shapes) == 1 else ()
    return EMBEDDING if len(lone) == 2 and lone[0] <= 256 else None


def _without_nesting(key: str) -> str:
    """Upscalers and restorers keep their tensors under `params_ema.` or `params.`."""
    for prefix in ("params_ema.", "params."):
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
