"""Begins a training run from an exported file: `python -m tools.avatar.begin_from models/Stable-diffusion/avatar.safetensors`.

Writes the autoencoder as the run's `vae.ckpt` and text encoder and UNet as `start.pt`, from which the stage "unet" begins;
`--new-text` starts what listens to the caption anew (`AvatarNet.reset_text`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from tools.avatar.diffusion_training import SCALE_FACTOR, AvatarNet, build_net
from tools.avatar.export import TOKEN_KEY
from tools.avatar.tokens import SmallVocabulary


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a key prefix, without it, float32."""
    return {key[len(prefix) :]: value.float() for key, value in tensors.items() if key.startswith(prefix)}


def autoencoder(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's autoencoder with the scale factor taken into its quant convolutions: latents of deviation 1."""
    state = part(tensors, "first_stage_model.")
    state["quant_conv.weight"][:4] *= SCALE_FACTOR
    state["quant_conv.bias"][:4] *= SCALE_FACTOR
    state["post_quant_conv.weight"] /= SCALE_FACTOR
    return state


def load_into(net: AvatarNet, tensors: dict[str, Tensor], vocabulary: SmallVocabulary) -> None:
    """Text encoder and UNet of the file; the token table is gathered back to the small vocabulary."""
    text = part(tensors, "cond_stage_model.transformer.")
    table = text[TOKEN_KEY]
    rows = torch.tensor([*vocabulary.ids, next(i for i in range(len(table)) if i not in set(vocabulary.ids))])
    text[TOKEN_KEY] = table[rows]
    net.text.load_state_dict(text, strict=False)
    net.unet.load_state_dict(part(tensors, "model.diffusion_model."))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--config", type=Path, default=Path("tools/avatar/cpu-128.yaml"))
    parser.add_argument("--new-text", action="store_true")
    arguments = parser.parse_args()
    config = yaml.safe_load(arguments.config.read_text())
    folder = Path(config["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    tensors, vocabulary = load_file(arguments.file), SmallVocabulary()
    state = {f"ema.{key}": value for key, value in autoencoder(tensors).items()}
    torch.save({"state_dict": state}, folder / "vae.ckpt")
    torch.manual_seed(config["unet"]["seed"])
    net = build_net(config, vocabulary)
    load_into(net, tensors, vocabulary)
    if arguments.new_text:
        net.reset_text()
    torch.save(net.state_dict(), folder / "start.pt")


if __name__ == "__main__":
    main()
