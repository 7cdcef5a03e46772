"""Comments in prompts: the pipeline takes them out of jobs, this one out of what the token counter counts."""

from __future__ import annotations

from modules import events
from modules.extend import host
from modules.extend.script import AlwaysVisible, Script
from modules.prompt.comments import strip_comments


class ScriptComments(Script):
    """Present in lists of scripts; without controls or arguments."""

    def title(self) -> str:
        return "Comments"

    def show(self, is_img2img: bool) -> object:
        return AlwaysVisible


def before_token_counter(params: events.BeforeTokenCounterParams) -> None:
    """Count the text without its comments."""
    if host.current().engine.options.enable_prompt_comments:
        params.prompt = strip_comments(params.prompt)


events.callbacks.add("before_token_counter", before_token_counter)
