"""A checkpoint file -> networks ready to run: detected, checked against the networks' shapes, then filled tensor by tensor."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from modules.nets.clip import CLIPTextModel
from modules.nets.openclip import OpenCLIPTextModel
from modules.nets.unet import UNetModel
from modules.nets.vae import AutoencoderKL
from modules.weights import model_yaml
from modules.weights.architecture import SD2_FAMILIES, XL_FAMILIES, ModelSpec, Prediction, ShapeError, YamlMismatch, model_spec, vae_config
from modules.weights.errors import BadConfig, MissingKeys, UnknownFamily, UnsupportedFamily, WrongKind, WrongShape
from modules.weights.family import NAMES, SUPPORTED, Family, detect
from modules.weights.fill import NetFiller
from modules.weights.keymap import Part, split_keys, vae_keys
from modules.weights.kinds import VAE, what_is_it
from modules.weights.safetensors_file import TensorFile

log = logging.getLogger(__name__)

PART_NAMES: dict[Part, str] = {
    "unet": "UNet (model.diffusion_model.*)",
    "vae": "VAE (first_stage_model.*)",
    "text_l": "CLIP text encoder",
    "text_g": "OpenCLIP text encoder",
}
TIMESTEPS = 1000


@dataclass
class Checkpoint:
    """A checkpoint's networks in evaluation mode, without gradients; `alphas_cumprod` is float32 [1000] on the CPU."""

    path: Path
    spec: ModelSpec
    unet: UNetModel
    vae: AutoencoderKL
    text_l: CLIPTextModel | None
    text_g: OpenCLIPTextModel | None
    alphas_cumprod: Tensor
    metadata: dict[str, str]
    vae_path: Path | None = None
    """Where the VAE came from, None for the checkpoint's own."""


def load_checkpoint(
    path: str | Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype | None = None,
    text_dtype: torch.dtype | None = None,
    yaml: str | Path | None = None,
) -> Checkpoint:
    """Load a safetensors checkpoint; the UNet becomes `dtype`, VAE and text encoders `vae_dtype` and `text_dtype` (default `dtype`).

    `yaml` describes what shapes cannot tell; by default the file of the same name beside the checkpoint is taken.
    Networks are built without storage and filled one tensor at a time, so memory holds each weight once. Everything that can
    be wrong with names and shapes is found before the first tensor is read. Raises a WeightsError.
    """
    path = Path(path)
    config = Path(yaml) if yaml is not None else model_yaml.beside(path)
    with TensorFile.open(path, kind="checkpoint") as file:
        family = _supported_family(file)
        parts = split_keys(file.keys())
        _require_parts(file, family, parts)
        spec = _spec(file, family, parts, config)
        fillers = _fillers(file, spec, parts)
        text = text_dtype or dtype
        dtypes: dict[Part, torch.dtype] = {"unet": dtype, "vae": vae_dtype or dtype, "text_l": text, "text_g": text}
        for part, filler in fillers.items():
            filler.fill(device, dtypes[part])
        return _checkpoint(path, spec, fillers, file.metadata)


def load_vae(path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> AutoencoderKL:
    """A VAE from its own file, or the one inside a checkpoint. Raises a WeightsError."""
    with TensorFile.open(path, kind="VAE") as file:
        _require_vae(file)
        keys = vae_keys(file.keys())
        try:
            config = vae_config({name: file.tensors[key].shape for name, key in keys.items()})
        except ShapeError as error:
            raise MissingKeys(file.path, f"{error}; download a complete VAE", kind="VAE") from error
        except ValueError as error:
            raise WrongShape(file.path, f"is no VAE of a known build ({error}); choose another one", kind="VAE") from error
        filler = NetFiller(file, "VAE", lambda: AutoencoderKL(config), keys)
        filler.fill(device, dtype)
        return filler.net


def load_vae_into(checkpoint: Checkpoint, path: str | Path) -> None:
    """Replace a checkpoint's VAE by the one of another file, keeping device and dtype.

    Raises WrongKind if its latents are not of the checkpoint's kind, or another WeightsError; the old VAE then stays.
    """
    weight = next(checkpoint.vae.parameters())
    vae = load_vae(path, device=weight.device, dtype=weight.dtype)
    have, need = vae.config, checkpoint.spec.vae
    if (have.embed_dim, have.scale_factor) != (need.embed_dim, need.scale_factor):
        problem = (
            f"makes latents of {have.embed_dim} channels at 1/{have.scale_factor} size, but '{checkpoint.path.name}' needs "
            f"{need.embed_dim} at 1/{need.scale_factor}; choose another VAE"
        )
        raise WrongKind(path, problem, kind="VAE")
    checkpoint.vae, checkpoint.vae_path = vae, Path(path)


@torch.no_grad()
def probe_prediction(unet: UNetModel) -> Prediction:
    """What an SD2-like UNet predicts, "eps" or "v", from one evaluation of a constant input at the last timestep.

    Of a nearly pure-noise input of 0.5 everywhere, noise prediction gives the input back; velocity prediction, about minus
    the picture, falls far below it (generation.md §3.2).
    """
    config, weight = unet.config, next(unet.parameters())
    if config.in_channels != config.out_channels:
        return "eps"
    x = weight.new_full((1, config.in_channels, 8, 8), 0.5)
    context = weight.new_full((1, 2, config.context_dim), 0.5)
    output = unet(x, torch.full((1,), TIMESTEPS - 1, device=weight.device), context)
    return "v" if (output - x).float().mean().item() < -1 else "eps"


def alphas_cumprod(linear_start: float = 0.00085, linear_end: float = 0.012) -> Tensor:
    """Cumulative signal power of the 1000 training timesteps, computed in float64 and rounded to float32 (Ho et al. 2020)."""
    betas = torch.linspace(linear_start**0.5, linear_end**0.5, TIMESTEPS, dtype=torch.float64, device="cpu") ** 2
    return torch.cumprod(1.0 - betas, dim=0).float()


def _supported_family(file: TensorFile) -> Family:
    family = detect(file.shapes)
    if family is None:
        kind = what_is_it(file.shapes)
        if kind is not None:
            raise WrongKind(file.path, f"is {kind.name}, not a checkpoint; {kind.cure}", kind="file")
        raise UnknownFamily(file.path, "is of no model family known here; choose another checkpoint", kind="checkpoint")
    if family not in SUPPORTED:
        problem = f"is a {NAMES[family]} model ({family}), which is not built in yet; choose another checkpoint"
        raise UnsupportedFamily(file.path, problem, family=family, kind="checkpoint")
    return family


def _require_parts(file: TensorFile, family: Family, parts: Mapping[Part, Mapping[str, str]]) -> None:
    """Say at once which whole part is missing: a UNet alone, a file without its VAE."""
    text: list[Part] = ["text_g"] if family in SD2_FAMILIES or family == "sdxl-refiner" else ["text_l"]
    if family in XL_FAMILIES and family != "sdxl-refiner":
        text = ["text_l", "text_g"]
    needed: list[Part] = ["unet", "vae", *text]
    missing = [PART_NAMES[part] for part in needed if not parts[part]]
    if missing:
        raise MissingKeys(file.path, f"has no {' and no '.join(missing)}; download the complete checkpoint", kind="checkpoint")


def _spec(file: TensorFile, family: Family, parts: Mapping[Part, Mapping[str, str]], config: Path | None) -> ModelSpec:
    shapes = {part: {name: file.tensors[key].shape for name, key in names.items()} for part, names in parts.items()}
    yaml = model_yaml.read_model_yaml(config) if config is not None else None
    try:
        return model_spec(family, shapes, yaml)
    except YamlMismatch as error:
        raise BadConfig(config or file.path, str(error), kind="model config") from error
    except ShapeError as error:
        raise MissingKeys(file.path, f"{error}; download it again or choose another checkpoint", kind="checkpoint") from error
    except ValueError as error:
        raise WrongShape(file.path, f"is no network of a known build ({error}); choose another checkpoint", kind="checkpoint") from error


def _fillers(file: TensorFile, spec: ModelSpec, parts: Mapping[Part, Mapping[str, str]]) -> dict[Part, NetFiller]:
    """Every network on the meta device, its names and shapes checked against the file."""
    fillers: dict[Part, NetFiller] = {
        "unet": NetFiller(file, PART_NAMES["unet"], lambda: UNetModel(spec.unet), parts["unet"]),
        "vae": NetFiller(file, PART_NAMES["vae"], lambda: AutoencoderKL(spec.vae), parts["vae"]),
    }
    if (text_l := spec.text_l) is not None:
        fillers["text_l"] = NetFiller(file, PART_NAMES["text_l"], lambda: CLIPTextModel(text_l), parts["text_l"])
    if (text_g := spec.text_g) is not None:
        spare = _unused_of_openclip(spec)
        fillers["text_g"] = NetFiller(file, PART_NAMES["text_g"], lambda: OpenCLIPTextModel(text_g), parts["text_g"], spare)
    return fillers


def _unused_of_openclip(spec: ModelSpec) -> tuple[str, ...]:
    """Prefixes of tensors that a file may lack because no picture depends on them."""
    if spec.family in SD2_FAMILIES and spec.text_g is not None:
        return ("logit_scale", "text_projection", f"transformer.resblocks.{spec.text_g.layers - 1}.")
    return ("logit_scale",)


def _checkpoint(path: Path, spec: ModelSpec, fillers: Mapping[Part, NetFiller], metadata: dict[str, str]) -> Checkpoint:
    text_l, text_g = fillers.get("text_l"), fillers.get("text_g")
    return Checkpoint(
        path=path,
        spec=spec,
        unet=fillers["unet"].net,
        vae=fillers["vae"].net,
        text_l=text_l.net if text_l else None,
        text_g=text_g.net if text_g else None,
        alphas_cumprod=alphas_cumprod(spec.linear_start, spec.linear_end),
        metadata=metadata,
    )


def _require_vae(file: TensorFile) -> None:
    kind = what_is_it(file.shapes)
    inside = "first_stage_model.decoder.conv_in.weight" in file.tensors
    if not inside and kind is not VAE:
        what = f"is {kind.name}, not a VAE; {kind.cure}" if kind else "is not a VAE; choose another one"
        raise WrongKind(file.path, what, kind="file")
