"""The document around the page, and the small page before it."""

from __future__ import annotations

import re
from pathlib import Path

from modules.ui import shell, starting


def test_scripts_start_with_what_the_others_build_on() -> None:
    names = [script.name for script in shell.scripts()]
    assert names[0] == "core.js" and sorted(names[1:]) == names[1:] and len(names) > 5


def test_the_document_gets_our_tags_and_names_no_other_host() -> None:
    source = (
        '<html><head><meta property="og:image"\n content="https://example.org/a.jpg"/><link rel="manifest" href="/m.json" />'
        '<meta name="twitter:title" content="x"></head><body><gradio-app></gradio-app></body></html>'
    )
    document = shell.wrap_document(source, "<!--first {{ raw }}-->", "<!--last-->")
    assert "example.org" not in document and "twitter" not in document and "manifest" not in document
    assert document.index("first") < document.index("gradio-app") < document.index("last")


def test_the_theme_flag_is_one_of_two() -> None:
    assert 'const wanted = "dark"' in shell.head("dark")
    assert "const wanted = null" in shell.head("<script>") and "const wanted = null" in shell.head(None)


def test_our_files_name_no_other_host() -> None:
    root = Path(shell.PROGRAM)
    files = [root / "style.css", *root.glob("javascript/*.js"), *root.glob("html/*.html"), *root.glob("modules/ui/**/*.py")]
    urls = {url for file in files for url in re.findall(r"https?://[^\s'\"`)]+", file.read_text(encoding="utf-8"))}
    assert urls <= {"http://www.w3.org/2000/svg"}


def test_the_starting_page_gives_way() -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    state = starting.install(app)
    with TestClient(app) as client:
        assert "Easel is starting" in client.get("/").text
        assert client.get("/internal/startup").json() == {"ready": False, "message": state.message, "error": None}
        state.ready = True
        starting.remove(app)
        assert client.get("/").status_code == 404
        assert client.get("/internal/startup").json()["ready"] is True
