"""The HTML document around Gradio's application: our scripts first, our style last, nothing from elsewhere.

Gradio adds its `head` argument from JavaScript, when the page already runs. Scripts that extensions build on
must be there earlier and in order, so the document's template itself is extended where it is loaded.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

PROGRAM = Path(__file__).resolve().parents[2]
ASSETS_ROUTE = "/webui-assets"
THEMES = ("dark", "light")

SET_THEME = """<script>(function () {{
  const wanted = {theme};
  const url = new URL(location.href);
  if (wanted && !url.searchParams.has("__theme")) {{
    url.searchParams.set("__theme", wanted);
    history.replaceState(null, "", url);
  }}
  const theme = url.searchParams.get("__theme");
  if (theme) document.documentElement.style.colorScheme = theme;
}})();</script>"""


def scripts() -> list[Path]:
    """The page's scripts in the order they run: what the others build on first."""
    files = sorted((PROGRAM / "javascript").glob("*.js"))
    return sorted(files, key=lambda file: file.name != "core.js")


def head(theme: str | None = None) -> str:
    """Tags for the start of `<head>`: theme, translations, scripts."""
    tags = ["<script>window.localization = {};</script>"]
    tags.append(SET_THEME.format(theme=json.dumps(theme if theme in THEMES else None)))
    tags.append('<meta name="referrer" content="no-referrer">')
    tags += [f'<script src="{html.escape(asset_url(file))}"></script>' for file in scripts()]
    return "\n".join(tags)


def body_end(styles: Iterable[str]) -> str:
    """Tags for the end of `<body>`: style sheets, so that they win over Gradio's at equal weight."""
    return "\n".join(f'<link rel="stylesheet" href="{html.escape(url)}">' for url in styles)


def asset_url(file: Path) -> str:
    """Address of a file of ours; changes with the file, so that browsers may keep it."""
    return f".{ASSETS_ROUTE}/{file.relative_to(PROGRAM).as_posix()}?{int(file.stat().st_mtime)}"


def wrap_document(document: str, first: str, last: str) -> str:
    """Put `first` at the start of the head and `last` at the end of the body; drop tags that name other hosts."""
    document = re.sub(r"<meta\s[^>]*?(?:og:|twitter:)[^>]*?/?>\s*", "", document)
    document = re.sub(r'<link rel="manifest"[^>]*>\s*', "", document)
    document = document.replace("<head>", f"<head>\n{{% raw %}}{first}{{% endraw %}}", 1)
    return document.replace("</body>", f"{{% raw %}}{last}{{% endraw %}}\n</body>", 1)


def install_document(first: str, last: str) -> None:
    """Make Gradio serve its document with our tags."""
    import gradio.routes
    import jinja2

    class Document(jinja2.BaseLoader):
        def __init__(self, inner: jinja2.BaseLoader) -> None:
            self.inner = inner

        def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
            source, name, uptodate = self.inner.get_source(environment, template)
            return (wrap_document(source, first, last) if template.endswith("index.html") else source), name, uptodate

    environment: Any = gradio.routes.templates.env
    inner = environment.loader.inner if hasattr(environment.loader, "inner") else environment.loader
    environment.loader = Document(inner)
    environment.cache.clear()


def mount_assets(app: FastAPI, user_css: Path | None) -> list[str]:
    """Serve the scripts and style sheets; returns the style sheets' addresses in order."""
    from fastapi.responses import FileResponse
    from fastapi.staticfiles import StaticFiles

    app.mount(f"{ASSETS_ROUTE}/javascript", StaticFiles(directory=PROGRAM / "javascript"), name="javascript")

    async def style() -> FileResponse:
        return FileResponse(PROGRAM / "style.css", media_type="text/css")

    app.add_api_route(f"{ASSETS_ROUTE}/style.css", style, include_in_schema=False)
    urls = [asset_url(PROGRAM / "style.css")]
    if user_css is not None and user_css.is_file():

        async def user_style() -> FileResponse:
            return FileResponse(user_css, media_type="text/css")

        app.add_api_route(f"{ASSETS_ROUTE}/user.css", user_style, include_in_schema=False)
        urls.append(f".{ASSETS_ROUTE}/user.css?{int(user_css.stat().st_mtime)}")
    return urls
