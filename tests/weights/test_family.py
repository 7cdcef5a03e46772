from __future__ import annotations

import gzip
import json

import pytest
from golden_data import golden

from modules.weights.family import NAMES, SUPPORTED, Family, detect
from modules.weights.kinds import what_is_it

FIXTURES: dict[str, Family] = {
    "sd1_checkpoint": "sd1",
    "sd1_checkpoint_fp16_noschedule": "sd1",
    "sd1_checkpoint_with_ema": "sd1",
    "sd1_inpainting_checkpoint": "sd1-inpaint",
    "sd1_instruct_pix2pix_checkpoint": "sd1-pix2pix",
    "sd2_checkpoint": "sd2",
    "sd2_inpainting_checkpoint": "sd2-inpaint",
    "sd2_depth_checkpoint": "sd2-depth",
    "sd2_unclip_l_checkpoint": "sd2-unclip-l",
    "sd2_unclip_h_checkpoint": "sd2-unclip-h",
    "sd2_x4_upscaler_checkpoint": "sd2-x4-upscaler",
    "sdxl_base_checkpoint": "sdxl",
    "sdxl_inpainting_checkpoint": "sdxl-inpaint",
    "sdxl_refiner_checkpoint": "sdxl-refiner",
    "ssd1b_checkpoint": "ssd-1b",
    "segmind_vega_checkpoint": "vega",
    "sd3_medium_checkpoint": "sd3",
    "sd3_medium_incl_clips_t5xxl": "sd3",
    "altdiffusion_checkpoint": "alt",
    "altdiffusion_m18_checkpoint": "alt-m18",
}

KINDS = {
    "lora_kohya_sd1": ("LoRA", "models/Lora"),
    "lora_kohya_sdxl_locon": ("LoRA", "models/Lora"),
    "lycoris_full": ("LoRA", "models/Lora"),
    "lycoris_ia3": ("LoRA", "models/Lora"),
    "lycoris_lokr": ("LoRA", "models/Lora"),
    "lycoris_glora": ("LoRA", "models/Lora"),
    "lycoris_norm": ("LoRA", "models/Lora"),
    "oft_kohya_representative": ("LoRA", "models/Lora"),
    "vae_sd_standalone": ("VAE", "models/VAE"),
    "vae_sd_diffusers": ("VAE", "models/VAE"),
    "unet_sd1_diffusers": ("UNet", "convert"),
    "controlnet_sd1_plain": ("ControlNet", "models/ControlNet"),
    "controlnet_sd1_prefixed": ("ControlNet", "models/ControlNet"),
    "controlnet_sdxl_diffusers": ("ControlNet", "models/ControlNet"),
    "t2i_adapter_sd1_rgb": ("T2I adapter", "models/ControlNet"),
    "t2i_adapter_sdxl_diffusers": ("T2I adapter", "models/ControlNet"),
    "t2i_adapter_light": ("T2I adapter", "models/ControlNet"),
    "esrgan_old_4x": ("upscaler", "models/ESRGAN"),
    "realesrgan_x4plus": ("upscaler", "models/ESRGAN"),
    "realesrgan_compact_x4v3": ("upscaler", "models/ESRGAN"),
    "swinir_large_realsr_x4": ("upscaler", "models/SwinIR"),
    "dat_x4": ("upscaler", "models/DAT"),
    "hat_l_x4": ("upscaler", "models/HAT"),
    "scunet": ("upscaler", "models/ScuNET"),
    "gfpgan_v1_clean": ("face restorer", "models/GFPGAN"),
    "codeformer": ("face restorer", "models/Codeformer"),
    "taesd_decoder_4ch": ("TAESD", "models/VAE-taesd"),
    "taesd_diffusers": ("TAESD", "models/VAE-taesd"),
    "vae_approx_4ch": ("preview", "models/VAE-approx"),
    "sd3_text_encoder_clip_g_file": ("text encoder", "models/CLIP"),
}


def shapes_of(name: str) -> dict[str, tuple[int, ...]]:
    document = json.loads(gzip.decompress(golden("nets", "fixtures", f"{name}.json.gz").read_bytes()))
    return {key: tuple(shape) for key, (shape, _) in document["tensors"].items()}


@pytest.mark.parametrize(("name", "family"), FIXTURES.items())
def test_full_size_checkpoints(name: str, family: Family) -> None:
    assert detect(shapes_of(name)) == family


@pytest.mark.parametrize(("name", "expected"), KINDS.items())
def test_other_kinds_of_files(name: str, expected: tuple[str, str]) -> None:
    shapes = shapes_of(name)
    assert detect(shapes) is None
    kind = what_is_it(shapes)
    assert kind is not None
    assert expected[0] in kind.name and expected[1] in kind.cure


def test_no_checkpoint_is_taken_for_something_else() -> None:
    for name in FIXTURES:
        assert what_is_it(shapes_of(name)) is None, name


@pytest.mark.parametrize(
    "shapes",
    [{"emb_params": (4, 768)}, {"clip_l": (2, 768), "clip_g": (2, 1280)}, {"string_to_param.*": (1, 768)}, {"<cat>": (3, 1024)}],
)
def test_embeddings(shapes: dict) -> None:
    kind = what_is_it(shapes)
    assert kind is not None and "embedding" in kind.name


def test_a_hypernetwork() -> None:
    kind = what_is_it({"768.0.linear.0.weight": (1536, 768), "768.1.linear.0.weight": (1536, 768)})
    assert kind is not None and "hypernetwork" in kind.name


def test_nothing_known_is_nothing() -> None:
    for shapes in ({}, {"a": (3,)}, {"a.weight": (4096, 4096), "b.weight": (4096, 4096)}):
        assert detect(shapes) is None
        assert what_is_it(shapes) is None


def test_small_models_of_odd_width_are_sd1() -> None:
    shapes = {"model.diffusion_model.input_blocks.0.0.weight": (64, 4, 3, 3)}
    shapes["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"] = (49408, 256)
    assert detect(shapes) == "sd1"


def test_sd2_turbo_has_sdxl_names() -> None:
    shapes = {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3), "conditioner.embedders.0.model.ln_final.weight": (1024,)}
    assert detect(shapes) == "sd2"


@pytest.mark.parametrize("channels", [1, 3, 6, 16])
def test_first_convolutions_of_no_family(channels: int) -> None:
    assert detect({"model.diffusion_model.input_blocks.0.0.weight": (320, channels, 3, 3)}) is None


def test_malformed_shapes_do_not_matter() -> None:
    for shape in ((), (320,), (0, 0)):
        assert detect({"model.diffusion_model.input_blocks.0.0.weight": shape}) is None


def test_every_family_has_a_name() -> None:
    assert set(FIXTURES.values()) <= set(NAMES)
    assert set(NAMES) >= SUPPORTED
