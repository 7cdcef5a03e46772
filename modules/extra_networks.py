"""Networks named in the prompt (platform.md §4.10)."""

from __future__ import annotations

from modules.prompt.extra_networks import ExtraNetworkParams as ExtraNetworkParams
from modules.prompt.extra_networks import parse_prompt as parse_prompt
from modules.prompt.extra_networks import parse_prompts as parse_prompts
