"""Writes the trained model as one SD1 checkpoint in float16 with its .yaml: `python -m tools.avatar.export --config …`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from modules.prompt.tokenizer import Tokenizer
from tools.avatar.diffusion_training import SCALE_FACTOR, decoder_name, latent_affine, load_vae
from tools.avatar.tokens import SmallVocabulary

VOCABULARY = 49408
TOKEN_KEY = "text_model.embeddings.token_embedding.weight"


def spread_tokens(small: Tensor, vocabulary: SmallVocabulary) -> Tensor:
    """The embedding of the whole vocabulary [49408, width]: trained rows where there are any, the unknown word's row elsewhere."""
    full = small[vocabulary.unknown].repeat(VOCABULARY, 1)
    full[torch.tensor(vocabulary.ids)] = small[: len(vocabulary.ids)]
    return full


def fold_affine(state: dict[str, Tensor], affine: Tensor) -> None:
    """Puts the latents' shift and deviation into the quant convolutions: the file's latents times 0.18215 are the training's."""
    shift, deviation = affine[0], affine[1]
    scale = deviation * SCALE_FACTOR
    quant, bias = state["quant_conv.weight"], state["quant_conv.bias"]
    quant[:4] /= scale[:, None, None, None]
    bias[:4] = (bias[:4] - shift) / scale
    bias[4:] -= 2 * torch.log(scale)
    post = state["post_quant_conv.weight"]
    state["post_quant_conv.bias"] += (post[:, :, 0, 0] * shift).sum(1)
    post *= scale[None, :, None, None]


def unet_weights(folder: Path, raw: bool = False) -> tuple[dict[str, Tensor], int]:
    """The averaged (or the raw) weights of the last checkpoint, and its step."""
    checkpoint = torch.load(folder / "unet.ckpt", weights_only=False, map_location="cpu")
    prefix = "net." if raw else "ema."
    return {k[len(prefix) :]: v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}, checkpoint[
        "global_step"
    ]


def checkpoint_tensors(config: dict[str, Any], folder: Path, raw: bool = False) -> tuple[dict[str, Tensor], int]:
    """Every tensor of the file under its SD1 key, float16, and the training step."""
    vocabulary = SmallVocabulary()
    weights, step = unet_weights(folder, raw)
    vae = load_vae(config, folder, decoder_name(folder)).state_dict()
    fold_affine(vae, latent_affine(folder))
    tensors = {f"first_stage_model.{key}": value for key, value in vae.items()}
    for key, value in weights.items():
        if key.startswith("unet."):
            tensors[f"model.diffusion_model.{key[5:]}"] = value
        elif key == f"text.{TOKEN_KEY}":
            tensors[f"cond_stage_model.transformer.{TOKEN_KEY}"] = spread_tokens(value, vocabulary)
        elif key.startswith("text."):
            tensors[f"cond_stage_model.transformer.{key[5:]}"] = value
    halves = {
        key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in tensors.items()
    }
    return halves, step


def model_yaml(config: dict[str, Any]) -> dict[str, Any]:
    """The architecture in the layout of ldm's configuration files."""
    unet, text, vae = config["unet"]["config"], config["unet"]["text"], config["vae"]["config"]
    resolutions = [2**level for level, depth in enumerate(unet["transformer_depth"]) if depth]
    unet_params = {
        "image_size": config["data"]["size"] // 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": unet["model_channels"],
        "attention_resolutions": resolutions[::-1],
        "num_res_blocks": unet["num_res_blocks"][0],
        "channel_mult": unet["channel_mult"],
        "num_heads": unet["num_heads"],
        "use_spatial_transformer": True,
        "transformer_depth": 1,
        "context_dim": unet["context_dim"],
        "use_checkpoint": False,
        "legacy": False,
    }
    ddconfig = {
        "double_z": True,
        "z_channels": 4,
        "resolution": config["data"]["size"],
        "in_channels": 3,
        "out_ch": 3,
        "ch": vae["ch"],
        "ch_mult": vae["ch_mult"],
        "num_res_blocks": vae["num_res_blocks"],
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    text_config = {
        "width": text["width"],
        "layers": text["layers"],
        "heads": text["heads"],
        "context_length": 77,
        "vocab_size": VOCABULARY,
        "mlp_ratio": text["mlp_ratio"],
        "activation": "quick_gelu",
    }
    return {
        "model": {
            "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
            "params": {
                "linear_start": 0.00085,
                "linear_end": 0.012,
                "timesteps": 1000,
                "first_stage_key": "jpg",
                "cond_stage_key": "txt",
                "image_size": config["data"]["size"] // 8,
                "channels": 4,
                "conditioning_key": "crossattn",
                "scale_factor": SCALE_FACTOR,
                "use_ema": False,
                "unet_config": {"target": "ldm.modules.diffusionmodules.openaimodel.UNetModel", "params": unet_params},
                "first_stage_config": {
                    "target": "ldm.models.autoencoder.AutoencoderKL",
                    "params": {"embed_dim": 4, "ddconfig": ddconfig},
                },
                "cond_stage_config": {
                    "target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder",
                    "params": {"text_config": text_config},
                },
            },
        }
    }


def export(config: dict[str, Any], folder: Path, out: Path, raw: bool = False) -> Path:
    """Writes `out` and the .yaml beside it, each in one move."""
    tensors, step = checkpoint_tensors(config, folder, raw)
    metadata = {
        "format": "pt",
        "modelspec.title": "avatar",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.license": "Apache-2.0",
        "modelspec.resolution": f"{config['data']['size']}x{config['data']['size']}",
        "modelspec.prediction_type": "epsilon",
        "avatar.config": json.dumps(config),
        "avatar.data_seed": str(config["data"]["seed"]),
        "avatar.steps": str(step),
        "avatar.samples": str(step * config["unet"]["batch"] * config["workers"]),
        "avatar.hardware": "GPU" if torch.cuda.is_available() else "CPU",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    draft, settings = out.with_suffix(".draft"), out.with_suffix(".yaml")
    save_file(tensors, draft, metadata=metadata)
    settings_draft = settings.with_suffix(".draft-yaml")
    settings_draft.write_text(yaml.safe_dump(model_yaml(config), sort_keys=False))
    settings_draft.replace(settings)
    draft.chmod(0o644)
    draft.replace(out)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("tools/avatar/cpu-128.yaml"))
    parser.add_argument("--out", type=Path, default=Path("models/Stable-diffusion/avatar.safetensors"))
    parser.add_argument("--raw", action="store_true", help="the weights as they are, not their moving average")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load(arguments.config.read_text())
    path = export(config, Path(config["folder"]), arguments.out, arguments.raw)
    assert Tokenizer().end_id + 1 == VOCABULARY
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
