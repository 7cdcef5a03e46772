"""From `<hypernet:…>` tags to hypernetworks hung into a model. Imports torch late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.adapters.errors import BadArgument
from modules.adapters.files import modified
from modules.adapters.tags import HypernetTag
from modules.prompt.extra_networks import ExtraNetworkParams
from modules.weights.errors import WeightsError

if TYPE_CHECKING:
    from modules.adapters.hypernetworks import Hypernetwork


@dataclass
class WantedHypernetworks:
    """The hypernetworks that tags name, in order, each with its strength; and what is to be said about others."""

    networks: list[tuple[Hypernetwork, float]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


class HypernetworkLoader:
    """Reads hypernetwork files and keeps those of the latest prompt in memory."""

    def __init__(self) -> None:
        self._loaded: dict[Path, tuple[tuple[int, int], Hypernetwork]] = {}

    def wanted(self, params: Sequence[ExtraNetworkParams], files: Mapping[str, Path], device: Any) -> WantedHypernetworks:
        """The hypernetworks of some tags, from `files` by name; those missing or unusable are left out and commented on."""
        result, missing = WantedHypernetworks(), list[str]()
        for item in params:
            try:
                tag = HypernetTag.of(item)
                if tag.name in files:
                    result.networks.append((self._hypernetwork(files[tag.name], device), tag.strength))
                else:
                    missing.append(tag.name)
            except (BadArgument, WeightsError) as error:
                result.comments.append(str(error))
        if missing:
            result.comments.append(f"Hypernetwork not found: {', '.join(missing)}")
        needed = {hypernetwork.filename for hypernetwork, _ in result.networks}
        self._loaded = {path: entry for path, entry in self._loaded.items() if path in needed}
        return result

    def forget(self) -> None:
        """Let go of every file in memory."""
        self._loaded.clear()

    def _hypernetwork(self, path: Path, device: Any) -> Hypernetwork:
        from modules.adapters.hypernetworks import load_hypernetwork

        stamp, known = modified(path), self._loaded.get(path)
        if known is None or known[0] != stamp:
            known = self._loaded[path] = stamp, load_hypernetwork(path, device=device)
        return known[1]
