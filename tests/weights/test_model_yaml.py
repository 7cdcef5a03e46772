from __future__ import annotations

from pathlib import Path

import pytest
from golden_data import data_folder

from modules.weights.errors import BadConfig
from modules.weights.model_yaml import ModelYaml, TextOverride, beside, read_model_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def reading(tmp_path: Path, text: str | bytes) -> ModelYaml:
    path = tmp_path / "m.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_model_yaml(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny-sd1", ModelYaml(True, "eps", 0.18215, 0.00085, 0.012, 8, None, TextOverride(4, "quick_gelu"))),
        ("tiny-sd2-eps", ModelYaml(True, "eps", 0.18215, 0.00085, 0.012, None, 8, TextOverride(), TextOverride(4, "gelu"))),
        ("tiny-sd2-v", ModelYaml(True, "v", 0.18215, 0.00085, 0.012, None, 8, TextOverride(), TextOverride(4, "gelu"))),
        (
            "tiny-sdxl",
            ModelYaml(True, "eps", 0.13025, None, None, None, 8, TextOverride(4, "quick_gelu"), TextOverride(4, "gelu")),
        ),
    ],
)
def test_the_files_beside_the_tiny_checkpoints(name: str, expected: ModelYaml) -> None:
    file = f"models/Stable-diffusion/{name}.yaml"
    assert read_model_yaml(data_folder(file) / file) == expected


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_in_configs(path: Path) -> None:
    found = read_model_yaml(path)
    assert found.prediction == ("v" if path.stem == "v2-inference-v" else "eps")
    assert found.latent_scale == (0.13025 if path.stem.startswith("sd_xl") else 0.18215)
    assert (found.num_heads, found.num_head_channels) == ((None, 64) if path.stem.startswith(("sd_xl", "v2")) else (8, None))


def test_sgm_names_v_prediction_by_its_scaling(tmp_path: Path) -> None:
    text = "model: {params: {denoiser_config: {params: {scaling_config: {target: sgm.x.VScaling}}}}}"
    assert reading(tmp_path, text).prediction == "v"


def test_minus_one_and_null_are_silence(tmp_path: Path) -> None:
    found = reading(tmp_path, "model: {params: {unet_config: {params: {num_heads: -1, num_head_channels: null}}}}")
    assert (found.num_heads, found.num_head_channels) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "describes no model"),
        ("- 1\n- 2", "describes no model"),
        ("just text", "describes no model"),
        ("model: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        ("model: !!python/object/apply:os.system ['touch /tmp/owned']", "not valid YAML"),
        ("[" * 20_000, "nested too deeply"),
        ("[" * 399, "not valid YAML"),
        ("- " * 9_000, "not valid YAML"),
        ("model: {params: {parameterization: x0}}", "parameterization"),
        ("model: {params: {scale_factor: fast}}", "scale_factor"),
        ("model: {params: {scale_factor: .nan}}", "scale_factor"),
        ("model: {params: {linear_end: 3}}", "linear_end"),
        ("model: {params: {unet_config: {params: {num_heads: 1.5}}}}", "num_heads"),
        ("model: {params: {unet_config: {params: {num_heads: 999999999}}}}", "num_heads"),
        ("model: {params: {cond_stage_config: {target: a.FrozenCLIPEmbedder, params: {text_config: {activation: [x]}}}}}", "activation"),
        ("# " + "x" * 70_000, "larger than"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(BadConfig, match=message) as caught:
        reading(tmp_path, text)
    assert "m.yaml" in str(caught.value)


def test_merge_keys_do_not_multiply(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 60)]
    with pytest.raises(BadConfig, match="not valid YAML"):
        reading(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("place", ["scale_factor: *a39", "parameterization: *a39", "unet_config: {params: {num_heads: *a39}}"])
def test_multiplied_aliases_are_not_printed(tmp_path: Path, place: str) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    with pytest.raises(BadConfig, match="a list"):
        reading(tmp_path, "\n".join(lines) + f"\nmodel: {{params: {{{place}}}}}")


def test_aliases_do_not_multiply(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    found = reading(tmp_path, "\n".join(lines) + "\nmodel: {params: {scale_factor: 0.5}}")
    assert found.latent_scale == 0.5


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot be read"):
        read_model_yaml(tmp_path)


def test_beside(tmp_path: Path) -> None:
    (tmp_path / "a.b.yaml").touch()
    assert beside(tmp_path / "a.b.safetensors") == tmp_path / "a.b.yaml"
    assert beside(tmp_path / "a.safetensors") is None
