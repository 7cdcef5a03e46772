"""From `<lora:…>` tags to networks merged into a model. Imports torch late."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.adapters.errors import BadArgument
from modules.adapters.files import modified
from modules.adapters.lora_files import LoraFiles
from modules.adapters.tags import LoraTag
from modules.prompt.extra_networks import ExtraNetworkParams
from modules.weights.errors import WeightsError

if TYPE_CHECKING:
    from modules.adapters.network import Network
    from modules.adapters.patcher import Merged, Wanted
    from modules.adapters.textual_inversion import Embedding

log = logging.getLogger(__name__)


@dataclass
class WantedLoras:
    """The networks that tags name, in order, under the names that the prompt uses; and what is to be said about others."""

    networks: list[Wanted] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def hashes(self) -> dict[str, str]:
        """Short hashes by name, as infotexts list them."""
        found = {}
        for item, name in zip(self.networks, self.mentioned, strict=True):
            clean, digest = name.replace(":", "").replace(",", ""), item.network.file.shorthash
            if clean and digest:
                found[clean] = digest
        return found

    def bundled(self) -> Iterator[Embedding]:
        """The embeddings that the networks bring along."""
        for item, name in zip(self.networks, self.mentioned, strict=True):
            for embedding in item.network.embeddings.values():
                yield replace(embedding, bundled_in=name)


class LoraLoader:
    """Reads network files and keeps in memory what is in use, and as many more as the settings allow."""

    def __init__(self, files: LoraFiles) -> None:
        self.files = files
        self._loaded: dict[Path, Network] = {}

    def wanted(self, params: Sequence[ExtraNetworkParams], settings: Any) -> WantedLoras:
        """The networks of some tags; those missing or unusable are left out and commented on."""
        from modules.adapters.patcher import Wanted

        result, missing = WantedLoras(), list[str]()
        found: list[tuple[LoraTag, Network]] = []
        for item in params:
            try:
                tag = LoraTag.of(item)
                network = self._network(tag.name)
            except (BadArgument, WeightsError) as error:
                result.comments.append(str(error))
                continue
            if network is None:
                missing.append(tag.name)
            else:
                found.append((tag, network))
        result.comments += _about_missing(missing, settings)
        # A1111: a network named twice is merged twice, both times at the strengths named last
        last = {network.file.filename: tag for tag, network in found}
        for tag, network in found:
            told = last[network.file.filename]
            result.networks.append(Wanted(network, told.te, told.unet, told.dyn))
            result.mentioned.append(tag.name)
        self._trim({network.file.filename for _, network in found}, int(settings.lora_in_memory_limit))
        return result

    def forget(self) -> None:
        """Let go of every file in memory."""
        self._loaded.clear()

    def _network(self, name: str) -> Network | None:
        """The network of a name, read unless it is in memory; None for a name no file has. Raises a WeightsError."""
        file = self.files.find(name)
        if file is None:
            return None
        stamp, known = modified(file.filename), self._loaded.pop(file.filename, None)
        if known is None or known.stamp != stamp:
            from modules.adapters.network import load_network

            known = load_network(file, stamp)
        self._loaded[file.filename] = known
        return known

    def _trim(self, needed: set[Path], limit: int) -> None:
        """Keep what is needed and, of the rest, what fits the limit, the latest first."""
        rest = [path for path in self._loaded if path not in needed]
        for path in rest[: max(len(self._loaded) - max(limit, len(needed)), 0)]:
            del self._loaded[path]


def remarks(wanted: WantedLoras, merged: Merged) -> Iterator[str]:
    """What went wrong while networks were merged."""
    if failed := {name: count for name, count in merged.failed.items() if count}:
        yield "Networks with errors: " + ", ".join(f"{name} ({count})" for name, count in failed.items())
    for item in wanted.networks:
        file = item.network.file
        if item.network.layers and not merged.used[file.name] and not merged.failed[file.name]:
            made_for = f", it was made for {file.made_for}" if file.made_for else ""
            yield f"Lora {file.name} changes nothing: it has no layer of this model{made_for}"


def _about_missing(missing: Sequence[str], settings: Any) -> Iterable[str]:
    if not missing:
        return ()
    message = f"Lora not found: {', '.join(missing)}"
    if settings.lora_not_found_warning_console:
        log.warning("%s", message)
    return (message,)
