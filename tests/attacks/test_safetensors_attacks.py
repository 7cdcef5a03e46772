from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import torch
from attacks.hostile_safetensors import ATTACKS, OWNED, VALID, Attack, file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights.weight_files import sd1_state

from modules.weights import header
from modules.weights.architecture import MAX_COUNT
from modules.weights.errors import BadHeader, TruncatedFile, UnreadableFile, WeightsError
from modules.weights.header import DTYPE_SIZES, HeaderError, parse_header
from modules.weights.loader import Checkpoint, load_checkpoint, load_vae
from modules.weights.mapped import TORCH_DTYPES
from modules.weights.safetensors_file import TensorFile

REUSE = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_every_attack_meets_its_error(tmp_path: Path, attack: Attack, suffix: str) -> None:
    path = tmp_path / f"evil{suffix}"
    path.write_bytes(attack.content)
    for use in (TensorFile.open, load_checkpoint, load_vae):
        with pytest.raises(WeightsError) as caught:
            use(path)
        message = str(caught.value)
        assert type(caught.value) is attack.error
        assert caught.value.path == path
        assert path.name in message and len(message) < 500 and message.isprintable()
    assert OWNED == []


def test_the_harmless_twin_opens(tmp_path: Path) -> None:
    path = tmp_path / "good.safetensors"
    path.write_bytes(VALID)
    with TensorFile.open(path) as opened:
        assert bytes(opened.read("a").tolist()) == b"abcd"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a\nb", "__proto__", "💥", "x" * 10_000])
def test_names_are_only_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(file({name: {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}, b"ab"))
    with TensorFile.open(path) as opened:
        assert list(opened.keys()) == [name]
    path.write_bytes(file({name: {"dtype": "U8", "shape": [3], "data_offsets": [0, 2]}}, b"ab"))
    with pytest.raises(BadHeader) as caught:
        TensorFile.open(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_a_file_of_a_terabyte_that_is_mostly_hole(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(file({"a": {"dtype": "U8", "shape": [2**42], "data_offsets": [0, 2**42]}}))
    try:
        os.truncate(path, 2**40)
    except OSError:
        pytest.skip("this file system allows no such file")
    with pytest.raises(TruncatedFile, match=r"1\.1 TB of 4\.4 TB"):
        TensorFile.open(path)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    for name, target in (("loop", "loop"), ("gone", "nothing"), ("folder", ".")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(UnreadableFile):
            TensorFile.open(tmp_path / name)


@pytest.mark.parametrize("limit", ["MAX_TENSORS", "MAX_METADATA"])
def test_crowds_are_limited(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(header, limit, 10)
    tensors = {f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(11)}
    content = tensors if limit == "MAX_TENSORS" else {"__metadata__": {f"k{i}": "v" for i in range(11)}}
    with pytest.raises(HeaderError, match="more than 10"):
        parse_header(json.dumps(content).encode())


@pytest.mark.parametrize("filler", [b"[],", b"{},", b'"",', b"0,", b'"a":[],', b"{" * 7, b'{"":' * 2])
def test_a_hostile_header_costs_no_more_memory_than_its_own_size(filler: bytes) -> None:
    raw = b'{"a":' + filler * (2_000_000 // len(filler))
    tracemalloc.start()
    try:
        with pytest.raises(HeaderError):
            parse_header(raw)
        assert tracemalloc.get_traced_memory()[1] < 6 * len(raw)
    finally:
        tracemalloc.stop()


def check(path: Path) -> None:
    """Open: a WeightsError, or a layout that is consistent by an independent reckoning."""
    try:
        opened = TensorFile.open(path)
    except WeightsError as error:
        assert str(error).isprintable()
        return
    with opened:
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        used = bytearray(len(content) - start)
        for key, info in opened.tensors.items():
            size = DTYPE_SIZES[info.dtype]
            for dim in info.shape:
                size *= dim
            assert info.end - info.start == size
            for position in range(info.start, info.end):
                used[position] += 1
            if hasattr(torch, TORCH_DTYPES[info.dtype]):
                tensor = opened.read(key)
                assert tuple(tensor.shape) == info.shape
        assert all(count == 1 for count in used)
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in opened.metadata.items())


numbers = st.one_of(st.integers(-1, 9), st.sampled_from((2**31, 2**32, 2**63, 2**64, 10**40)), st.floats(), st.booleans(), st.none())
leaves = st.one_of(numbers, st.text(max_size=3), st.sampled_from(("U8", "F16", "F32", "I64", "BOOL", "X")))
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8
)
plausible = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(("U8", "F16", "F32")) | anything,
        "shape": st.lists(st.integers(0, 3), max_size=3) | anything,
        "data_offsets": st.tuples(st.integers(0, 8), st.integers(0, 8)) | anything,
    }
)
headers = st.dictionaries(st.sampled_from(("a", "b", "c", "__metadata__", "")), plausible | anything, max_size=4)


@REUSE
@given(headers, st.binary(max_size=20))
def test_fuzzed_headers(tmp_path: Path, content: dict, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(file(json.dumps(content), data))
    check(path)


@REUSE
@given(st.binary(max_size=200), st.booleans())
def test_noise(tmp_path: Path, noise: bytes, framed: bool) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(file(b"{" + noise) if framed else noise)
    check(path)


@REUSE
@given(st.data())
def test_mutated_files(tmp_path: Path, data: st.DataObject) -> None:
    tensors = {"a": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}, "b": {"dtype": "U8", "shape": [3], "data_offsets": [8, 11]}}
    content = bytearray(file({"__metadata__": {"k": "v"}, **tensors}, b"0123456789A"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1)) if content else 0
        change = data.draw(st.sampled_from(("set", "cut", "insert", "truncate", "double")))
        if change == "set" and content:
            content[at] = data.draw(st.integers(0, 255) | st.sampled_from(b'0123456789[]{},:"'))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 8))]
        elif change == "insert":
            content[at:at] = data.draw(st.binary(max_size=4))
        elif change == "truncate":
            del content[at:]
        else:
            content[at:at] = content[at : at + 20]
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(content))
    check(path)


SD1_SHAPES = {key: list(tensor.shape) for key, tensor in sd1_state().items()}
dims = st.sampled_from((0, 1, 2, 31, 32, 33, 48, 64, 4096))


def hollow(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A checkpoint of F16 zeros with these shapes; its bytes are a hole in the file."""
    entries, position = {}, 0
    for key, shape in shapes.items():
        size = 2
        for dim in shape:
            size *= dim
        entries[key] = {"dtype": "F16", "shape": shape, "data_offsets": [position, position + size]}
        position += size
    content = file(entries)
    path.write_bytes(content)
    os.truncate(path, len(content) + position)
    return path


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_checkpoints_of_impossible_shapes(tmp_path: Path, data: st.DataObject) -> None:
    shapes = {key: list(shape) for key, shape in SD1_SHAPES.items()}
    sizing = [key for key in shapes if any(part in key for part in ("0.0.weight", "in_layers.2", "conv", "embedding"))]
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sizing + sorted(shapes)))
        if data.draw(st.booleans()):
            shapes.pop(key, None)
        elif shapes.get(key):
            shapes[key][data.draw(st.integers(0, len(shapes[key]) - 1))] = data.draw(dims)
        else:
            shapes[key] = data.draw(st.lists(dims, max_size=2))
    try:
        checkpoint = load_checkpoint(hollow(tmp_path / "x.safetensors", shapes))
    except WeightsError as error:
        assert str(error).isprintable()
    else:
        assert isinstance(checkpoint, Checkpoint)


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.{}.norm1.weight",
        "model.diffusion_model.input_blocks.{}.0.in_layers.2.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.{}.mlp.fc1.weight",
        "first_stage_model.encoder.down.{}.block.0.conv1.weight",
    ],
)
def test_endless_layers_are_refused_before_they_are_built(tmp_path: Path, name: str) -> None:
    shapes = {name.format(number): [32, 32, 1, 1] for number in range(20 * MAX_COUNT)} | SD1_SHAPES
    with pytest.raises(WeightsError, match=f"no model has more than {MAX_COUNT}"):
        load_checkpoint(hollow(tmp_path / "x.safetensors", shapes))
