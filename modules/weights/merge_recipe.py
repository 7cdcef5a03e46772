"""A merged checkpoint's name and metadata, in A1111's words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modules.weights import hashes
from modules.weights.merge_formula import Method

Format = Literal["safetensors", "ckpt"]


@dataclass(frozen=True)
class Ingredient:
    """A checkpoint that goes into a merge."""

    path: Path
    name: str
    """As the list of checkpoints shows it: the path below the checkpoint folder."""
    sha256: str
    config: Path | None = None
    """The `.yaml` beside it."""

    @property
    def model_name(self) -> str:
        return Path(self.name).stem


@dataclass(frozen=True)
class MergeRequest:
    """Everything the checkpoint merger can be asked; field for field its form (platform.md §6.5)."""

    primary: Ingredient
    secondary: Ingredient | None = None
    tertiary: Ingredient | None = None
    method: Method = "Weighted sum"
    multiplier: float = 0.3
    save_as_half: bool = False
    custom_name: str = ""
    format: Format = "safetensors"
    config_source: int = 0
    """Whose `.yaml` is copied: 0 the first of A, B, C that has one; 1 B; 2 C; 3 nobody's."""
    bake_in_vae: Path | None = None
    discard_weights: str = ""
    """Regular expression; keys in which it is found are left out."""
    save_metadata: bool = True
    add_merge_recipe: bool = True
    copy_metadata_fields: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ingredients(self) -> Sequence[Ingredient]:
        """The checkpoints in use, A first."""
        return [item for item in (self.primary, self.secondary, self.tertiary) if item is not None]


def file_stem(request: MergeRequest, special: str | None) -> str:
    """The result's name without its format: the custom one or the formula, and what sort of model it is if not a normal one."""
    return (request.custom_name or _formula(request)) + (f".{special}" if special else "")


def _formula(request: MergeRequest) -> str:
    names = [item.model_name for item in request.ingredients]
    multiplier = round(request.multiplier, 2)
    if request.method == "Weighted sum":
        return f"{round(1 - multiplier, 2)}({names[0]}) + {multiplier}({names[1]})"
    if request.method == "Add difference":
        return f"{names[0]} + {multiplier}({names[1]} - {names[2]})"
    return names[0]


def config_of(request: MergeRequest) -> Path | None:
    """The `.yaml` that the result gets a copy of."""
    if request.config_source == 0:
        return next((item.config for item in request.ingredients if item.config is not None), None)
    chosen = {1: request.secondary, 2: request.tertiary}.get(request.config_source)
    return chosen.config if chosen is not None else None


def metadata_of(request: MergeRequest, found: Sequence[Mapping[str, str]], special: str | None) -> dict[str, str]:
    """The result's metadata; `found` are those of the ingredients, in their order. Empty if none are wanted."""
    if not request.save_metadata:
        return {}
    metadata: dict[str, str] = {}
    if request.copy_metadata_fields:
        for fields in found:
            metadata |= fields
    metadata |= {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in request.metadata.items()}
    metadata["format"] = "pt"
    if request.add_merge_recipe:
        metadata["sd_merge_recipe"] = json.dumps(_recipe(request, special))
        metadata["sd_merge_models"] = json.dumps(_models(request, found))
    return metadata


def _recipe(request: MergeRequest, special: str | None) -> dict[str, Any]:
    hashed = [item.sha256 if item else None for item in (request.primary, request.secondary, request.tertiary)]
    return {
        "type": "webui",
        "primary_model_hash": hashed[0],
        "secondary_model_hash": hashed[1],
        "tertiary_model_hash": hashed[2],
        "interp_method": request.method,
        "multiplier": request.multiplier,
        "save_as_half": request.save_as_half,
        "custom_name": request.custom_name,
        "config_source": request.config_source,
        "bake_in_vae": request.bake_in_vae.name if request.bake_in_vae else "None",
        "discard_weights": request.discard_weights,
        "is_inpainting": special == "inpainting",
        "is_instruct_pix2pix": special == "instruct-pix2pix",
    }


def _models(request: MergeRequest, found: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Every model that went in, by its SHA-256, with those that had gone into it before."""
    models: dict[str, Any] = {}
    for item, fields in zip(request.ingredients, found, strict=True):
        recipe = _json(fields.get("sd_merge_recipe"))
        models[item.sha256] = {"name": item.name, "legacy_hash": hashes.old_hash(item.path), "sd_merge_recipe": recipe}
        earlier = _json(fields.get("sd_merge_models"))
        if isinstance(earlier, dict):
            models |= earlier
    return models


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return text
