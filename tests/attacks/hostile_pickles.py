"""All hostile and broken pickles; demand.md §4b has where most of the tricks come from."""

from __future__ import annotations

from attacks.hostile_archives import LEGACY, OTHERS, ZIPS
from attacks.hostile_calls import CALLS, PERSISTENT
from attacks.hostile_values import MACHINE, TENSORS

ATTACKS = [*CALLS, *PERSISTENT, *TENSORS, *MACHINE, *ZIPS, *LEGACY, *OTHERS]
