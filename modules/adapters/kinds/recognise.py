"""Which kind a layer's tensors are of."""

from __future__ import annotations

from modules.adapters.kinds.full import Full, Norm
from modules.adapters.kinds.glora import GLoRA
from modules.adapters.kinds.ia3 import IA3
from modules.adapters.kinds.layer import Layer, Tensors
from modules.adapters.kinds.loha import LoHa
from modules.adapters.kinds.lokr import LoKr
from modules.adapters.kinds.lora import LoRA
from modules.adapters.kinds.oft import OFT

KINDS: tuple[type[Layer], ...] = (LoRA, LoHa, IA3, LoKr, Full, Norm, GLoRA, OFT)


def make_layer(tensors: Tensors) -> Layer | None:
    """The layer these tensors make, None where they are of no known kind; the first kind that finds its tensors takes them."""
    for kind in KINDS:
        if kind.recognises(tensors):
            return kind(tensors)
    return None
