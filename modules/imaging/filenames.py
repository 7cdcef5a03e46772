"""File name patterns such as `[seed]-[prompt_spaces]` (generation.md §9.1)."""

from __future__ import annotations

import datetime
import hashlib
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from PIL import Image

_FORBIDDEN = re.compile(r'[#<>:"/\\|?*\x00-\x1f\x7f]')
_TOKEN = re.compile(r"(.*?)(?:\[([^\[\]]+)\]|$)", re.DOTALL)
_ARGUMENT = re.compile(r"(.*)<([^>]*)>$", re.DOTALL)
_BETWEEN_WORDS = re.compile(rf"[\s{re.escape(string.punctuation)}]+")
DEFAULT_TIME = "%Y%m%d%H%M%S"


class _Skip:
    """Value of a token that vanishes together with the literal text before it."""


SKIP = _Skip()


@dataclass
class NamedPicture:
    """What a file name may speak of. Values left at None make their token stay as it is written."""

    prompt: str = ""
    seed: int | None = None
    image: Image.Image | None = None
    basename: str = ""
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    """The resolved schedule: the sampler's own one where the request says Automatic."""
    model_name: str | None = None
    model_hash: str | None = None
    vae_name: str | None = None
    """File name of a separate VAE."""
    styles: Sequence[str] = ()
    style_texts: Sequence[str] = ()
    """Positive texts of the styles, for `[prompt_no_styles]`."""
    base_prompt: str = ""
    base_negative_prompt: str = ""
    all_seeds: Sequence[int] = ()
    batch_size: int = 1
    batch_count: int = 1
    batch_index: int = 0
    iteration: int = 0
    job_timestamp: str | None = None
    clip_skip: int = 1
    denoising_strength: float | None = None
    user: str | None = None
    archive: bool = False
    """True for the name of a zip of several pictures."""
    max_words: int = 8
    max_length: int = 128
    unix: bool = False
    """`--unix-filenames-sanitization`: only `/` is replaced."""
    now: Callable[[datetime.tzinfo | None], datetime.datetime] = field(default=datetime.datetime.now)

    def clean(self, text: object, *, underscores: bool = False) -> str:
        """A text as part of a file name."""
        return sanitize_filename_part(str(text), underscores=underscores, max_length=self.max_length, unix=self.unix)


def sanitize_filename_part(text: str, *, underscores: bool = True, max_length: int = 128, unix: bool = False) -> str:
    """Text without what file systems forbid, at most `max_length` characters; blanks become `_` where `underscores` says so."""
    if underscores:
        text = text.replace(" ", "_")
    text = text.replace("/", "_").replace("\0", "_") if unix else _FORBIDDEN.sub("_", text)
    return text.lstrip(" ")[:max_length].rstrip(" .")


def apply_pattern(pattern: str, picture: NamedPicture) -> str:
    """The pattern with every known token replaced; unknown ones stay in their brackets, without arguments."""
    result = ""
    for match in _TOKEN.finditer(pattern):
        literal, token = match.groups()
        if token is None:
            result += literal
            continue
        name, arguments = _split_arguments(token)
        value = _value(name, arguments, picture)
        if isinstance(value, _Skip):
            continue
        result += literal + (f"[{name}]" if value is None else str(value))
    return result


def _split_arguments(token: str) -> tuple[str, list[str]]:
    arguments: list[str] = []
    while match := _ARGUMENT.match(token):
        token, argument = match.groups()
        arguments.insert(0, argument)
    return token, arguments


def _value(name: str, arguments: list[str], picture: NamedPicture) -> object:
    token = TOKENS.get(name.lower())
    try:
        return None if token is None else token(picture, arguments)
    except Exception:  # A1111: a token that fails is printed as it stands
        return None


def _digest(text: str, arguments: list[str]) -> str:
    length = int(arguments[0]) if arguments and arguments[0] else 8
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _image_hash(p: NamedPicture, arguments: list[str]) -> str | None:
    length = int(arguments[0]) if arguments and arguments[0] else None
    return None if p.image is None else hashlib.sha256(p.image.tobytes()).hexdigest()[:length]


def _datetime(p: NamedPicture, arguments: list[str]) -> str:
    pattern = arguments[0] if arguments and arguments[0] else DEFAULT_TIME
    try:
        zone = ZoneInfo(arguments[1]) if len(arguments) > 1 else None
    except (ValueError, OSError, LookupError):
        zone = None
    moment = p.now(zone)
    try:
        text = moment.strftime(pattern)
    except ValueError:
        text = moment.strftime(DEFAULT_TIME)
    return p.clean(text)


def _words(p: NamedPicture, _: list[str]) -> str:
    words = [word for word in _BETWEEN_WORDS.split(p.prompt) if word] or ["empty"]
    return p.clean(" ".join(words[: p.max_words]))


def _no_styles(p: NamedPicture, _: list[str]) -> str:
    prompt = p.prompt
    for text in p.style_texts:
        for part in text.split("{prompt}"):
            prompt = (prompt.replace(part, "") if part else prompt).replace(", ,", ",").strip().strip(",")
    return p.clean(prompt.strip())


def _has_prompt(p: NamedPicture, arguments: list[str]) -> str:
    prompt = p.prompt.lower()
    found = ""
    for argument in arguments:
        word, _, otherwise = argument.partition("|")
        if argument:
            found += word.lower() if word.lower() in prompt else otherwise
    return p.clean(found, underscores=True)


def _seed_last(p: NamedPicture, _: list[str]) -> object:
    return SKIP if p.batch_size == 1 else p.all_seeds[-1]


def _batch_number(p: NamedPicture, _: list[str]) -> object:
    return SKIP if p.batch_size == 1 or p.archive else p.batch_index + 1


def _generation_number(p: NamedPicture, _: list[str]) -> object:
    if p.archive or p.batch_size * p.batch_count == 1:
        return SKIP
    return p.iteration * p.batch_size + p.batch_index + 1


def _styles(p: NamedPicture, _: list[str]) -> str:
    return p.clean(", ".join(style for style in p.styles if style != "None") or "None")


def _scheduler(p: NamedPicture, _: list[str]) -> str | None:
    return None if p.scheduler is None else p.clean(p.scheduler.capitalize())


def _sampler_scheduler(p: NamedPicture, _: list[str]) -> str | None:
    return None if p.sampler is None or p.scheduler is None else p.clean(f"{p.sampler} {p.scheduler.capitalize()}")


def _cleaned(value: object, p: NamedPicture) -> str | None:
    return None if value is None else p.clean(value)


TOKENS: dict[str, Callable[[NamedPicture, list[str]], object]] = {
    "basename": lambda p, _: p.basename or "img",
    "seed": lambda p, _: "" if p.seed is None else p.seed,
    "seed_first": lambda p, _: p.seed if p.batch_size == 1 else p.all_seeds[0],
    "seed_last": _seed_last,
    "steps": lambda p, _: p.steps,
    "cfg": lambda p, _: p.cfg_scale,
    "width": lambda p, _: p.image.width if p.image else None,
    "height": lambda p, _: p.image.height if p.image else None,
    "styles": _styles,
    "sampler": lambda p, _: _cleaned(p.sampler, p),
    "scheduler": _scheduler,
    "sampler_scheduler": _sampler_scheduler,
    "model_hash": lambda p, _: p.model_hash,
    "model_name": lambda p, _: _cleaned(p.model_name, p),
    "date": lambda p, _: p.now(None).strftime("%Y-%m-%d"),
    "datetime": _datetime,
    "job_timestamp": lambda p, _: p.job_timestamp,
    "prompt_hash": lambda p, arguments: _digest(p.prompt, arguments),
    "negative_prompt_hash": lambda p, arguments: _digest(p.base_negative_prompt, arguments),
    "full_prompt_hash": lambda p, arguments: _digest(f"{p.base_prompt} {p.base_negative_prompt}", arguments),
    "prompt": lambda p, _: p.clean(p.prompt, underscores=True),
    "prompt_spaces": lambda p, _: p.clean(p.prompt),
    "prompt_no_styles": _no_styles,
    "prompt_words": _words,
    "batch_number": _batch_number,
    "batch_size": lambda p, _: p.batch_size,
    "generation_number": _generation_number,
    "hasprompt": _has_prompt,
    "clip_skip": lambda p, _: p.clip_skip,
    "denoising": lambda p, _: p.denoising_strength or SKIP,
    "user": lambda p, _: _cleaned(p.user, p),
    "vae_filename": lambda p, _: p.clean(p.vae_name.split(".")[0]) if p.vae_name else "NoneType",
    "none": lambda p, _: "",
    "image_hash": _image_hash,
}
"""Token (lower case) to its value; None prints the token itself, SKIP drops it with the text before it."""
