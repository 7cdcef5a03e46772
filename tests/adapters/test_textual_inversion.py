"""Textual inversions: every kind of file, which of them a model understands, and finding their names."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from adapters.small_models import Model, small_model
from golden_data import golden
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load_file, save_file

from modules.adapters.embeddings import EmbeddingFiles, Lookup, ModelEmbeddings
from modules.adapters.networks import NetworkFolders, Networks
from modules.adapters.picture_embeddings import TEXT_KEY, strips, unmasked
from modules.adapters.textual_inversion import Embedding, embedding_of, load_embedding
from modules.prompt.extra_networks import parse_prompt
from modules.prompt.tokenizer import Tokenizer
from modules.settings.store import Options
from modules.weights import pickle_policy
from modules.weights.errors import WeightsError

CLIP = Tokenizer()


@pytest.mark.parametrize("name, rows", [
    ("webui.pt", 3), ("original_parameterdict.pt", 3), ("diffusers_concept.bin", 1), ("sd1_emb_params.safetensors", 3),
])  # fmt: skip
def test_recorded_files(name: str, rows: int) -> None:
    expected = load_file(golden("nets", "textual_inversion", "expected.safetensors"))
    found = load_embedding(golden("nets", "textual_inversion", name))
    assert found is not None and found.vectors == rows and found.shape == 24 and not found.is_sdxl
    assert any(torch.equal(found.for_tower("clip_l"), value[:rows]) for value in expected.values())


def test_the_original_checksum() -> None:
    expected = json.loads(golden("nets", "textual_inversion", "textual_inversion.json").read_text("utf-8"))["webui_checksums"]
    found = load_embedding(golden("nets", "textual_inversion", "webui.pt"))
    assert found is not None and found.checksum() == expected["webui.pt"]


def test_sdxl_has_vectors_for_both_towers() -> None:
    path = golden("nets", "textual_inversion", "sdxl.safetensors")
    found, tensors = load_embedding(path), load_file(path)
    assert found is not None and found.is_sdxl
    assert torch.equal(found.for_tower("clip_g"), tensors["clip_g"]) and torch.equal(found.for_tower("clip_l"), tensors["clip_l"])
    assert found.shape == tensors["clip_g"].shape[1] + tensors["clip_l"].shape[1]


def test_the_recorded_lists(tiny_networks: Networks) -> None:
    expected = json.loads(golden("lists", "embeddings.json").read_text("utf-8"))
    tower = SimpleNamespace(config=SimpleNamespace(width=64))
    known = tiny_networks.embeddings_for(Model(SimpleNamespace(text_l=tower, text_g=None)))
    for part, found in (("loaded", known.loaded), ("skipped", known.skipped)):
        assert {name: [e.step, e.sd_checkpoint, e.sd_checkpoint_name, e.shape, e.vectors] for name, e in found.items()} == {
            name: list(item.values()) for name, item in expected[part].items()
        }


def data(vectors: torch.Tensor, **values: Any) -> dict[str, Any]:
    tensor = {"TORCHTENSOR": vectors.tolist()}
    return {"string_to_token": {"*": 265}, "string_to_param": {"*": tensor}, "step": 7, **values}


def test_a_pictures_text_chunk(tmp_path: Path) -> None:
    vectors, text = torch.randn(2, 8), PngInfo()
    text.add_text(TEXT_KEY, base64.b64encode(json.dumps(data(vectors, name="inside")).encode()).decode())
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png", pnginfo=text)
    found = load_embedding(tmp_path / "outside.png")
    assert found is not None and (found.name, found.step) == ("inside", 7)
    torch.testing.assert_close(found.for_tower("clip_l"), vectors)


def with_strips(content: bytes, height: int = 24) -> Image.Image:
    """A picture between two strips of half bytes, as the original draws them."""
    packed = zlib.compress(content, 9)
    width = -(-len(packed) // (height * 3))
    block = np.frombuffer(packed.ljust(height * width * 3, b"\0"), dtype=np.uint8).reshape(height, width, 3)
    high, low = unmasked(block >> 4) | 0xA0, unmasked(block & 0x0F) | 0x50
    black, middle = np.zeros((height, 1, 3), np.uint8), np.full((height, 10, 3), 0x77, np.uint8)
    return Image.fromarray(np.concatenate([low, black, middle, black, high], axis=1).astype(np.uint8))


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_pictures_strips(tmp_path: Path, suffix: str) -> None:
    vectors = torch.randn(3, 16)
    with_strips(json.dumps(data(vectors)).encode()).save(tmp_path / f"style.{suffix}", lossless=True)
    found = load_embedding(tmp_path / f"style.{suffix}")
    assert found is not None and (found.name, found.vectors) == ("style", 3)
    torch.testing.assert_close(found.for_tower("clip_l"), vectors)


def test_pictures_without_data(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), "white").save(tmp_path / "plain.png")
    with_strips(b"{}").save(tmp_path / "style.preview.png")
    assert load_embedding(tmp_path / "plain.png") is None and load_embedding(tmp_path / "style.preview.png") is None


@given(st.binary(max_size=400), st.integers(1, 12))
def test_any_picture_is_read_without_a_crash(pixels: bytes, height: int) -> None:
    width = max(len(pixels) // (height * 3), 1)
    strips(Image.frombytes("RGB", (width, height), pixels[: width * height * 3].ljust(width * height * 3, b"\x05")))


@examples(max_examples=30)
@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_data_in_a_picture_is_an_embedding_or_an_error(content: Any) -> None:
    import io

    buffer, text = io.BytesIO(), PngInfo()
    text.add_text(TEXT_KEY, base64.b64encode(json.dumps({"string_to_param": {"*": {"TORCHTENSOR": content}}}).encode()).decode())
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=text)
    path = Path(__file__).with_name("never-written.png")
    with pytest.MonkeyPatch.context() as patch, Image.open(io.BytesIO(buffer.getvalue())) as image:
        patch.setattr(Image, "open", lambda _: image)
        try:
            found = load_embedding(path)
        except WeightsError:
            return
    assert found is not None and found.vectors > 0


@pytest.mark.parametrize("tensors", [
    {}, {"a": torch.zeros(2, 4), "b": torch.zeros(2, 4)}, {"emb_params": torch.zeros(2, 2, 2)}, {"emb_params": torch.zeros(0, 4)},
    {"emb_params": torch.zeros(2, 3, dtype=torch.int64)}, {"clip_l": torch.zeros(1, 4), "clip_g": torch.zeros(2, 4)},
    {"string_to_param.*": torch.zeros(1, 4), "string_to_param.+": torch.zeros(1, 4)},
])  # fmt: skip
def test_files_of_no_known_form(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(WeightsError):
        embedding_of(tensors, "x", Path("x.pt"))


@pytest.fixture
def save_embedding(folders: NetworkFolders) -> Callable[..., Path]:
    def save(name: str, *shape: int) -> Path:
        path = folders.embeddings[0] / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"emb_params": torch.ones(shape)}, path)
        return path

    return save


def test_the_folder_is_read_again_when_it_changes(folders: NetworkFolders, save_embedding: Callable[..., Path]) -> None:
    files = EmbeddingFiles(folders.embeddings)
    assert files.all() == []
    save_embedding("one", 1, 16)
    first = files.all()
    assert [e.name for e in first] == ["one"] and files.all()[0] is first[0]
    save_embedding("deep/two", 2, 16)
    (folders.embeddings[0] / "bad.pt").write_bytes(b"no pickle")
    (folders.embeddings[0] / "notes.txt").write_text("x")
    assert [e.name for e in files.all()] == ["one", "two"]


def test_pickles_only_where_they_are_allowed(folders: NetworkFolders) -> None:
    torch.save({"<word>": torch.ones(16)}, folders.embeddings[0] / "word.bin")
    with pickle_policy.deciding("never"):
        assert EmbeddingFiles(folders.embeddings).all() == []
    assert [e.name for e in EmbeddingFiles(folders.embeddings).all()] == ["word"]


def named(*names: str, width: int = 16) -> list[Embedding]:
    return [Embedding(name, {"clip_l": torch.ones(1, width)}) for name in names]


def test_names_are_found_among_ids_the_longest_first() -> None:
    known = ModelEmbeddings(named("blue", "blue sky", "BLUE sky night", "cat"), None)
    lookup = known.lookup(CLIP)
    assert lookup is not None
    ids = CLIP.encode("a Blue Sky and a blue cat")
    found = [(position, hit[0].name, hit[1]) for position in range(len(ids)) if (hit := lookup.find(ids, position))]
    assert found == [(1, "blue sky", 2), (5, "blue", 1), (6, "cat", 1)]
    assert ModelEmbeddings([], None).lookup(CLIP) is None


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.lists(st.integers(0, 3), min_size=1, max_size=3), max_size=6),
       st.lists(st.integers(0, 3), min_size=1, max_size=12))  # fmt: skip
def test_a_lookup_is_a_search_for_the_longest_match(ids: dict[str, list[int]], text: list[int]) -> None:
    lookup = Lookup(ids, {e.name: e for e in named(*ids)})
    for position in range(len(text)):
        lengths = [len(own) for own in ids.values() if text[position : position + len(own)] == own]
        hit = lookup.find(text, position)
        assert (hit[1] if hit else None) == max(lengths, default=None)


def test_a_model_understands_its_own_width() -> None:
    xl = Embedding("xl", {"clip_g": torch.ones(1, 16), "clip_l": torch.ones(1, 16)})
    wide, narrow = named("wide", width=32)[0], named("narrow")[0]
    for family, names in (("sd1", {"narrow"}), ("sd2", {"narrow"}), ("sdxl", {"xl"})):
        known = ModelEmbeddings([xl, wide, narrow], small_model(family).checkpoint)
        assert set(known.loaded) == names and set(known.skipped) == {"xl", "wide", "narrow"} - names


def test_bundled_embeddings_live_as_long_as_their_network(
    model: Model, networks: Networks, settings: Options, save_lora: Callable[..., Path], save_embedding: Callable[..., Path]
) -> None:
    word, mine = torch.full((2, 16), 0.5), torch.full((1, 16), 0.25)
    save_lora("pack", {"bundle_emb.word.string_to_param.*": word, "bundle_emb.mine.clip_l": mine, "bundle_emb.mine.clip_g": mine + 1})
    save_lora("pack2", {"bundle_emb.word.emb_params": word})
    networks.activate(model, parse_prompt("<lora:pack:1>")[1], settings)
    known = networks.embeddings_for(model)
    assert set(known.loaded) == {"word"} and torch.equal(known.loaded["word"].for_tower("clip_l"), word)
    assert networks.embedding_hash(known.loaded["word"], settings) == "pack"
    settings.set("lora_bundled_ti_to_infotext", False)
    assert networks.embedding_hash(known.loaded["word"], settings) is None
    networks.deactivate()
    assert not networks.embeddings_for(model).loaded
    save_embedding("word", 1, 16)
    networks.activate(model, parse_prompt("<lora:pack2:1>")[1], settings)
    assert networks.embeddings_for(model).loaded["word"].bundled_in is None


def test_hashes_of_files(networks: Networks, settings: Options, save_embedding: Callable[..., Path]) -> None:
    import hashlib

    path = save_embedding("one", 1, 16)
    found = networks.embeddings.all()[0]
    assert networks.embedding_hash(found, settings) == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
