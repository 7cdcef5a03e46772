"""Which upscalers there are: A1111's names in A1111's order, and the files found in the model folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

SUFFIXES = (".pth", ".pt", ".safetensors")
Tiling = Literal["pixels", "tensors"]


@dataclass(frozen=True)
class Family:
    """Upscalers of one folder: how their pictures are tiled and by which settings."""

    folder: str
    tiling: Tiling = "pixels"
    settings: str = "ESRGAN"
    """Beginning of the settings `…_tile` and `…_tile_overlap`."""
    device: str = "esrgan"
    """The name that `--use-cpu` knows."""
    listed_as: str | None = None
    """`model_name` in the API's list."""


PLAIN = Family("")
ESRGAN = Family("ESRGAN", listed_as="ESRGAN_4x")
REALESRGAN = Family("RealESRGAN")
DAT = Family("DAT", settings="DAT", device="dat")
SWINIR = Family("SwinIR", "tensors", "SWIN", "swinir", "SwinIR 4x")
SCUNET = Family("ScuNET", "tensors", "SCUNET", "scunet", "ScuNET GAN")
HAT = Family("HAT", device="hat")
OTHERS = tuple(Family(name) for name in ("BSRGAN", "Swin2SR", "OmniSR", "SPAN", "RealCUGAN", "ATD", "DRCT", "RGT", "PLKSR"))
"""Folders whose files are read by what they hold and tiled by ESRGAN's settings."""


@dataclass(frozen=True)
class UpscalerInfo:
    """One choice of the upscaler list; `file` is None for those that need none."""

    name: str
    family: Family = PLAIN
    file: Path | None = None
    """Where the weights are, or belong if nobody has put them there yet."""
    url: str = ""
    """Where the weights can be had."""
    scale: float = 4.0

    @property
    def installed(self) -> bool:
        return self.file is None or self.file.is_file()


@dataclass(frozen=True)
class Named:
    """A model that is listed before anyone has it: its name, its home page's file and its scale."""

    name: str
    url: str
    scale: float = 4.0

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


_XINNTAO = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_DAT = "https://github.com/n0kovo/dat_upscaler_models/raw/main/DAT"
_KAIR = "https://github.com/cszn/KAIR/releases/download/v1.0"
REALESRGAN_MODELS = (
    Named("R-ESRGAN General 4xV3", f"{_XINNTAO}/v0.2.5.0/realesr-general-x4v3.pth"),
    Named("R-ESRGAN General WDN 4xV3", f"{_XINNTAO}/v0.2.5.0/realesr-general-wdn-x4v3.pth"),
    Named("R-ESRGAN AnimeVideo", f"{_XINNTAO}/v0.2.5.0/realesr-animevideov3.pth"),
    Named("R-ESRGAN 4x+", f"{_XINNTAO}/v0.1.0/RealESRGAN_x4plus.pth"),
    Named("R-ESRGAN 4x+ Anime6B", f"{_XINNTAO}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth"),
    Named("R-ESRGAN 2x+", f"{_XINNTAO}/v0.2.1/RealESRGAN_x2plus.pth", 2.0),
)
DAT_MODELS = tuple(Named(f"DAT x{scale}", f"{_DAT}/DAT_x{scale}.pth", float(scale)) for scale in (2, 3, 4))
SCUNET_MODELS = (Named("ScuNET GAN", f"{_KAIR}/scunet_color_real_gan.pth"), Named("ScuNET PSNR", f"{_KAIR}/scunet_color_real_psnr.pth"))
ESRGAN_DEFAULT = Named("ESRGAN_4x", "https://github.com/cszn/KAIR/releases/download/v1.0/ESRGAN.pth")
SWINIR_DEFAULT = Named(
    "SwinIR 4x",
    "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth",
)
FIRST = (UpscalerInfo("None"), UpscalerInfo("Lanczos"), UpscalerInfo("Nearest"))


def list_upscalers(folders: Mapping[str, Path], settings: Any) -> list[UpscalerInfo]:
    """All choices: None, Lanczos and Nearest, then by name without regard to case.

    `folders` maps A1111's folder names ("ESRGAN", …) to where they are; `settings` says which Real-ESRGAN and DAT models are wanted.
    """
    found = [
        *_files(ESRGAN, folders, default=ESRGAN_DEFAULT),
        *_named(REALESRGAN, folders, REALESRGAN_MODELS, settings.realesrgan_enabled_models),
        *_files(REALESRGAN, folders, without=REALESRGAN_MODELS),
        *_named(DAT, folders, DAT_MODELS, settings.dat_enabled_models),
        *_files(DAT, folders, without=DAT_MODELS),
        *_files(SWINIR, folders, default=SWINIR_DEFAULT),
        *_named(SCUNET, folders, SCUNET_MODELS),
        *_files(SCUNET, folders, without=SCUNET_MODELS),
        *(info for family in (HAT, *OTHERS) for info in _files(family, folders)),
    ]
    return [*FIRST, *sorted(found, key=lambda info: info.name.lower())]


def _files(
    family: Family, folders: Mapping[str, Path], default: Named | None = None, without: Sequence[Named] = ()
) -> Iterator[UpscalerInfo]:
    """The weight files of a folder under their own names; the default where there is none."""
    folder = folders[family.folder]
    known = {model.file for model in without}
    files = [file for file in weight_files(folder) if file.name not in known]
    if not files and default is not None:
        yield UpscalerInfo(default.name, family, folder / default.file, default.url, default.scale)
    for file in files:
        yield UpscalerInfo(file.stem, family, file)


def _named(
    family: Family, folders: Mapping[str, Path], models: Sequence[Named], wanted: Sequence[str] | None = None
) -> Iterator[UpscalerInfo]:
    folder = folders[family.folder]
    for model in models:
        if wanted is None or model.name in wanted:
            yield UpscalerInfo(model.name, family, folder / model.file, model.url, model.scale)


def weight_files(folder: Path) -> list[Path]:
    """The weight files below a folder, by name."""
    found = [
        Path(root, name) for root, _, names in os.walk(folder, followlinks=True) for name in names if Path(name).suffix.lower() in SUFFIXES
    ]
    return sorted(found, key=lambda file: file.as_posix().lower())
