"""Networks in a recipe from elsewhere: called by the names that the files have here (generation.md §8.3, rule 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from modules.adapters.lora_files import LoraFiles

_LORA = re.compile(r"<lora:([^:>]+):")
_TRAILING_HASH = re.compile(r"\([0-9a-fA-F]+\)\s*$")
MAX_ADDITIONAL = 100


def use_local_names(params: MutableMapping[str, Any], loras: LoraFiles, *, preferred: str = "Alias from file") -> None:
    """Change the prompt of a parsed infotext: LoRAs go by their local names where their hash is known here.

    The keys of the extension Additional Networks become tags. `preferred` is the setting `lora_preferred_name`.
    """
    if added := [f"<lora:{name}:{weight}>" for name, weight in _additional(params)]:
        params["Prompt"] = f"{params.get('Prompt', '')}\n{''.join(added)}"
    hashes = _hashes(str(params.get("Lora hashes") or ""))
    if not hashes:
        return

    def local(match: re.Match[str]) -> str:
        file = loras.by_hash(hashes[match[1]]) if match[1] in hashes else None
        return f"<lora:{loras.name_for_prompts(file, preferred=preferred)}:" if file is not None else match[0]

    params["Prompt"] = _LORA.sub(local, str(params.get("Prompt", "")))


def _hashes(text: str) -> dict[str, str]:
    """Short hashes by name, from `name: hash, name: hash`."""
    pairs = (pair.rsplit(":", 1) for pair in text.split(","))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2 and pair[1].strip()}


def _additional(params: MutableMapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and weight of what the extension had active as a LoRA."""
    for index in range(1, MAX_ADDITIONAL):
        module, model = params.get(f"AddNet Module {index}"), params.get(f"AddNet Model {index}")
        if module == "LoRA" and model:
            weight = params.get(f"AddNet Weight A {index}") or params.get(f"AddNet Weight {index}") or 1
            yield _TRAILING_HASH.sub("", str(model)).strip(), str(weight)
