"""Which layer a network file's key is for, in every convention."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from golden_data import golden
from torch import nn

from modules.adapters.layers import Layers, layers_of
from modules.adapters.names import bundled, by_layer, layer_and_part
from modules.nets.clip import CLIPTextModel
from modules.nets.configs import CLIPTextConfig, MMDiTConfig, OpenCLIPTextConfig, UNetConfig
from modules.nets.mmdit import MMDiT
from modules.nets.openclip import OpenCLIPTextModel
from modules.nets.unet import UNetModel

HEADS: dict[str, Any] = {"num_heads": None, "num_head_channels": 64, "use_linear_in_transformer": True}
XL = UNetConfig(context_dim=2048, num_res_blocks=(2, 2, 2), channel_mult=(1, 2, 4), transformer_depth=(0, 2, 10),
                transformer_depth_middle=10, adm_in_channels=2816, **HEADS)  # fmt: skip
BIGG = OpenCLIPTextConfig(width=1280, layers=32, heads=20, embed_dim=1280)


def checkpoint(family: str) -> Any:
    """Full-size networks without storage."""
    with torch.device("meta"):
        match family:
            case "sd1":
                unet, text_l, text_g = UNetModel(UNetConfig()), CLIPTextModel(CLIPTextConfig()), None
            case "sd2":
                unet, text_l, text_g = UNetModel(UNetConfig(context_dim=1024, **HEADS)), None, OpenCLIPTextModel(OpenCLIPTextConfig())
            case _:
                unet, text_l, text_g = UNetModel(XL), CLIPTextModel(CLIPTextConfig()), OpenCLIPTextModel(BIGG)
    return SimpleNamespace(spec=SimpleNamespace(family=family), unet=unet, text_l=text_l, text_g=text_g)


PARTS = {
    "sd1": {"model.diffusion_model.": "unet", "cond_stage_model.transformer.": "text_l"},
    "sd2": {"model.diffusion_model.": "unet", "cond_stage_model.model.": "text_g"},
    "sdxl": {
        "model.diffusion_model.": "unet",
        "conditioner.embedders.0.transformer.": "text_l",
        "conditioner.embedders.1.model.": "text_g",
    },
}


def module_at(owner: Any, family: str, key: str) -> nn.Module:
    prefix = next(prefix for prefix in PARTS[family] if key.startswith(prefix))
    path = key.removeprefix(prefix).removesuffix(".weight").removesuffix(".in_proj_weight")
    return getattr(owner, PARTS[family][prefix]).get_submodule(path)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_kohyas_names_lead_where_the_original_looked_them_up(family: str) -> None:
    with gzip.open(golden("nets", "fixtures", "lora_name_map.json.gz")) as file:
        expected = json.load(file)[family]
    owner = checkpoint(family)
    layers = layers_of(owner)
    for kohya, key in expected.items():
        place = layers[layer_and_part(f"{kohya}.alpha")[0]]
        path, _, letter = key.partition("#")
        assert place.module is module_at(owner, family, path), kohya
        assert place.third == ("qkv".index(letter) if letter else None)
        assert place.text == kohya.startswith("lora_te")


@pytest.fixture(scope="module")
def sd1() -> Layers:
    return layers_of(checkpoint("sd1"))


BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"


@pytest.mark.parametrize("key, part", [
    (f"unet.{BLOCK}.to_q.lora_A.weight", "lora_A.weight"),
    (f"unet.{BLOCK}.to_q.lora_B.default.weight", "lora_B.weight"),
    (f"unet.{BLOCK}.to_q.lora.down.weight", "lora_down.weight"),
    (f"unet.{BLOCK}.processor.to_q_lora.up.weight", "lora_up.weight"),
    (f"{BLOCK}.processor.to_q_lora.up.weight", None),
    ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.hada_w1_a", "hada_w1_a"),
    ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_mid.weight", "lora_mid.weight"),
    ("oft_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks", "oft_blocks"),
    ("oft_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.oft_diag", "oft_diag"),
    ("lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lokr_w1", "lokr_w1"),
    ("diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.a1.weight", "a1.weight"),
    ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.weight", "weight"),
])  # fmt: skip
def test_every_convention_names_the_same_layer(sd1: Layers, key: str, part: str | None) -> None:
    layer, found = layer_and_part(key)
    if part is None:
        assert layer not in sd1
        return
    assert found == part
    assert sd1[layer] == sd1["unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"]


@pytest.mark.parametrize("key", [
    "lora_te_text_model_encoder_layers_3_mlp_fc1.alpha",
    "lora_te1_text_model_encoder_layers_3_mlp_fc1.alpha",
    "text_encoder.text_model.encoder.layers.3.mlp.fc1.lora_linear_layer.down.weight",
])  # fmt: skip
def test_text_encoders(sd1: Layers, key: str) -> None:
    place = sd1[layer_and_part(key)[0]]
    assert place.text and place.module is sd1["te_text_model_encoder_layers_3_mlp_fc1"].module


def test_a_text_encoder_of_sd1_is_none_of_sdxl() -> None:
    layers = layers_of(checkpoint("sdxl"))
    assert "te_text_model_encoder_layers_3_mlp_fc1" not in layers
    assert layers["te1_text_model_encoder_layers_3_mlp_fc1"] != layers["te2_text_model_encoder_layers_3_mlp_fc1"]


def test_diffusers_thirds_of_a_transformers_fused_matrix() -> None:
    with torch.device("meta"):
        net = MMDiT(MMDiTConfig(depth=2))
    layers = layers_of(SimpleNamespace(unet=net, text_l=None, text_g=None, spec=SimpleNamespace(family="sd3")))
    place = layers[layer_and_part("transformer.transformer_blocks.1.attn.to_k.lora_A.weight")[0]]
    assert place.module is net.joint_blocks[1].x_block.attn.qkv and place.rows == slice(1536, 3072)
    assert layers["unet_transformer_blocks_0_attn_add_v_proj"].module is net.joint_blocks[0].context_block.attn.qkv
    assert layers["unet_transformer_blocks_0_ff_net_0_proj"].module is net.joint_blocks[0].x_block.mlp.fc1


def test_bundled_embeddings_are_no_layers() -> None:
    keys = ["bundle_emb.cat.string_to_param.*", "bundle_emb.dog.clip_l", "bundle_emb.dog.clip_g", "lora_unet_x.alpha"]
    assert list(by_layer(keys)) == ["unet_x"]
    assert bundled(keys) == {"cat": {"string_to_param.*": keys[0]}, "dog": {"clip_l": keys[1], "clip_g": keys[2]}}
