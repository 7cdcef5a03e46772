"""The LoRAs, textual inversions and hypernetworks there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel

if TYPE_CHECKING:
    from modules.adapters.textual_inversion import Embedding
    from modules.engine.engine import Engine


class HypernetworkItem(BaseModel):
    """A hypernetwork file."""

    name: str
    path: str | None = None


class EmbeddingItem(BaseModel):
    """A textual inversion: who trained it on what for how many steps, the width of its vectors and how many there are."""

    step: int | None = None
    sd_checkpoint: str | None = None
    sd_checkpoint_name: str | None = None
    shape: int
    vectors: int


class EmbeddingsResponse(BaseModel):
    """The textual inversions that the model in use understands, and those made for others."""

    loaded: dict[str, EmbeddingItem]
    skipped: dict[str, EmbeddingItem]


def network_routes(engine: Engine, flags: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/sdapi/v1/loras")
    def get_loras() -> Any:
        return [
            {"name": file.name, "alias": file.alias, "path": str(file.filename), "metadata": file.metadata}
            for file in engine.networks.loras.list()
        ]

    @router.post("/sdapi/v1/refresh-loras")
    def refresh_loras() -> None:
        engine.networks.loras.refresh()

    @router.get("/sdapi/v1/embeddings", response_model=EmbeddingsResponse)
    def get_embeddings() -> Any:
        known = engine.embeddings()
        return {"loaded": _items(known.loaded), "skipped": _items(known.skipped)}

    @router.post("/sdapi/v1/refresh-embeddings")
    def refresh_embeddings() -> None:
        engine.networks.embeddings.refresh()

    @router.get("/sdapi/v1/hypernetworks", response_model=list[HypernetworkItem])
    def get_hypernetworks() -> Any:
        return [{"name": name, "path": str(path)} for name, path in engine.networks.hypernetwork_files().items()]

    return router


def _items(embeddings: dict[str, Embedding]) -> dict[str, Any]:
    """By name, in the order of the names."""
    return {
        name: {
            "step": embedding.step,
            "sd_checkpoint": embedding.sd_checkpoint,
            "sd_checkpoint_name": embedding.sd_checkpoint_name,
            "shape": embedding.shape,
            "vectors": embedding.vectors,
        }
        for name, embedding in sorted(embeddings.items(), key=lambda item: item[0].lower())
    }
