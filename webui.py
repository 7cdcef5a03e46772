"""Entry: `webui.py [COMMAND] [flags]`. Without a command it serves the page and, with `--api`, the HTTP API."""

from __future__ import annotations

import sys

COMMANDS = {name: f"modules.commands.{name}" for name in ("convert", "merge", "score", "serve", "txt2img", "upscale")}


def main(argv: list[str]) -> int:
    """Run a command, `serve` by default; an error a user can mend is one sentence and exit status 1."""
    import importlib

    from modules.commands.errors import is_for_the_user

    name, rest = (argv[0], argv[1:]) if argv and argv[0] in COMMANDS else ("serve", argv)
    try:
        return int(importlib.import_module(COMMANDS[name]).main(rest))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not is_for_the_user(error):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
