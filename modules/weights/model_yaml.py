"""The `.yaml` beside a checkpoint (ldm or sgm layout): what the shapes of the weights cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from modules.weights.errors import BadConfig

MAX_BYTES = 32_768
MAX_BRACKETS = 400
MAX_HEADS = 1024


@dataclass(frozen=True)
class TextOverride:
    """A text encoder's heads and activation, None where the file is silent."""

    heads: int | None = None
    activation: Literal["quick_gelu", "gelu"] | None = None


@dataclass(frozen=True)
class ModelYaml:
    """The facts taken from a file; `given` is False for the empty instance that stands for no file at all.

    A given file that names no prediction type means "eps", as in ldm.
    """

    given: bool = False
    prediction: Literal["eps", "v"] = "eps"
    latent_scale: float | None = None
    linear_start: float | None = None
    linear_end: float | None = None
    num_heads: int | None = None
    num_head_channels: int | None = None
    text_l: TextOverride = TextOverride()
    text_g: TextOverride = TextOverride()


def beside(checkpoint: Path) -> Path | None:
    """The `.yaml` of the same name in the same folder, if there is one."""
    path = checkpoint.with_suffix(".yaml")
    return path if path.is_file() else None


class _Loader(yaml.SafeLoader):
    """Plain data only, without `<<` merging, whose chained form doubles its work with every line."""

    def flatten_mapping(self, node: Any) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("merge keys are not supported")


def read_model_yaml(path: Path) -> ModelYaml:
    """Read a model description; unknown parts of it are ignored. Raises BadConfig."""
    params = _section(_load(path), "model", "params")
    if not params:
        raise BadConfig(path, "describes no model; remove it or take one of the files in configs/", kind="model config")
    try:
        return _interpret(params)
    except (ValueError, TypeError) as error:
        raise BadConfig(path, f"has a wrong value: {error}; correct or remove it", kind="model config") from error


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise BadConfig(path, f"is larger than {MAX_BYTES:,} bytes, which no model description is; remove it", kind="model config")
        if raw.count(b"[") + raw.count(b"{") > MAX_BRACKETS:  # the parser's time grows with the square of the nesting
            raise BadConfig(path, "is nested too deeply for a model description; remove it", kind="model config")
        document = yaml.load(raw, Loader=_Loader)
    except OSError as error:
        raise BadConfig(path, f"cannot be read ({error.strerror}); check its permissions", kind="model config") from error
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError) as error:
        raise BadConfig(path, "is not valid YAML; correct or remove it", kind="model config") from error
    return document if isinstance(document, dict) else {}


def _interpret(params: dict[str, Any]) -> ModelYaml:
    unet = _section(params, "unet_config", "params") or _section(params, "network_config", "params")
    heads, head_channels = _whole(unet, "num_heads"), _whole(unet, "num_head_channels")
    text_l, text_g = _text_overrides(params)
    return ModelYaml(
        given=True,
        prediction=_prediction(params),
        latent_scale=_positive(params, "scale_factor", 100),
        linear_start=_positive(params, "linear_start", 1),
        linear_end=_positive(params, "linear_end", 1),
        num_heads=heads,
        num_head_channels=head_channels,
        text_l=text_l,
        text_g=text_g,
    )


def _prediction(params: dict[str, Any]) -> Literal["eps", "v"]:
    """ldm names it `parameterization`; sgm by the class that scales the denoiser."""
    if params.get("parameterization", "eps") not in ("eps", "v"):
        raise ValueError(f"parameterization is {_shown(params['parameterization'])}, not eps or v")
    denoiser = _section(params, "denoiser_config", "params")
    scaling = _section(denoiser, "scaling_config")
    return "v" if params.get("parameterization") == "v" or _target(scaling).endswith("VScaling") else "eps"


def _text_overrides(params: dict[str, Any]) -> tuple[TextOverride, TextOverride]:
    """Overrides of the CLIP and of the OpenCLIP tower, told apart by the class that the file names."""
    embedders = _section(params, "conditioner_config", "params").get("emb_models")
    entries = [*(embedders if isinstance(embedders, list) else []), params.get("cond_stage_config")]
    text_l = text_g = TextOverride()
    for entry in entries:
        if "OpenCLIP" in _target(entry):
            text_g = _text_override(_section(entry, "params", "text_config"))
        elif "CLIP" in _target(entry):
            text_l = _text_override(_section(entry, "params", "text_config"))
    return text_l, text_g


def _text_override(config: dict[str, Any]) -> TextOverride:
    activation = config.get("activation")
    if activation not in (None, "gelu", "quick_gelu"):
        raise ValueError(f"activation is {_shown(activation)}, not gelu or quick_gelu")
    return TextOverride(_whole(config, "heads"), activation)


def _target(entry: Any) -> str:
    """The class that a part of the description names, "" for none."""
    target = entry.get("target") if isinstance(entry, dict) else None
    return target if isinstance(target, str) else ""


def _shown(value: Any) -> str:
    """A wrong value for a message; aliases can make a short text's lists endless, so those are only named."""
    return repr(value)[:40] if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"


def _section(mapping: Any, *names: str) -> dict[str, Any]:
    for name in names:
        mapping = mapping.get(name) if isinstance(mapping, dict) else None
    return mapping if isinstance(mapping, dict) else {}


def _whole(mapping: dict[str, Any], name: str) -> int | None:
    """A count; absent, null and -1 (ldm's "not this way") are None."""
    value = mapping.get(name)
    if value is None or value == -1:
        return None
    if type(value) is not int or not 0 < value <= MAX_HEADS:
        raise ValueError(f"{name} is {_shown(value)}, not a number of 1 to {MAX_HEADS}")
    return value


def _positive(mapping: dict[str, Any], name: str, limit: int) -> float | None:
    value = mapping.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < limit:
        raise ValueError(f"{name} is {_shown(value)}, not a number between 0 and {limit}")
    return float(value)
