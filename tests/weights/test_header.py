from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weights.weight_files import entry

from modules.weights.header import DTYPE_SIZES, HeaderError, parse_header


def parse(header: dict | str) -> object:
    return parse_header((header if isinstance(header, str) else json.dumps(header)).encode())


def test_a_valid_header_gives_entries_and_metadata() -> None:
    header = parse_header(
        b' {"__metadata__": {"format": "pt", "note": "\\u00e4\\"}"}, '.lstrip()
        + b'"b": {"shape":[2,3],"dtype":"F16","data_offsets":[4,16]}, "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   '
    )
    assert header.metadata == {"format": "pt", "note": 'ä"}'}
    assert header.tensors["a"] == ("F32", (), 0, 4)
    assert header.tensors["b"] == ("F16", (2, 3), 4, 16)
    assert list(header.tensors) == ["b", "a"]
    assert header.data_size == 16


def test_an_empty_header_promises_no_data() -> None:
    assert parse_header(b"{}").data_size == 0


def test_empty_tensors_may_share_an_offset() -> None:
    header = parse_header(json.dumps({"a": entry(0, 4), "b": entry(4, 4, shape=[0, 7]), "c": entry(4, 8)}).encode())
    assert header.tensors["b"].shape == (0, 7)


@pytest.mark.parametrize("dtype", DTYPE_SIZES)
def test_every_dtype_has_its_size(dtype: str) -> None:
    size = DTYPE_SIZES[dtype]
    parse({"a": entry(0, 3 * size, dtype, [3])})
    with pytest.raises(HeaderError, match="does not fit its shape"):
        parse({"a": entry(0, 3 * size + 1, dtype, [3])})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry(0, 4), "b": entry(2, 6)}, "overlaps"),
        ({"a": entry(0, 4), "b": entry(0, 4)}, "overlaps"),
        ({"a": entry(0, 4), "b": entry(5, 6)}, "hole"),
        ({"a": entry(1, 4)}, "hole"),
        ({"a": entry(4, 0, shape=[4])}, "does not fit"),
        ({"a": entry(0, 4, "F31", [1])}, "unknown dtype"),
        ({"a": entry(0, 4, shape=[-4])}, "whole numbers"),
        ({"a": entry(0, 4, shape=[4.0])}, "whole numbers"),
        ({"a": entry(0, 1, shape=[True])}, "whole numbers"),
        ({"a": entry(0, 4, shape=["4"])}, "whole numbers"),
        ({"a": entry(0, 0, shape=[2**64, 0])}, "impossibly large"),
        ({"a": entry(0, 0, shape=[2**32, 2**32])}, "impossibly large"),
        ({"a": entry(0, 1, shape=[1] * 40)}, "dimensions"),
        ({"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0, 0]}}, "whole numbers"),
        ({"a": {"dtype": ["U8"], "shape": [0], "data_offsets": [0, 0]}}, "unknown dtype"),
        ({"a": {"dtype": "U8", "shape": [0]}}, "needs exactly"),
        ({"a": {**entry(0, 0), "more": 1}}, "needs exactly"),
        ('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}', "needs exactly"),
        ({"a": [1, 2]}, "no object"),
        ({"a": None}, "no object"),
        ({"__metadata__": {"a": 1}}, "string was expected"),
        ({"__metadata__": ["a"]}, "metadata"),
        ('{"__metadata__":{"a":"1","a":"2"}}', "twice"),
        ('{"__metadata__":{},"__metadata__":{}}', "twice"),
        ('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', "twice"),
        ('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},}', "string was expected"),
        ("{} x", "goes on"),
        ("{}{}", "goes on"),
        ("[]", "JSON object"),
        (" {}", "JSON object"),
        ("{", "string was expected"),
        ('{"a', "valid JSON"),
        ('{"a":{', "endless entry"),
        ('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', "whole numbers"),
        ('{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', "whole numbers"),
        ('{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', "not Unicode"),
    ],
)
def test_a_wrong_header_is_refused(header: dict | str, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        parse(header)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(HeaderError, match="UTF-8"):
        parse_header(b'{"\xff\xfe": {}}')


names = st.text(max_size=12).filter(lambda name: name != "__metadata__" and name.isprintable())
shapes = st.lists(st.integers(0, 5), max_size=4)


tensor_maps = st.dictionaries(names, st.tuples(st.sampled_from(sorted(DTYPE_SIZES)), shapes), max_size=6)


@given(tensor_maps, st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_what_the_format_allows_is_read_back(tensors: dict, metadata: dict) -> None:
    header: dict = {"__metadata__": metadata} if metadata else {}
    position = 0
    for name, (dtype, shape) in tensors.items():
        size = DTYPE_SIZES[dtype]
        for dim in shape:
            size *= dim
        header[name] = entry(position, position + size, dtype, shape)
        position += size
    try:
        raw = json.dumps(header, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # lone surrogates are no text
    parsed = parse_header(raw)
    assert parsed.metadata == metadata
    assert {name: (info.dtype, list(info.shape)) for name, info in parsed.tensors.items()} == {k: (d, s) for k, (d, s) in tensors.items()}
    assert parsed.data_size == position


def test_agrees_with_the_reference_library(tmp_path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    import numpy

    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": numpy.ones((3, 5), "float32"), "b": numpy.ones((2,), "int64")}, path, {"k": "v"})
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = parse_header(raw[8 : 8 + length])
    assert header.tensors["a"].shape == (3, 5)
    assert 8 + length + header.data_size == len(raw)
