"""The prompt language (platform.md §4.14)."""

from __future__ import annotations

from modules.prompt.attention import parse_prompt_attention as parse_prompt_attention
from modules.prompt.composition import get_multicond_prompt_list as get_multicond_prompt_list
from modules.prompt.editing import get_learned_conditioning_prompt_schedules as get_learned_conditioning_prompt_schedules
