from __future__ import annotations

import builtins
import contextlib
import os
import pickletools
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attacks.hostile_parts import VALID, VALID_LEGACY, Attack
from attacks.hostile_pickles import ATTACKS
from attacks.hostile_safetensors import OWNED
from attacks.pickle_bytes import archive, mapping, pickled, state, tensor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.weights import pickle_policy, pickle_reader, pickle_rebuild
from modules.weights.errors import PickleFile, UnsafePickle, WeightsError
from modules.weights.open_tensors import open_tensors
from modules.weights.pickle_file import PickleTensorFile
from modules.weights.pickle_opcodes import OPCODES, REFUSED
from modules.weights.pickle_values import PickleError, Symbol

REUSE = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORBIDDEN = {
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "exec",
    "compile",
    "import",
    "os.remove",
    "os.rename",
}

_seen: list[tuple[str, str]] = []
_listening = False


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event in FORBIDDEN:
        _seen.append((event, str(arguments)[:100]))


sys.addaudithook(_listen)


@contextlib.contextmanager
def nothing_runs() -> Iterator[None]:
    """Fails if anything is imported, compiled, executed or started inside it."""
    global _listening
    _seen.clear()
    _listening = True
    try:
        yield
    finally:
        _listening = False
    assert _seen == []
    assert OWNED == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_meets_its_error_and_runs_nothing(tmp_path: Path, attack: Attack) -> None:
    path = tmp_path / "evil.ckpt"
    path.write_bytes(attack.content)
    before = set(sys.modules)
    with pickle_policy.deciding("all"), nothing_runs(), pytest.raises(WeightsError) as caught:
        open_tensors(path, kind="checkpoint")
    assert set(sys.modules) == before
    assert type(caught.value) is attack.error or attack.error is WeightsError
    message = str(caught.value)
    assert path.name in message and len(message) < 500 and message.isprintable()


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.content.startswith((b"PK", b"\x80"))][::9], ids=lambda attack: attack.name)
def test_with_the_setting_off_no_pickle_is_even_looked_into(tmp_path: Path, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evil.ckpt"
    path.write_bytes(attack.content)
    monkeypatch.setattr(PickleTensorFile, "open", None)
    with pytest.raises(PickleFile, match="read_pickles"):
        open_tensors(path, kind="embedding")


@pytest.mark.parametrize("content", [VALID, VALID_LEGACY], ids=["zip", "legacy"])
def test_the_harmless_twin_opens(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "good.ckpt"
    path.write_bytes(content)
    with PickleTensorFile.open(path) as file:
        assert torch.equal(file.read("a"), torch.zeros(4))


def test_a_pickle_under_a_safetensors_name_is_refused_whatever_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(VALID)
    with pickle_policy.deciding("all"), pytest.raises(PickleFile, match="safetensors name"):
        open_tensors(path)


def test_every_instruction_of_pickle_is_either_carried_out_or_refused_by_name() -> None:
    known = {ord(op.code): op.name for op in pickletools.opcodes}
    assert known.keys() == OPCODES.keys() | REFUSED.keys()
    assert not OPCODES.keys() & REFUSED.keys()
    for code, name in REFUSED.items():
        assert known[code] == name


def test_of_all_names_of_the_interpreter_these_are_allowed() -> None:
    """Whatever `builtins`, `os`, `sys`, `subprocess` and torch call something, under every module that pickles use."""
    places = ("builtins", "__builtin__", "os", "posix", "sys", "subprocess", "torch", "torch._utils", "torch.storage", "numpy", "copyreg")
    names = {name for module in (builtins, os, sys, subprocess, torch, torch._utils, torch.storage, np) for name in vars(module)}
    accepted = set()
    for place in places:
        for name in names:
            with contextlib.suppress(PickleError):
                accepted.add(str(pickle_rebuild.known(Symbol(place, name))))
    rebuilders = {str(symbol) for symbol in pickle_rebuild.BUILDERS}
    storages = {f"{module}.{name}" for module in ("torch", "torch.storage") for name in pickle_rebuild.STORAGES}
    plain = {f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("dict", "list", "int", "float", "object")}
    dtypes = {f"torch.{name}" for name in pickle_rebuild.DTYPES}
    assert accepted <= rebuilders | storages | plain | dtypes | {"torch.Tensor", "numpy.ndarray"}
    assert {"builtins.eval", "builtins.getattr", "os.system", "torch.load", "numpy.load"}.isdisjoint(accepted)


@pytest.mark.parametrize("piece", [b"]", b"}", b"(", b"N", b"K\1\x85", b"\x8f", b")", b"}\x94", b"J\1\2\3\4"], ids=repr)
def test_memory_is_bounded_by_the_number_of_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    monkeypatch.setattr(pickle_reader, "MAX_STEPS", 20_000)
    path = tmp_path / "x.pt"
    path.write_bytes(pickled(piece * 1_000_000, 4))
    tracemalloc.start()
    try:
        with pytest.raises(UnsafePickle, match="more than 20,000 instructions"):
            PickleTensorFile.open(path)
        assert tracemalloc.get_traced_memory()[1] < 300 * 20_000 + (1 << 20)
    finally:
        tracemalloc.stop()


def test_a_text_of_announced_gigabytes_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(pickled(b"X\xff\xff\xff\x02" + b"x" * 100))
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError):
            PickleTensorFile.open(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def check(path: Path, content: bytes) -> None:
    """Open and read everything: a WeightsError with a printable message, or tensors of their announced shapes."""
    path.write_bytes(content)
    try:
        with nothing_runs(), PickleTensorFile.open(path) as file:
            for key, info in file.tensors.items():
                assert tuple(file.read(key).shape) == info.shape
    except WeightsError as error:
        assert str(error).isprintable()


@REUSE
@given(st.data())
def test_any_changed_byte_is_harmless(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from((VALID, VALID_LEGACY))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(tmp_path / "x.ckpt", bytes(content))


@REUSE
@given(st.data())
def test_any_cut_or_inserted_piece_is_harmless(tmp_path: Path, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from((VALID, VALID_LEGACY)))
    start, end = sorted((data.draw(st.integers(0, len(content))), data.draw(st.integers(0, len(content)))))
    check(tmp_path / "x.ckpt", content[:start] + data.draw(st.binary(max_size=40)) + content[end:])


PIECES = [bytes([code]) for code in OPCODES] + [
    tensor(), tensor((2, 2), (2, 1)), b"K\x02", b"X\x01\0\0\0a", b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nSize\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"h\0", b"q\0", b"cos\nsystem\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"c_codecs\nencode\n", b"cbuiltins\nset\n", b"(t", b")R", 
    b"ctorch.nn.modules.container\nParameterDict\n",
]  # fmt: skip


@REUSE
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.booleans())
def test_any_row_of_instructions_is_harmless(tmp_path: Path, pieces: list[bytes], wrapped: bool) -> None:
    body = b"".join(pieces)
    check(tmp_path / "x.ckpt", archive(state(body) if wrapped else pickled(body)))


def test_thousands_of_random_rows_of_instructions_are_harmless(tmp_path: Path) -> None:
    dice = random.Random(7)
    for _ in range(1000):
        body = b"".join(dice.choices(PIECES, k=dice.randrange(2, 12)))
        check(tmp_path / "x.ckpt", archive(pickled(mapping(a=body))))
