"""Prompt editing `[from:to:when]` and alternation `[a|b]`: which text holds at which step.

One pass finds the constructs, innermost first, in time linear in the text's length; nothing recurses, so nesting has no limit.
A closing bracket that completes no construct makes every bracket still open around it literal text too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Schedule = list[tuple[int, str]]  # (last step, text), ends ascending
T = TypeVar("T")

_TOKEN = re.compile(r"[^\\\[\]():|]+|\\.|[\[\]():|]")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")


@dataclass(frozen=True)
class Construct:
    """One construct in a token list: the positions where its options begin and where the text goes on behind it.

    `when` is the switch's number as typed (then the options are before and after), None for an alternation.
    """

    options: tuple[int, ...]
    end: int
    when: str | None = None


@dataclass
class EditedPrompt:
    """A prompt's tokens, its constructs by the position of their opening bracket, and its exits.

    `exits` maps the separators and closing brackets that end an option to the position where the text goes on.
    """

    tokens: list[str]
    constructs: dict[int, Construct] = field(default_factory=dict)
    exits: dict[int, int] = field(default_factory=dict)

    def text_at(self, step: int, switches: dict[int, int]) -> str:
        """The text at planned step 1, 2, …; `switches` holds each scheduled construct's last step of its first option."""
        pieces = []
        at = 0
        while at < len(self.tokens):
            construct = self.constructs.get(at)
            if construct is not None:
                at = construct.options[self._choice(construct, step, switches.get(at))]
            elif at in self.exits:
                at = self.exits[at]
            else:
                pieces.append(self.tokens[at])
                at += 1
        return "".join(pieces)

    def _choice(self, construct: Construct, step: int, switch: int | None) -> int:
        if switch is None:
            return (step - 1) % len(construct.options)
        return 0 if step <= switch else 1

    def add(self, opening: int, construct: Construct, separators: Sequence[int]) -> None:
        """Enter a construct whose options end at `separators`."""
        self.constructs[opening] = construct
        self.exits.update(dict.fromkeys(separators, construct.end))


@dataclass
class _Open:
    """A bracket not closed yet, and the separators directly inside it."""

    at: int
    round: bool
    colons: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)


def parse(text: str) -> EditedPrompt | None:
    """The constructs in `text`; None where the whole text is to be taken literally.

    A1111: that is so with a `|` outside every alternation, a backslash at the end, and a backslash before a line break.
    """
    tokens = _TOKEN.findall(text)
    if sum(map(len, tokens)) != len(text):
        return None
    prompt = EditedPrompt(tokens)
    stack: list[_Open] = []
    for at, token in enumerate(tokens):
        if token in ("(", "["):
            stack.append(_Open(at, token == "("))
        elif token == "|":
            if not stack or stack[-1].round:
                return None
            stack[-1].bars.append(at)
        elif token == ":" and stack:
            stack[-1].colons.append(at)
        elif token in (")", "]") and stack:
            if _close(prompt, stack[-1], at):
                stack.pop()
            elif any(bracket.bars for bracket in stack):
                return None
            else:
                stack.clear()
    return None if any(bracket.bars for bracket in stack) else prompt


def _close(prompt: EditedPrompt, bracket: _Open, at: int) -> bool:
    """Whether the closing bracket at `at` makes a whole of `bracket`; a construct is entered into `prompt`."""
    opening, colons, bars = bracket.at, bracket.colons, bracket.bars
    if bracket.round or prompt.tokens[at] == ")":
        return bracket.round and prompt.tokens[at] == ")" and len(colons) <= 1
    if not colons:
        if bars:
            options = tuple(separator + 1 for separator in (opening, *bars))
            prompt.add(opening, Construct(options, at + 1), (*bars, at))
        return True
    number = _NUMBER.fullmatch(prompt.tokens[at - 1]) if at - colons[-1] == 2 else None
    if bars or number is None or len(colons) > 2:
        return False
    options = (opening + 1, colons[0] + 1) if len(colons) == 2 else (at + 1, opening + 1)
    prompt.add(opening, Construct(options, at + 1, number[1]), colons)
    return True


def switch_step(when: str, base_steps: int, hires_steps: int | None = None, use_old_scheduling: bool = False) -> int:
    """The last planned step of a switch's first option; below 1: never shown; at most the number of planned steps.

    A number with a dot is a share of the pass, one without a step. In the second pass both go on counting from the first,
    except with the old scheduling (before 1.6.0), which counts every number below 1 as a share and knows one pass only.
    """
    number = float(when)
    if hires_steps is None or use_old_scheduling:
        steps, passed_share, passed_steps = base_steps, 0, 0
    else:
        steps, passed_share, passed_steps = hires_steps, 1, base_steps
    share = number < 1 if use_old_scheduling else "." in when
    step = (number - passed_share) * steps if share else number - passed_steps
    return int(min(steps, max(-1.0, step)))


def prompt_schedule(prompt: str, base_steps: int, hires_steps: int | None = None, use_old_scheduling: bool = False) -> Schedule:
    """The texts of one prompt as (last step, text); one pass of `base_steps`, or the second of `hires_steps` evaluations."""
    steps = base_steps if hires_steps is None or use_old_scheduling else hires_steps
    parsed = parse(prompt)
    if parsed is None:
        return [(steps, prompt)]
    switches = {
        at: switch_step(construct.when, base_steps, hires_steps, use_old_scheduling)
        for at, construct in parsed.constructs.items()
        if construct.when is not None
    }
    ends = {steps, *(step for step in switches.values() if step >= 1)}
    if len(switches) < len(parsed.constructs):
        ends.update(range(1, steps + 1))
    return [(end, parsed.text_at(end, switches)) for end in sorted(ends)]


def get_learned_conditioning_prompt_schedules(
    prompts: Sequence[str], base_steps: int, hires_steps: int | None = None, use_old_scheduling: bool = False
) -> list[list[list[int | str]]]:
    """`prompt_schedule` of several prompts, in A1111's shape: lists of [last step, text]; equal prompts share one list."""
    schedules: dict[str, list[list[int | str]]] = {}
    for prompt in prompts:
        if prompt not in schedules:
            schedules[prompt] = [list(entry) for entry in prompt_schedule(prompt, base_steps, hires_steps, use_old_scheduling)]
    return [schedules[prompt] for prompt in prompts]


def schedule_index(ends: Sequence[int], evaluation: int) -> int:
    """Which entry of a schedule with these ends holds at evaluation 0, 1, …: the first that has not ended."""
    # A1111: evaluations count from 0 and steps from 1, so the first entry lasts one evaluation longer;
    # beyond the last end (DPM adaptive, some DDIM step counts) the first entry comes back.
    return next((index for index, end in enumerate(ends) if evaluation <= end), 0)


def schedule_at(schedule: Sequence[tuple[int, T]], evaluation: int) -> T:
    """What a schedule of (last step, anything) holds at evaluation 0, 1, …, by the rule of `schedule_index`."""
    return schedule[schedule_index([end for end, _ in schedule], evaluation)][1]
