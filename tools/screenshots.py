"""Take the pictures of the page that the documentation shows: `python tools/screenshots.py [--data-dir DIR]`.

Starts a server of its own, draws one picture with a fixed seed, and photographs the page light, dark and on a phone.
Needs an installed Chromium (or one named by the variable CHROMIUM) and the development requirements.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DESKTOP, PHONE = (1360, 900), (390, 844)
SHOTS = (
    ("txt2img-light", "light", DESKTOP),
    ("txt2img-dark", "dark", DESKTOP),
    ("txt2img-phone", "light", PHONE),
)
START_SECONDS = 180


def main() -> int:
    """Take all pictures; returns the exit status."""
    from playwright.sync_api import sync_playwright

    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data-dir", type=Path, help="models to draw with (default: the ones that ship with the program)")
    ask.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    ask.add_argument("--seed", type=int, default=7)
    ask.add_argument("--prompt", help="draw this (default: what the page opens with)")
    ask.add_argument("--size", type=int, help="width and height in pixels (default: what the page opens with)")
    args = ask.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with serving(args.data_dir) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        for name, theme, size in SHOTS:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.goto(f"{url}/?__theme={theme}")
            draw(page, args.seed, args.prompt, args.size)
            page.screenshot(path=args.out / f"{name}.png", full_page=size == PHONE)
            page.close()
            print(args.out / f"{name}.png")
        browser.close()
    return 0


def draw(page: Any, seed: int, prompt: str | None, size: int | None) -> None:
    """Generate with the page's own values, a fixed seed and what else was asked for, and wait until the picture is shown."""
    page.wait_for_selector("#txt2img_token_counter[data-counted]", timeout=60_000)
    if prompt is not None:
        page.fill("#txt2img_prompt textarea", prompt)
    numbers = {"seed": seed, **({"width": size, "height": size} if size else {})}
    for control, value in numbers.items():
        page.fill(f"#txt2img_{control} input[type=number]", str(value))
        page.press(f"#txt2img_{control} input[type=number]", "Tab")
    page.click("#txt2img_generate")
    page.wait_for_selector("#html_info_txt2img .infotext-parameters", timeout=600_000)
    page.wait_for_selector("#txt2img_generate_box:not(.running)")
    page.mouse.move(0, 0)
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    page.wait_for_timeout(800)


def browser_path() -> str:
    """The browser installed here; raises SystemExit where there is none."""
    for name in (os.environ.get("CHROMIUM"), *BROWSERS):
        if name and (found := shutil.which(name)):
            return found
    raise SystemExit("no Chromium here: install one or name it in the variable CHROMIUM")


@contextmanager
def serving(data_dir: Path | None) -> Iterator[str]:
    """A server of our own with outputs in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        source = (data_dir or ROOT).resolve()
        data = Path(folder)
        (data / "models").symlink_to(source / "models")
        (data / "config.json").write_text(json.dumps({"save_to_dirs": False}), encoding="utf-8")
        port = free_port()
        command = [sys.executable, "webui.py", "--port", str(port), "--data-dir", folder]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "BROWSER": "true"})
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the page; raises SystemExit when the server ends or is not ready in time."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/internal/startup", timeout=5) as answer:
                if json.load(answer)["ready"]:
                    return
        except OSError:
            pass
        time.sleep(0.3)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    sys.exit(main())
