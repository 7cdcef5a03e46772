"""Learning-rate schedules against the recorded ones."""

from __future__ import annotations

import json
import re

import pytest
from golden_data import golden

from modules.training.learn_schedule import BadLearnSchedule, parse_learn_schedule


def test_the_recorded_schedules() -> None:
    recorded = json.loads(golden("pure", "learn_schedule.json").read_text("utf-8"))
    assert recorded
    for name, wanted in recorded.items():
        found = re.fullmatch(r"(.*) max=(\d+) cur=(\d+)", name)
        assert found
        text, longest, now = found[1], int(found[2]), int(found[3])
        if isinstance(wanted, dict):
            with pytest.raises(BadLearnSchedule, match="learning rate"):
                parse_learn_schedule(text, longest, now)
        else:
            assert [list(pair) for pair in parse_learn_schedule(text, longest, now)] == wanted, name


def test_an_unreadable_rate_is_named() -> None:
    with pytest.raises(BadLearnSchedule, match="'fast'"):
        parse_learn_schedule("0.1:10, fast", 100)
