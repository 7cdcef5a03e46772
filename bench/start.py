"""How long a start takes: to the open port, to the usable page, to the first picture; beside a bare Gradio page.

    python bench/start.py [--rounds 3] [--json FILE]

Both programs start in turns, in processes of their own. Prints medians, and the ratio to the bare page, which
imports Gradio and shows one textbox.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE_PAGE = """
import sys, gradio as gr
with gr.Blocks() as page:
    gr.Textbox()
page.launch(server_port=int(sys.argv[1]), quiet=True)
"""
PICTURE = {"prompt": "1girl, pink hair, smile", "steps": 20, "width": 128, "height": 128, "seed": 1}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, start: float) -> float:
    """Seconds from `start` until something listens."""
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter() - start
        time.sleep(0.01)


def answer(port: int, path: str, body: dict | None = None) -> dict:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.loads(reply.read())


def easel() -> dict[str, float]:
    port = free_port()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as data:
        words = [sys.executable, str(ROOT / "webui.py"), "--api", "--port", str(port), "--data-dir", data]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            times = {"port": wait_for_port(port, start)}
            while not answer(port, "/internal/startup")["ready"]:
                time.sleep(0.05)
            times["page"] = time.perf_counter() - start
            answer(port, "/sdapi/v1/txt2img", PICTURE)
            times["first picture after start"] = time.perf_counter() - start
            again = time.perf_counter()
            answer(port, "/sdapi/v1/txt2img", PICTURE | {"seed": 2})
            times["20 steps, model loaded"] = time.perf_counter() - again
        finally:
            process.terminate()
            process.wait(30)
    return times


def bare_page() -> dict[str, float]:
    port = free_port()
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", BARE_PAGE, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return {"page": wait_for_port(port, start)}
    finally:
        process.kill()
        process.wait(30)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    ours, bare = [], []
    for _ in range(args.rounds):
        ours.append(easel())
        bare.append(bare_page()["page"])
    medians = {name: statistics.median(run[name] for run in ours) for name in ours[0]}
    peer = statistics.median(bare)
    for name, seconds in medians.items():
        print(f"{name:28} {seconds:6.2f} s")
    print(f"{'bare Gradio page':28} {peer:6.2f} s    our page / bare page: {medians['page'] / peer:.2f}")
    if args.json:
        args.json.write_text(json.dumps({**medians, "bare Gradio page": peer}, indent=1))


if __name__ == "__main__":
    main()
