"""The textual inversions a user has, and which of them fit a model."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.adapters.files import modified, network_files
from modules.weights.errors import WeightsError

if TYPE_CHECKING:
    from modules.adapters.textual_inversion import Embedding
    from modules.prompt.tokenizer import Tokenizer

log = logging.getLogger(__name__)

SUFFIXES = frozenset((".pt", ".bin", ".safetensors", ".png", ".webp", ".jxl", ".avif"))


class EmbeddingFiles:
    """The embeddings of some folders; each file is read once, and again when it changed."""

    def __init__(self, folders: Iterable[Path], cache: Path | None = None, *, hashing: bool = True) -> None:
        self.folders = tuple(folders)
        self._cache, self._hashing = cache, hashing
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int], Embedding | None]] = {}
        self._seen: dict[str, int] = {}

    def all(self) -> list[Embedding]:
        """Every embedding that can be read; the folders are read again if something was put into them or taken out."""
        with self._lock:
            if not self._seen or any(_time(folder) != time for folder, time in self._seen.items()):
                self._scan()
            return [embedding for _, embedding in self._read.values() if embedding is not None]

    def refresh(self) -> None:
        """Read the folders, and files that changed, again."""
        with self._lock:
            self._scan()

    def shorthash(self, embedding: Embedding) -> str | None:
        """First 12 digits of the file's SHA-256; None where hashing is switched off or there is no file."""
        digest = embedding.sha256(self._cache) if self._hashing else None
        return digest[:12] if digest else None

    def _scan(self) -> None:
        known, self._read = self._read, {}
        self._seen = {name: _time(name) for folder in self.folders for name in (str(folder), *_folders_below(folder))}
        for path in network_files(self.folders, SUFFIXES):
            stamp = modified(path)
            old = known.get(path)
            self._read[path] = old if old is not None and old[0] == stamp else (stamp, _load(path))


class ModelEmbeddings:
    """The embeddings that fit one model, those brought along by its active networks included."""

    def __init__(self, embeddings: Iterable[Embedding], checkpoint: Any, bundled: Iterable[Embedding] = ()) -> None:
        self.loaded: dict[str, Embedding] = {}
        self.skipped: dict[str, Embedding] = {}
        for embedding in embeddings:
            if fits(embedding, checkpoint):
                self.loaded[embedding.name] = embedding
                self.skipped.pop(embedding.name, None)
            elif embedding.name not in self.loaded:
                self.skipped[embedding.name] = embedding
        for embedding in bundled:
            # A1111: a file in the embeddings folder wins over one of its name in a LoRA
            if embedding.name not in self.loaded and fits(embedding, checkpoint):
                self.loaded[embedding.name] = embedding
        self._lookups: dict[str, Lookup] = {}

    def lookup(self, tokens: Tokenizer) -> Lookup | None:
        """The embeddings by the ids that a tokenizer makes of their names; None where there are none."""
        if not self.loaded:
            return None
        if tokens.flavour not in self._lookups:
            self._lookups[tokens.flavour] = Lookup({name: tokens.encode(name) for name in self.loaded}, self.loaded)
        return self._lookups[tokens.flavour]


class Lookup:
    """Finds embeddings by the ids of their names: what counting tokens asks for (`prompt.chunking.EmbeddingDatabase`)."""

    def __init__(self, ids: Mapping[str, Sequence[int]], embeddings: Mapping[str, Embedding]) -> None:
        self._by_first: dict[int, list[tuple[list[int], Embedding]]] = {}
        for name, own in ids.items():
            if own:
                self._by_first.setdefault(own[0], []).append((list(own), embeddings[name]))
        for found in self._by_first.values():
            found.sort(key=lambda pair: len(pair[0]), reverse=True)

    def find(self, ids: Sequence[int], offset: int) -> tuple[Embedding, int] | None:
        """The embedding with the longest name that starts at ids[offset], and how many ids its name takes; None: no such."""
        for own, embedding in self._by_first.get(ids[offset], ()):
            if list(ids[offset : offset + len(own)]) == own:
                return embedding, len(own)
        return None


def fits(embedding: Embedding, checkpoint: Any) -> bool:
    """Whether an embedding's vectors are as wide as a checkpoint's token embeddings."""
    if checkpoint is None:
        return True
    towers = [getattr(checkpoint, part, None) for part in ("text_l", "text_g")]
    widths = [int(tower.config.width) for tower in towers if tower is not None]
    if embedding.is_sdxl and len(widths) == 2:
        return [embedding.for_tower(tower).shape[-1] for tower in ("clip_l", "clip_g")] == widths
    return len(widths) == 1 and embedding.shape == widths[0]


def _load(path: Path) -> Embedding | None:
    from modules.adapters.textual_inversion import load_embedding

    try:
        return load_embedding(path)
    except WeightsError as error:
        log.warning("%s", error)
        return None


def _folders_below(folder: Path) -> Iterator[str]:
    for root, names, _ in os.walk(folder, followlinks=True):
        yield from (os.path.join(root, name) for name in names)


def _time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0
