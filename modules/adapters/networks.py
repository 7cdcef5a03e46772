"""Networks in the prompt: what tags, settings and files together put on a model, and taking it off again. Imports torch late."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from modules.adapters import tags
from modules.adapters.active_hypernetworks import HypernetworkLoader
from modules.adapters.active_loras import LoraLoader, remarks
from modules.adapters.embeddings import EmbeddingFiles, ModelEmbeddings
from modules.adapters.files import hypernetwork_files
from modules.adapters.lora_files import LoraFiles
from modules.prompt.extra_networks import ExtraNetworkParams, ExtraNetworks

if TYPE_CHECKING:
    from modules.adapters.hypernetworks import Attached
    from modules.adapters.patcher import Patcher
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
        self._loras = LoraLoader(self.loras)
        self._hypernetworks = HypernetworkLoader()
        self._patchers: WeakKeyDictionary[Any, Patcher] = WeakKeyDictionary()
        self._attached: WeakKeyDictionary[Any, Attached] = WeakKeyDictionary()
        self._bundled: WeakKeyDictionary[Any, list[Embedding]] = WeakKeyDictionary()
        self._understood: WeakKeyDictionary[Any, tuple[list[int], ModelEmbeddings]] = WeakKeyDictionary()
        self._used: set[int] = set()
        """Ids of the patchers that this job has used."""

    def hypernetwork_files(self) -> dict[str, Path]:
        """Hypernetwork files by name."""
        return hypernetwork_files(self.folders.hypernetworks)

    def activate(self, model: Any, wanted: ExtraNetworks, settings: Any) -> Active:
        """Put exactly the wanted networks on a model (an object with `.checkpoint` and `.device`); others that were on it go.

        A network that is missing or does not fit is left out and commented on; the job goes on. Raises nothing but
        what running out of memory raises, and then no model has any network.
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
        for attached in list(self._attached.values()):
            attached.detach()
        self._attached.clear()
        self._bundled.clear()
        for patcher in list(self._patchers.values()):
            patcher.restore()
            if id(patcher) in self._used:
                patcher.keep_latest()
            else:
                patcher.forget()
        self._used.clear()

    def release(self) -> None:
        """Forget what is only kept for speed: for whoever has run out of memory."""
        for patcher in list(self._patchers.values()):
            patcher.forget_unused()
        if not self._used:
            self._loras.forget()
            self._hypernetworks.forget()

    def embeddings_for(self, model: Any) -> ModelEmbeddings:
        """The textual inversions that a model understands now."""
        files, bundled = self.embeddings.all(), self._bundled.get(model, [])
        key = [id(embedding) for embedding in (*files, *bundled)]
        known = self._understood.get(model)
        if known is None or known[0] != key:
            known = self._understood[model] = key, ModelEmbeddings(files, model.checkpoint, bundled)
        return known[1]

    def embedding_hash(self, embedding: Embedding, settings: Any) -> str | None:
        """What an infotext says of an embedding: its short hash, or the name of the network that brought it along."""
        if embedding.bundled_in is None:
            return self.embeddings.shorthash(embedding)
        return embedding.bundled_in if settings.lora_bundled_ti_to_infotext else None

    def _activate_loras(self, model: Any, params: list[ExtraNetworkParams], settings: Any, active: Active) -> None:
        extra = str(settings.sd_lora)
        if extra != "None" and self.loras.available(extra):
            params = _with_default("lora", extra, params, settings, active)
        if not params and model not in self._patchers:
            return
        wanted = self._loras.wanted(params, settings)
        merged = self._patcher(model).apply(wanted.networks, whole_products=not settings.lora_half_products_as_recorded)
        if wanted.networks:
            self._used.add(id(self._patchers[model]))
        self._bundled[model] = list(wanted.bundled())
        active.comments += [*wanted.comments, *remarks(wanted, merged)]
        if settings.lora_add_hashes_to_infotext:
            active.lora_hashes = wanted.hashes()

    def _activate_hypernetworks(self, model: Any, params: list[ExtraNetworkParams], settings: Any, active: Active) -> None:
        if model in self._attached:
            self._attached.pop(model).detach()
        extra = str(settings.sd_hypernetwork)
        files = self.hypernetwork_files() if params or extra != "None" else {}
        if extra in files:
            params = _with_default(tags.HYPERNETWORK_KIND, extra, params, settings, active)
        wanted = self._hypernetworks.wanted(params, files, model.device)
        active.comments += wanted.comments
        if wanted.networks:
            from modules.adapters.hypernetworks import Attached

            self._attached[model] = Attached(model.checkpoint.unet, wanted.networks)

    def _patcher(self, model: Any) -> Patcher:
        from modules.adapters.patcher import Patcher

        known = self._patchers.get(model)
        if known is None or not known.is_current:
            if known is not None:
                known.forget()
            known = self._patchers[model] = Patcher(model.checkpoint)
        return known


def _with_default(kind: str, name: str, params: list[ExtraNetworkParams], settings: Any, active: Active) -> list[ExtraNetworkParams]:
    """The tags with the one that a setting adds, unless the prompt has it."""
    if any(item.items[0] == name for item in params):
        return params
    strength = settings.extra_networks_default_multiplier
    active.prompt_tags += f"<{kind}:{name}:{strength}>"
    return [*params, ExtraNetworkParams([name, str(strength)])]
