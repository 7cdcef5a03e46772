"""Networks in the prompt: what tags, settings and files together put on a model, and taking it off again. Imports torch late."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from modules.adapters import tags
from modules.adapters.embeddings import EmbeddingFiles, ModelEmbeddings
from modules.adapters.errors import BadArgument
from modules.adapters.files import hypernetwork_files, modified
from modules.adapters.lora_files import LoraFiles
from modules.prompt.extra_networks import ExtraNetworkParams, ExtraNetworks
from modules.weights.errors import WeightsError

if TYPE_CHECKING:
    from modules.adapters.hypernetworks import Attached, Hypernetwork
    from modules.adapters.network import Network
    from modules.adapters.patcher import Merged, Patcher, Wanted
    from modules.adapters.textual_inversion import Embedding

log = logging.getLogger(__name__)

LORA_HASHES = "Lora hashes"
KNOWN_KINDS = (*tags.LORA_KINDS, tags.HYPERNETWORK_KIND)


@dataclass(frozen=True)
class NetworkFolders:
    """Where the files are; folders that do not exist are empty."""

    loras: tuple[Path, ...] = ()
    embeddings: tuple[Path, ...] = ()
    hypernetworks: tuple[Path, ...] = ()


@dataclass
class Active:
    """What `activate` did."""

    lora_hashes: dict[str, str] = field(default_factory=dict)
    """Short hashes by the names that the prompt used."""
    comments: list[str] = field(default_factory=list)
    """What the user should hear."""
    prompt_tags: str = ""
    """Tags that settings added; they belong behind every prompt of the job, so that infotexts have them."""

    @property
    def infotext(self) -> dict[str, str]:
        """The infotext keys of this activation alone."""
        return self.infotext_after({})

    def infotext_after(self, earlier: Mapping[str, Any]) -> dict[str, str]:
        """The infotext keys where those of the first pass, `earlier`, are to be added to and not replaced."""
        hashes = dict(pair.split(": ", 1) for pair in str(earlier.get(LORA_HASHES) or "").split(", ") if ": " in pair)
        hashes.update(self.lora_hashes)
        return {LORA_HASHES: ", ".join(f"{name}: {value}" for name, value in hashes.items())} if hashes else {}


class Networks:
    """The network files of a program and what of them is active on which model.

    One job at a time: `activate` before each pass, `deactivate` at the job's end, whatever happened. Each model has its own
    active networks, so that a refiner can have them as well. Inactive models are exactly what their files say.
    """

    def __init__(self, folders: NetworkFolders, cache: Path | None = None, *, hashing: bool = True) -> None:
        self.folders = folders
        self.loras = LoraFiles(folders.loras, cache, hashing=hashing)
        self.embeddings = EmbeddingFiles(folders.embeddings, cache, hashing=hashing)
        self._patchers: WeakKeyDictionary[Any, Patcher] = WeakKeyDictionary()
        self._attached: WeakKeyDictionary[Any, Attached] = WeakKeyDictionary()
        self._bundled: WeakKeyDictionary[Any, list[Embedding]] = WeakKeyDictionary()
        self._loaded: dict[Path, Network] = {}
        self._loaded_hypernetworks: dict[Path, tuple[tuple[int, int], Hypernetwork]] = {}
        self._embeddings_of: WeakKeyDictionary[Any, tuple[list[int], ModelEmbeddings]] = WeakKeyDictionary()
        self._used: set[int] = set()

    def hypernetwork_files(self) -> dict[str, Path]:
        """Hypernetwork files by name."""
        return hypernetwork_files(self.folders.hypernetworks)

    def activate(self, model: Any, wanted: ExtraNetworks, settings: Any) -> Active:
        """Put exactly the wanted networks on a model (an object with `.checkpoint`); others that were on it go.

        A network that is missing or does not fit is left out and commented on; the job goes on. Raises nothing but
        what running out of memory raises, and then the model is as it was before any network.
        """
        active = Active()
        for kind in wanted.keys() - set(KNOWN_KINDS):
            log.info("<%s:…> is of no kind known here and was left out", kind)
        try:
            self._activate_loras(model, tags.tags_of(wanted, tags.LORA_KINDS), settings, active)
            self._activate_hypernetworks(model, tags.tags_of(wanted, (tags.HYPERNETWORK_KIND,)), settings, active)
        except BaseException:
            self.deactivate()
            raise
        return active

    def deactivate(self) -> None:
        """Take all networks off all models. What the last pass had stays prepared in memory, if there is room for it."""
        for attached in self._attached.values():
            attached.detach()
        self._attached.clear()
        self._bundled.clear()
        for patcher in self._patchers.values():
            patcher.restore()
            if id(patcher) in self._used:
                patcher.keep_latest()
            else:
                patcher.forget()
        self._used.clear()

    def release(self) -> None:
        """Forget what is only kept for speed: for whoever has run out of memory."""
        for patcher in self._patchers.values():
            patcher.forget_unused()
        if not self._used:
            self._loaded.clear()
            self._loaded_hypernetworks.clear()

    def embeddings_for(self, model: Any) -> ModelEmbeddings:
        """The textual inversions that a model understands now."""
        bundled = self._bundled.get(model, [])
        files = self.embeddings.all()
        key = [id(embedding) for embedding in (*files, *bundled)]
        known = self._embeddings_of.get(model)
        if known is None or known[0] != key:
            known = key, ModelEmbeddings(files, model.checkpoint, bundled)
            self._embeddings_of[model] = known
        return known[1]

    def embedding_hash(self, embedding: Embedding, settings: Any) -> str | None:
        """What an infotext says of an embedding: its short hash, or the name of the network that brought it along."""
        if embedding.bundled_in is None:
            return self.embeddings.shorthash(embedding)
        return embedding.bundled_in if settings.lora_bundled_ti_to_infotext else None

    def _activate_loras(self, model: Any, params: list[ExtraNetworkParams], settings: Any, active: Active) -> None:
        extra = str(settings.sd_lora)
        if extra != "None" and self.loras.available(extra):
            params = self._with_default("lora", extra, params, settings, active)
        wanted, mentioned = self._wanted(params, settings, active)
        patcher = self._patcher(model) if wanted else self._patchers.get(model)
        if patcher is not None:
            merged = patcher.apply(wanted)
            if wanted:
                self._used.add(id(patcher))
                active.comments += _remarks(wanted, merged)
        self._bundled[model] = list(_bundled(wanted, mentioned))
        self._trim(wanted, int(settings.lora_in_memory_limit))
        if settings.lora_add_hashes_to_infotext:
            active.lora_hashes = _hashes(wanted, mentioned)

    def _with_default(
        self, kind: str, name: str, params: list[ExtraNetworkParams], settings: Any, active: Active
    ) -> list[ExtraNetworkParams]:
        """The tags with the one that a setting adds, unless the prompt has it."""
        if any(item.items[0] == name for item in params):
            return params
        strength = settings.extra_networks_default_multiplier
        active.prompt_tags += f"<{kind}:{name}:{strength}>"
        return [*params, ExtraNetworkParams([name, str(strength)])]

    def _wanted(self, params: list[ExtraNetworkParams], settings: Any, active: Active) -> tuple[list[Wanted], list[str]]:
        """The networks to merge, in order, and the names by which the prompt knows them."""
        from modules.adapters.patcher import Wanted

        found: list[tuple[tags.LoraTag, Network]] = []
        missing: list[str] = []
        for item in params:
            try:
                tag = tags.LoraTag.of(item)
                network = self._network(tag.name)
            except (BadArgument, WeightsError) as error:
                active.comments.append(str(error))
                continue
            if network is None:
                missing.append(tag.name)
            else:
                found.append((tag, network))
        if missing:
            _report_missing(missing, settings, active)
        # A1111: a network named twice is merged twice, both times at the strength named last
        last = {network.file.filename: tag for tag, network in found}
        strengths = [(last[network.file.filename], network) for _, network in found]
        return [Wanted(network, tag.te, tag.unet, tag.dyn) for tag, network in strengths], [tag.name for tag, _ in found]

    def _network(self, name: str) -> Network | None:
        """The network of a name, read unless it is in memory; None for a name no file has. Raises a WeightsError."""
        file = self.loras.find(name)
        if file is None:
            return None
        stamp, known = modified(file.filename), self._loaded.pop(file.filename, None)
        if known is None or known.stamp != stamp:
            from modules.adapters.network import load_network

            known = load_network(file, stamp)
        self._loaded[file.filename] = known
        return known

    def _trim(self, wanted: Iterable[Wanted], limit: int) -> None:
        """Keep in memory what is wanted and, of the rest, what fits the limit, the latest first."""
        needed = {item.network.file.filename for item in wanted}
        rest = [path for path in self._loaded if path not in needed]
        for path in rest[: max(len(self._loaded) - max(limit, len(needed)), 0)]:
            del self._loaded[path]

    def _patcher(self, model: Any) -> Patcher:
        from modules.adapters.patcher import Patcher

        known = self._patchers.get(model)
        if known is None or not known.is_current:
            if known is not None:
                known.forget()
            known = self._patchers[model] = Patcher(model.checkpoint)
        return known

    def _activate_hypernetworks(self, model: Any, params: list[ExtraNetworkParams], settings: Any, active: Active) -> None:
        files = self.hypernetwork_files() if params or str(settings.sd_hypernetwork) != "None" else {}
        extra = str(settings.sd_hypernetwork)
        if extra != "None" and extra in files:
            params = self._with_default(tags.HYPERNETWORK_KIND, extra, params, settings, active)
        if model in self._attached:
            self._attached.pop(model).detach()
        wanted = self._hypernetworks(model, params, files, active)
        if wanted:
            from modules.adapters.hypernetworks import Attached

            self._attached[model] = Attached(model.checkpoint.unet, wanted)

    def _hypernetworks(
        self, model: Any, params: list[ExtraNetworkParams], files: Mapping[str, Path], active: Active
    ) -> list[tuple[Hypernetwork, float]]:
        found: list[tuple[Hypernetwork, float]] = []
        missing: list[str] = []
        for item in params:
            try:
                tag = tags.HypernetTag.of(item)
                if tag.name in files:
                    found.append((self._hypernetwork(files[tag.name], model), tag.strength))
                else:
                    missing.append(tag.name)
            except (BadArgument, WeightsError) as error:
                active.comments.append(str(error))
        if missing:
            active.comments.append(f"Hypernetwork not found: {', '.join(missing)}")
        needed = {hypernetwork.filename for hypernetwork, _ in found}
        self._loaded_hypernetworks = {path: entry for path, entry in self._loaded_hypernetworks.items() if path in needed}
        return found

    def _hypernetwork(self, path: Path, model: Any) -> Hypernetwork:
        from modules.adapters.hypernetworks import load_hypernetwork

        stamp, known = modified(path), self._loaded_hypernetworks.get(path)
        if known is None or known[0] != stamp:
            known = stamp, load_hypernetwork(path, device=model.device)
            self._loaded_hypernetworks[path] = known
        return known[1]


def _report_missing(missing: list[str], settings: Any, active: Active) -> None:
    message = f"Lora not found: {', '.join(missing)}"
    active.comments.append(message)
    if settings.lora_not_found_warning_console:
        log.warning("%s", message)


def _remarks(wanted: list[Wanted], merged: Merged) -> Iterable[str]:
    """What went wrong with networks that were found."""
    if failed := {name: count for name, count in merged.failed.items() if count}:
        yield "Networks with errors: " + ", ".join(f"{name} ({count})" for name, count in failed.items())
    for item in wanted:
        name = item.network.file.name
        if item.network.layers and not merged.used[name] and not merged.failed[name]:
            made_for = item.network.file.made_for
            yield f"Lora {name} changes nothing: it has no layer of this model" + (f", it was made for {made_for}" if made_for else "")


def _bundled(wanted: list[Wanted], mentioned: list[str]) -> Iterable[Embedding]:
    """The embeddings that networks bring along."""
    from dataclasses import replace

    for item, name in zip(wanted, mentioned, strict=True):
        for embedding in item.network.embeddings.values():
            yield embedding if embedding.bundled_in == name else replace(embedding, bundled_in=name)


def _hashes(wanted: list[Wanted], mentioned: list[str]) -> dict[str, str]:
    found = {}
    for item, name in zip(wanted, mentioned, strict=True):
        clean, digest = name.replace(":", "").replace(",", ""), item.network.file.shorthash
        if clean and digest:
            found[clean] = digest
    return found
