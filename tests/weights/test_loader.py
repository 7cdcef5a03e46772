from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from golden_data import data_folder, golden
from weights.weight_files import OPENCLIP, VAE, State, prefixed, save, sd1_state, sd2_state, sdxl_state

from modules.nets.unet import UNetConfig, UNetModel
from modules.nets.vae import AutoencoderKL, VAEConfig
from modules.weights.errors import (
    BadConfig,
    MissingKeys,
    UnknownFamily,
    UnreadableFile,
    UnsupportedFamily,
    WeightsError,
    WrongKind,
    WrongShape,
)
from modules.weights.loader import Checkpoint, alphas_cumprod, load_checkpoint, load_vae, load_vae_into, probe_prediction
from modules.weights.safetensors_file import TensorFile

TINY = {
    "tiny-sd1": ("sd1", "eps"),
    "tiny-sd1-b": ("sd1", "eps"),
    "tiny-sd1-inpaint": ("sd1-inpaint", "eps"),
    "tiny-sd2-eps": ("sd2", "eps"),
    "tiny-sd2-v": ("sd2", "v"),
    "tiny-sdxl": ("sdxl", "eps"),
}


def tiny(name: str) -> Path:
    file = f"models/Stable-diffusion/{name}.safetensors"
    return data_folder(file) / file


@pytest.fixture(scope="module")
def sd1() -> State:
    torch.manual_seed(0)
    return sd1_state()


def loading(tmp_path: Path, state: State, **options: object) -> Checkpoint:
    return load_checkpoint(save(tmp_path / "x.safetensors", state), **options)  # type: ignore[arg-type]


def refused(tmp_path: Path, state: State, error: type[WeightsError]) -> str:
    with pytest.raises(error) as caught:
        loading(tmp_path, state)
    assert type(caught.value) is error
    assert "x.safetensors" in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "expected"), TINY.items())
def test_the_tiny_checkpoints_load_with_their_weights(name: str, expected: tuple[str, str]) -> None:
    checkpoint = load_checkpoint(tiny(name))
    assert (checkpoint.spec.family, checkpoint.spec.prediction) == expected
    checked = 0
    with TensorFile.open(tiny(name)) as file:
        for prefix, net in (("model.diffusion_model.", checkpoint.unet), ("first_stage_model.", checkpoint.vae)):
            for key, tensor in net.state_dict().items():
                assert torch.equal(tensor, file.read(prefix + key, torch.float32)), key
                checked += 1
        if "alphas_cumprod" in file.tensors:
            assert torch.equal(file.read("alphas_cumprod"), checkpoint.alphas_cumprod)
    assert checked > 500
    nets = [net for net in (checkpoint.unet, checkpoint.vae, checkpoint.text_l, checkpoint.text_g) if net is not None]
    assert not any(parameter.requires_grad for net in nets for parameter in net.parameters())
    assert not any(net.training for net in nets)
    assert [type(net.config).__name__ for net in nets[2:]] == [type(config).__name__ for config in checkpoint.spec.text_encoders]


def test_a_loaded_unet_gives_the_recorded_output() -> None:
    recorded = numpy.load(golden("pure", "components_tiny-sd1.npz"))
    checkpoint = load_checkpoint(tiny("tiny-sd1"))
    x, context = torch.from_numpy(recorded["x"]), torch.from_numpy(recorded["cond.plain"])
    with torch.no_grad():
        output = checkpoint.unet(x, torch.tensor([500]), context)
    assert (output - torch.from_numpy(recorded["unet.t500"])).abs().max() < 5e-5


def test_a_loaded_inpainting_model_gives_the_recorded_outputs() -> None:
    recorded = {key: torch.from_numpy(value) for key, value in numpy.load(golden("pure", "components_tiny-sd1-inpaint.npz")).items()}
    checkpoint = load_checkpoint(tiny("tiny-sd1-inpaint"))
    x = torch.cat([recorded["x"], recorded["c_concat"]], dim=1)
    with torch.no_grad():
        for timestep in (999, 500, 50, 1):
            output = checkpoint.unet(x, torch.tensor([timestep]), recorded["cond.plain"])
            assert (output - recorded[f"unet.t{timestep}"]).abs().max() < 1e-4
        assert (checkpoint.vae.decode(recorded["z"] / 0.18215) - recorded["vae.decode"]).abs().max() < 1e-4


def test_alphas_are_those_of_the_schedule() -> None:
    sigmas = ((1 - alphas_cumprod()) / alphas_cumprod()) ** 0.5
    assert alphas_cumprod().dtype == torch.float32 and alphas_cumprod().shape == (1000,)
    assert sigmas[0].item() == pytest.approx(0.0291675, abs=1e-6) and sigmas[-1].item() == pytest.approx(14.61464, abs=1e-4)


@pytest.mark.parametrize(("build", "family"), [(sd1_state, "sd1"), (sd2_state, "sd2"), (sdxl_state, "sdxl")])
def test_small_checkpoints_without_a_yaml(tmp_path: Path, build: Callable[[], State], family: str) -> None:
    state = build()
    checkpoint = loading(tmp_path, state)
    assert checkpoint.spec.family == family
    assert checkpoint.spec.prediction == (None if family == "sd2" else "eps")
    key = "model.diffusion_model.out.2.weight"
    assert torch.equal(checkpoint.unet.out[2].weight, state[key])


@pytest.mark.parametrize(("channels", "family"), [(9, "sd1-inpaint"), (8, "sd1-pix2pix")])
def test_variants_of_sd1(tmp_path: Path, channels: int, family: str) -> None:
    assert loading(tmp_path, sd1_state(channels)).spec.family == family


def test_dtypes_are_as_asked(tmp_path: Path, sd1: State) -> None:
    checkpoint = loading(tmp_path, sd1, dtype=torch.float16, vae_dtype=torch.bfloat16)
    assert checkpoint.text_l is not None
    assert {p.dtype for p in checkpoint.unet.parameters()} | {p.dtype for p in checkpoint.text_l.parameters()} == {torch.float16}
    assert {p.dtype for p in checkpoint.vae.parameters()} == {torch.bfloat16}
    assert checkpoint.text_l.text_model.embeddings.position_ids.dtype == torch.int64
    assert checkpoint.alphas_cumprod.dtype == torch.float32


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_mixed_storage_types(tmp_path: Path, sd1: State, stored: torch.dtype) -> None:
    mixed = {key: value.to(stored) if "diffusion_model" in key else value for key, value in sd1.items()}
    checkpoint = loading(tmp_path, mixed)
    key = "model.diffusion_model.time_embed.0.weight"
    assert torch.equal(checkpoint.unet.time_embed[0].weight, mixed[key].float())


def test_metadata_is_kept(tmp_path: Path, sd1: State) -> None:
    assert load_checkpoint(save(tmp_path / "x.safetensors", sd1, {"a": "b"})).metadata == {"a": "b"}


def test_what_does_not_matter_is_ignored(tmp_path: Path, sd1: State) -> None:
    extra = {
        "model_ema.decay": torch.ones(()),
        "model_ema.diffusion_modeltime_embed0weight": torch.ones(3),
        "first_stage_model.loss.logvar": torch.ones(()),
        "first_stage_model.model_ema.decay": torch.ones(()),
        "model.diffusion_model.something_new": torch.ones(2),
        "denoiser.sigmas": torch.ones(1000),
        "stray": torch.ones(1, dtype=torch.int8),
    }
    without_schedule = {key: value for key, value in sd1.items() if key != "betas"}
    assert loading(tmp_path, without_schedule | extra).spec.family == "sd1"


def test_clip_keys_from_before_the_text_model_level(tmp_path: Path, sd1: State) -> None:
    old = {key.replace("transformer.text_model.", "transformer."): value for key, value in sd1.items()}
    assert not any("text_model" in key for key in old)
    new_text, old_text = loading(tmp_path, sd1).text_l, loading(tmp_path, old).text_l
    assert new_text is not None and old_text is not None
    assert all(torch.equal(value, old_text.state_dict()[key]) for key, value in new_text.state_dict().items())


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, list(range(77))),
        (torch.arange(77)[None], list(range(77))),
        (torch.arange(77, dtype=torch.int32), list(range(77))),
        (torch.arange(77, dtype=torch.float16)[None], list(range(77))),
        (torch.arange(77.0)[None] - 0.01 * (torch.arange(77) == 41), [41 - 1 if i == 41 else i for i in range(77)]),
        (torch.arange(77)[None] + 5, list(range(77))),
        (torch.arange(77)[None] - 5, list(range(77))),
        (torch.full((1, 77), float("nan")), list(range(77))),
        (torch.zeros(3), list(range(77))),
    ],
    ids=["absent", "int64", "flat", "half", "fractional", "beyond", "negative", "nan", "short"],
)
def test_position_numbers(tmp_path: Path, sd1: State, stored: torch.Tensor | None, expected: list[int]) -> None:
    key = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    state = {name: value for name, value in sd1.items() if name != key} | ({} if stored is None else {key: stored})
    text = loading(tmp_path, state, dtype=torch.bfloat16).text_l
    assert text is not None
    assert text.text_model.embeddings.position_ids.tolist() == [expected]


@pytest.mark.parametrize("lost", ["text_projection", "logit_scale"])
def test_sd2_text_tensors_that_no_picture_depends_on(tmp_path: Path, lost: str) -> None:
    state = {key: value for key, value in sd2_state().items() if not key.endswith(lost)}
    assert loading(tmp_path, state).text_g is not None


def test_sdxl_needs_its_projection(tmp_path: Path) -> None:
    state = {key: value for key, value in sdxl_state().items() if not key.endswith("text_projection")}
    assert "text_projection" in refused(tmp_path, state, MissingKeys)


def test_a_fully_stored_matrix_fits_a_pointwise_convolution(tmp_path: Path, sd1: State) -> None:
    state = dict(sd1)
    key = "first_stage_model.decoder.mid.attn_1.q.weight"
    state[key] = state[key][:, :, 0, 0]
    assert torch.equal(loading(tmp_path, state).vae.decoder.mid.attn_1.q.weight, sd1[key])


@pytest.mark.parametrize(
    ("part", "named"),
    [("first_stage_model.", "no VAE"), ("cond_stage_model.", "no CLIP text encoder"), ("model.diffusion_model.out.", "out.2.weight")],
)
def test_missing_parts_are_named(tmp_path: Path, sd1: State, part: str, named: str) -> None:
    message = refused(tmp_path, {key: value for key, value in sd1.items() if not key.startswith(part)}, MissingKeys)
    assert named in message and "download" in message


def test_missing_tensors_are_counted_and_named(tmp_path: Path, sd1: State) -> None:
    state = {key: value for key, value in sd1.items() if "input_blocks.1.1.transformer_blocks.0.attn1" not in key}
    with pytest.raises(MissingKeys) as caught:
        loading(tmp_path, state)
    assert "lacks 5 of the" in str(caught.value) and "UNet" in str(caught.value)
    assert "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight" in caught.value.keys


def test_a_lone_unet_of_sdxl_says_what_is_missing(tmp_path: Path) -> None:
    state = {key: value for key, value in sdxl_state().items() if key.startswith("model.diffusion_model.")}
    message = refused(tmp_path, state, MissingKeys)
    assert "no VAE" in message and "no CLIP text encoder" in message and "OpenCLIP" in message


def test_a_wrong_shape_is_named(tmp_path: Path, sd1: State) -> None:
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    message = refused(tmp_path, sd1 | {key: torch.zeros(7, 7)}, WrongShape)
    assert "to_q" in message and "[7, 7]" in message


def test_impossible_widths_are_no_crash(tmp_path: Path, sd1: State) -> None:
    state = dict(sd1)
    for key in ("input_blocks.0.0.weight", "input_blocks.1.0.in_layers.2.weight", "input_blocks.3.0.in_layers.2.weight"):
        shape = list(state["model.diffusion_model." + key].shape) if "model.diffusion_model." + key in state else None
        if shape:
            state["model.diffusion_model." + key] = torch.zeros(40 * (2 if "3.0" in key or "4.0" in key else 1), *shape[1:])
    with pytest.raises(WeightsError):
        loading(tmp_path, state)


def test_quantized_weights_are_refused(tmp_path: Path, sd1: State) -> None:
    key = "model.diffusion_model.time_embed.0.weight"
    assert "quantized" in refused(tmp_path, sd1 | {key: sd1[key].to(torch.int8)}, UnsupportedFamily)


def test_families_not_built_yet_are_named(tmp_path: Path) -> None:
    message = refused(tmp_path, {"double_blocks.0.img_attn.qkv.weight": torch.zeros(2, 2)}, UnsupportedFamily)
    assert message.startswith("checkpoint 'x.safetensors' is a Flux model")


def test_unknown_weights(tmp_path: Path) -> None:
    refused(tmp_path, {"layer1.weight": torch.zeros(3, 3), "layer2.weight": torch.zeros(3)}, UnknownFamily)
    refused(tmp_path, {}, UnknownFamily)


@pytest.mark.parametrize(
    ("file", "folder"), [("Lora/tiny-lora", "models/Lora"), ("Lora/tiny-ia3", "models/Lora"), ("VAE/tiny-vae", "models/VAE")]
)
def test_other_kinds_say_where_they_belong(file: str, folder: str) -> None:
    name = f"models/{file}.safetensors"
    with pytest.raises(WrongKind, match=f"not a checkpoint; put it into {folder}"):
        load_checkpoint(data_folder(name) / name)


def test_an_embedding_says_where_it_belongs() -> None:
    with pytest.raises(WrongKind, match="textual inversion embedding, not a checkpoint; put it into embeddings"):
        load_checkpoint(data_folder("embeddings/tinyxl.safetensors") / "embeddings/tinyxl.safetensors")


def test_the_yaml_beside_is_found_and_another_one_may_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", sd2_state())
    assert load_checkpoint(path).spec.prediction is None
    (tmp_path / "x.yaml").write_text("model: {params: {parameterization: v}}")
    assert load_checkpoint(path).spec.prediction == "v"
    (tmp_path / "other.yaml").write_text("model: {params: {parameterization: eps, scale_factor: 0.5, linear_end: 0.02}}")
    named = load_checkpoint(path, yaml=tmp_path / "other.yaml")
    assert (named.spec.prediction, named.spec.latent_scale) == ("eps", 0.5)
    assert torch.equal(named.alphas_cumprod, alphas_cumprod(linear_end=0.02))


def test_a_yaml_that_does_not_fit(tmp_path: Path, sd1: State) -> None:
    (tmp_path / "x.yaml").write_text("model: {params: {unet_config: {params: {num_heads: 7}}}}")
    with pytest.raises(BadConfig, match=r"model config 'x.yaml' gives num_heads as 7"):
        loading(tmp_path, sd1)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="checkpoint 'none.safetensors' is not there"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_loading_draws_no_random_numbers(tmp_path: Path, sd1: State) -> None:
    path = save(tmp_path / "x.safetensors", sd1)
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    load_checkpoint(path)
    assert torch.equal(torch.randn(3), expected)


def test_each_load_has_weights_of_its_own(tmp_path: Path, sd1: State) -> None:
    path = save(tmp_path / "x.safetensors", sd1)
    first, second = load_checkpoint(path), load_checkpoint(path)
    first.unet.out[2].weight.fill_(7)
    assert torch.equal(second.unet.out[2].weight, sd1["model.diffusion_model.out.2.weight"])


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_another_vae(tmp_path: Path, sd1: State, prefix: str) -> None:
    checkpoint = loading(tmp_path, sd1, vae_dtype=torch.float16)
    other = AutoencoderKL(VAE)
    training = {prefix + "loss.logvar": torch.ones(()), "model_ema.decay": torch.ones(())}
    path = save(tmp_path / "other.safetensors", prefixed(prefix, other) | training)
    load_vae_into(checkpoint, path)
    assert checkpoint.vae_path == path
    assert torch.equal(checkpoint.vae.decoder.conv_in.weight, other.decoder.conv_in.weight.half())


def test_the_vae_of_another_checkpoint(tmp_path: Path, sd1: State) -> None:
    checkpoint = loading(tmp_path, sd1)
    state = sd1_state()
    load_vae_into(checkpoint, save(tmp_path / "y.safetensors", state))
    assert torch.equal(checkpoint.vae.decoder.conv_in.weight, state["first_stage_model.decoder.conv_in.weight"])


def test_a_vae_of_another_latent_stays_out(tmp_path: Path, sd1: State) -> None:
    checkpoint = loading(tmp_path, sd1)
    before = checkpoint.vae
    wide = AutoencoderKL(VAEConfig(ch=32, ch_mult=(1, 2), num_res_blocks=1, z_channels=16, embed_dim=16))
    with pytest.raises(WrongKind, match="16 channels"):
        load_vae_into(checkpoint, save(tmp_path / "wide.safetensors", prefixed("", wide)))
    with pytest.raises(WrongKind, match="is a LoRA, not a VAE"):
        load_vae(save(tmp_path / "lora.safetensors", {"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}))
    with pytest.raises(WrongKind, match="is not a VAE"):
        load_vae(save(tmp_path / "odd.safetensors", {"a": torch.zeros(2, 2, 2)}))
    assert checkpoint.vae is before and checkpoint.vae_path is None


@pytest.mark.parametrize(("bias", "expected"), [(0.5, "eps"), (-0.4, "eps"), (-0.6, "v"), (-3.0, "v")])
def test_the_probe_looks_at_the_mean_of_output_minus_input(bias: float, expected: str) -> None:
    config = UNetConfig(model_channels=32, num_res_blocks=(1,), channel_mult=(1,), transformer_depth=(1,), context_dim=24)
    unet = UNetModel(config)
    torch.nn.init.zeros_(unet.out[2].weight)
    torch.nn.init.constant_(unet.out[2].bias, bias)
    assert probe_prediction(unet) == expected


def test_inpainting_models_are_not_probed() -> None:
    one_level = {"num_res_blocks": (1,), "channel_mult": (1,), "transformer_depth": (1,)}
    unet = UNetModel(UNetConfig(in_channels=9, model_channels=32, context_dim=24, **one_level))  # type: ignore[arg-type]
    assert probe_prediction(unet) == "eps"


def test_sd2_turbo_is_read_under_its_own_names(tmp_path: Path) -> None:
    state = {key.replace("cond_stage_model.model.", "conditioner.embedders.0.model."): value for key, value in sd2_state().items()}
    checkpoint = loading(tmp_path, state)
    assert checkpoint.spec.family == "sd2"
    assert checkpoint.text_g is not None and checkpoint.text_g.config == OPENCLIP
