from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_data import data_folder
from torch import Tensor, nn
from weights.weight_files import save, sd1_state

from modules.engine.checkpoints import CheckpointRegistry
from modules.engine.paths import Paths
from modules.weights import pickle_file, pickle_policy
from modules.weights.errors import BadPickle, PickleFile, TruncatedFile, UnsafePickle, UnsupportedFamily
from modules.weights.loader import load_checkpoint
from modules.weights.mapped import TORCH_DTYPES
from modules.weights.open_tensors import open_tensors
from modules.weights.pickle_file import PickleTensorFile

pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf", "ignore:torch.quantize", "ignore::DeprecationWarning")
FORMATS = {
    "zip": {},
    "legacy": {"_use_new_zipfile_serialization": False},
    "zip, protocol 4": {"pickle_protocol": 4},
    "legacy, protocol 5": {"_use_new_zipfile_serialization": False, "pickle_protocol": 5},
}
DTYPES = {key: getattr(torch, name) for key, name in TORCH_DTYPES.items() if hasattr(torch, name)}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> dict[str, Any]:
    return FORMATS[request.param]


def opened(path: Path, value: Any, form: dict[str, Any]) -> PickleTensorFile:
    torch.save(value, path, **form)
    return PickleTensorFile.open(path)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(tmp_path: Path, form: dict[str, Any], dtype: str) -> None:
    raw = torch.arange(64, dtype=torch.uint8).repeat(2) % 2
    tensor = raw.view(DTYPES[dtype]).reshape(2, -1)
    with opened(tmp_path / "x.pt", {"a": tensor}, form) as file:
        assert file.tensors["a"].dtype == dtype
        assert file.shapes == {"a": tuple(tensor.shape)}
        assert torch.equal(file.read("a").view(torch.uint8), tensor.view(torch.uint8))


def test_views_and_shared_storage(tmp_path: Path, form: dict[str, Any]) -> None:
    base = torch.arange(120.0).reshape(10, 12)
    state = {
        "whole": base, "rows": base[3:5], "columns": base[:, 2:9:3], "transposed": base.T, "one": base[4, 7], "none": base[:0],
        "tied": base, "permuted": base.reshape(2, 5, 12).permute(2, 0, 1),
    }  # fmt: skip
    with opened(tmp_path / "x.pt", state, form) as file:
        for name, tensor in state.items():
            read = file.read(name)
            assert torch.equal(read, tensor) and read.is_contiguous()
        assert file.read("columns", torch.float16).dtype == torch.float16


def test_two_reads_share_nothing(tmp_path: Path, form: dict[str, Any]) -> None:
    with opened(tmp_path / "x.pt", {"a": torch.ones(3)}, form) as file:
        file.read("a").zero_()
        first = file.read("a")
    assert torch.equal(first, torch.ones(3))


def test_parameters_and_what_surrounds_weights(tmp_path: Path, form: dict[str, Any]) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(net.parameters())
    sum(p.sum() for p in net.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    value = {
        "state_dict": net.state_dict(), "epoch": 3, "global_step": 470_000, "optimizer_states": [optimizer.state_dict()],
        "hyper": OrderedDict(a=[1, (2.5, None), {"x"}]), "counts": defaultdict(list, {"a": [1]}), "flag": np.float64(0.25),
        "device": torch.device("cpu"), "size": torch.Size([1, 2]), "big": 2**70, "raw": b"\xff\0",
    }  # fmt: skip
    with opened(tmp_path / "x.ckpt", value, form) as file:
        assert set(file.keys()) == set(net.state_dict())
        for name, tensor in net.state_dict().items():
            assert torch.equal(file.read(name), tensor)
        assert file.values["epoch"] == 3 and file.values["global_step"] == 470_000 and file.values["flag"] == 0.25
        assert file.values["hyper"] == {"a": [1, (2.5, None), {"x"}]} and file.values["counts"] == {"a": [1]}
        assert file.values["big"] == 2**70 and file.values["raw"] == b"\xff\0" and file.values["size"] == (1, 2)
        assert "optimizer_states" not in file.values


def test_nested_names(tmp_path: Path, form: dict[str, Any]) -> None:
    value = {"params_ema": {"conv.weight": torch.ones(1)}, 768: ({"linear.weight": torch.zeros(2)}, {}), "name": "x"}
    with opened(tmp_path / "x.pth", value, form) as file:
        assert list(file.keys()) == ["params_ema.conv.weight", "768.0.linear.weight"]
        assert file.values == {"name": "x"}


def test_parameter_classes(tmp_path: Path, form: dict[str, Any]) -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.note = "kept by torch, of no use here"  # type: ignore[attr-defined]
    value = {"string_to_param": nn.ParameterDict({"*": torch.ones(3, 4)}), "list": nn.ParameterList([torch.zeros(1)]), "p": parameter}
    with opened(tmp_path / "x.pt", value, form) as file:
        assert file.shapes == {"string_to_param.*": (3, 4), "list.0": (1,), "p": (2,)}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles_and_numpy(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "i": np.arange(3),
        "half": np.ones(2, np.float16), "bool": np.array([True, False]), "none": np.zeros((0, 2), np.float32),
    }  # fmt: skip
    path = tmp_path / "x.pt"
    path.write_bytes(pickle.dumps({**arrays, "step": 5, "name": "ü"}, protocol))
    with PickleTensorFile.open(path) as file:
        for name, array in arrays.items():
            assert np.array_equal(file.read(name).numpy(), array)
        assert file.values == {"step": 5, "name": "ü"}


def test_quantized_tensors_have_their_own_error(tmp_path: Path, form: dict[str, Any]) -> None:
    quantized = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
    with pytest.raises(UnsupportedFamily, match="quantized"):
        opened(tmp_path / "x.pt", {"a": quantized}, form)


def test_a_whole_module_is_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(UnsafePickle, match="Nothing of it was run"):
        opened(tmp_path / "x.pt", nn.Linear(1, 1), form)


def test_a_file_without_a_dictionary_is_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(BadPickle, match="no dictionary"):
        opened(tmp_path / "x.pt", torch.ones(1), form)


def test_a_file_that_shrinks_while_open(tmp_path: Path, form: dict[str, Any]) -> None:
    path = tmp_path / "x.pt"
    with opened(path, {"a": torch.ones(10_000)}, form) as file:
        with path.open("r+b") as shrinking:
            shrinking.truncate(1000)
        with pytest.raises(TruncatedFile, match="became shorter"):
            file.read("a")


def test_only_what_is_asked_for_is_read(tmp_path: Path, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    mapped: list[int] = []
    original = pickle_file.map_tensor

    def counting(*arguments: Any) -> Tensor:
        mapped.append(arguments[3] - arguments[2])
        return original(*arguments)

    monkeypatch.setattr(pickle_file, "map_tensor", counting)
    state = {"large": torch.zeros(1_000_000), "small": torch.zeros(1_000_000)[10:14]}
    with opened(tmp_path / "x.pt", state, form) as file:
        file.read("small")
    assert mapped == [16]


def test_a_checkpoint_as_ckpt_loads_like_its_safetensors_twin(tmp_path: Path, form: dict[str, Any]) -> None:
    state = sd1_state()
    twin = load_checkpoint(save(tmp_path / "x.safetensors", state))
    torch.save({"state_dict": state, "global_step": 1}, tmp_path / "x.ckpt", **form)
    with pickle_policy.deciding("all"):
        checkpoint = load_checkpoint(tmp_path / "x.ckpt")
    assert checkpoint.spec == twin.spec
    for ours, theirs in zip(checkpoint.unet.parameters(), twin.unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("choice", "kind", "allowed"),
    [
        ("never", "embedding", False), ("never", "checkpoint", False),
        ("small files", "embedding", True), ("small files", "upscaler", True),
        ("small files", "checkpoint", False), ("small files", "VAE", False), ("all", "checkpoint", True), ("whatever", "embedding", False),
    ],
)  # fmt: skip
def test_the_setting_decides(tmp_path: Path, choice: Any, kind: str, allowed: bool) -> None:
    path = tmp_path / "x.pt"
    torch.save({"a": torch.ones(1)}, path)
    with pickle_policy.deciding(choice):
        if allowed:
            open_tensors(path, kind=kind).close()
        else:
            with pytest.raises(PickleFile, match=r"convert x\.pt.*read_pickles"):
                open_tensors(path, kind=kind)


def test_a_safetensors_file_opens_under_any_name(tmp_path: Path) -> None:
    path = save(tmp_path / "x.ckpt", {"a": torch.ones(2)}, {"note": "hello"})
    with open_tensors(path) as file:
        assert torch.equal(file.read("a"), torch.ones(2)) and file.values == {"note": "hello"}


def test_without_pickles_the_first_checkpoint_is_one_that_can_be_read(tmp_path: Path) -> None:
    paths = Paths.from_flags(tmp_path)
    folder = paths.models / "Stable-diffusion"
    folder.mkdir(parents=True)
    (folder / "a.ckpt").write_bytes(b"x")
    (folder / "b.safetensors").write_bytes(b"x")
    registry = CheckpointRegistry(paths, hashing=False)
    with pickle_policy.deciding("never"):
        assert registry.get(None).name == "b.safetensors"
        assert registry.get("a.ckpt").name == "a.ckpt"
    with pickle_policy.deciding("all"):
        assert registry.get(None).name == "a.ckpt"


GOLDEN = ["embeddings/tinyti.pt", "embeddings/two words.bin", "models/hypernetworks/tinyhn.pt", "models/hypernetworks/tinyhn-relu.pt",
          "models/ESRGAN/tinyESRGAN_x4.pth", "models/SwinIR/tinySwinIR_x2.pth"]  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_files_read_as_torch_reads_them(name: str) -> None:
    path = data_folder(name) / name
    found: dict[str, Tensor] = {}

    def walk(value: Any, prefix: str) -> None:
        if isinstance(value, Tensor):
            found[prefix] = value.detach()
        elif isinstance(value, dict | list | tuple):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(item, f"{prefix}.{key}".lstrip("."))

    walk(torch.load(path, map_location="cpu", weights_only=True), "")
    with PickleTensorFile.open(path) as file:
        assert set(file.keys()) == set(found)
        assert all(torch.equal(file.read(key), tensor) for key, tensor in found.items())
