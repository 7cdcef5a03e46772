"""The LoRA files a user has: their names, aliases, hashes and metadata. Imports no torch."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from modules.adapters.files import modified, network_files
from modules.weights import hashes
from modules.weights.errors import WeightsError
from modules.weights.safetensors_file import TensorFile

log = logging.getLogger(__name__)

SUFFIXES = frozenset((".safetensors", ".pt", ".ckpt"))
NO_ALIASES = frozenset(("none", "addams"))
"""Words that name no file by alias.  # A1111: for reasons of its own"""


@dataclass
class LoraFile:
    """One file; metadata is read and the hash computed when first asked for."""

    name: str
    """The file's stem, by which prompts name it."""
    filename: Path
    cache: Path | None = None
    hashing: bool = True
    stamp: tuple[int, int] = field(default=(0, 0))

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The trainer's notes; entries that hold JSON objects come parsed. Empty for pickles and damaged files."""
        if self.filename.suffix.lower() != ".safetensors":
            return {}
        try:
            with TensorFile.open(self.filename, kind="LoRA") as file:
                return {key: _parsed(value) for key, value in file.metadata.items()}
        except WeightsError as error:
            log.warning("%s", error)
            return {}

    @property
    def alias(self) -> str:
        """The name it was trained under, else the file's."""
        return str(self.metadata.get("ss_output_name") or self.name)

    @cached_property
    def hash(self) -> str | None:
        """The trainer's hash of the weights, else the SHA-256 of the file, of safetensors without the header; None where not computed."""
        noted = self.metadata.get("sshs_model_hash")
        if noted:
            return str(noted)
        if not self.hashing:
            return None
        digest = hashes.tensors_sha256_of if self.filename.suffix.lower() == ".safetensors" else hashes.sha256_of
        try:
            return digest(self.filename, self.cache)
        except (OSError, ValueError) as error:
            log.warning("'%s' could not be hashed: %s", self.filename.name, error)
            return None

    @property
    def shorthash(self) -> str | None:
        return self.hash[:12] if self.hash else None

    @property
    def made_for(self) -> str:
        """The family of models it was trained on by its metadata: "SD1", "SD2", "SDXL", "SD3", or "" where it does not say."""
        version = str(self.metadata.get("ss_base_model_version", ""))
        if version.startswith("sdxl_"):
            return "SDXL"
        if version.startswith("sd3"):
            return "SD3"
        if str(self.metadata.get("ss_v2", "")) == "True" or version.startswith("sd_v2"):
            return "SD2"
        return "SD1" if version.startswith("sd_v1") or self.metadata.get("ss_v2") is not None else ""


class LoraFiles:
    """The LoRA files of some folders, listed once and again on `refresh`."""

    def __init__(self, folders: Iterable[Path], cache: Path | None = None, *, hashing: bool = True) -> None:
        self.folders = tuple(folders)
        self._cache, self._hashing = cache, hashing
        self._lock = threading.Lock()
        self._files: dict[str, LoraFile] | None = None
        self._aliases: dict[str, LoraFile | None] | None = None

    def list(self) -> list[LoraFile]:
        """All files, in the order of their paths."""
        return list(self._listed().values())

    def refresh(self) -> None:
        """Read the folders again; what is known of unchanged files is kept."""
        with self._lock:
            known = {file.filename: file for file in (self._files or {}).values()}
            found: dict[str, LoraFile] = {}
            for path in network_files(self.folders, SUFFIXES):
                stamp, old = modified(path), known.get(path)
                fresh = LoraFile(path.stem, path, self._cache, self._hashing, stamp)
                found[path.stem] = old if old is not None and old.stamp == stamp else fresh
            self._files, self._aliases = found, None

    def find(self, name: str) -> LoraFile | None:
        """The file of this stem or alias, both as they are written; the folders are read again before giving up."""
        found = self._look_up(name)
        if found is None:
            self.refresh()
            found = self._look_up(name)
        return found

    def available(self, name: str) -> bool:
        """Whether a file has this stem."""
        return name in self._listed()

    def by_hash(self, shorthash: str) -> LoraFile | None:
        """The file with this hash of 12 digits; hashes what was not hashed yet."""
        return next((file for file in self.list() if file.shorthash == shorthash), None)

    def name_for_prompts(self, file: LoraFile, *, preferred: str = "Alias from file") -> str:
        """How a prompt should name a file: by its alias, or by its stem (setting `lora_preferred_name`, or an alias that is ambiguous)."""
        means = self._by_alias().get(file.alias)
        return file.alias if preferred != "Filename" and means is file else file.name

    def _look_up(self, name: str) -> LoraFile | None:
        # a stem always wins over another file's alias, so most names need nobody's metadata
        return self._listed().get(name) or self._by_alias().get(name)

    def _listed(self) -> dict[str, LoraFile]:
        if self._files is None:
            self.refresh()
        assert self._files is not None
        return self._files

    def _by_alias(self) -> dict[str, LoraFile | None]:
        """Files by alias; None for one that several files claim, in whatever case, and for words that may not be one."""
        if self._aliases is None:
            files = self._listed().values()
            claims = Counter(name for file in files for name in {file.alias.lower(), file.name.lower()})
            clear = {file.alias: file for file in files if file.alias.lower() not in NO_ALIASES}
            self._aliases = {alias: file if claims[alias.lower()] == 1 else None for alias, file in clear.items()}
        return self._aliases


def _parsed(value: str) -> Any:
    """JSON objects as such; other texts as they are."""
    if value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
