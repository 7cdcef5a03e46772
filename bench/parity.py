"""The score: recorded requests of A1111 1.10.1 sent to Easel, and how the answers compare, group by group.

`./webui.sh score` (or `python bench/parity.py`) runs everything in this process on a copy of the recorded data folder;
`--url http://127.0.0.1:7860` asks a running server instead. `--only img2img,hires/lanczos` chooses cases by the beginning
of their names, `--cases DIR` another recording. The recording beside the checkout is used, else what is packed with the tests.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from golden_cases import SETTINGS, Case, Verdict, compare, find_cases  # noqa: E402
from golden_data import all_of, data_folder, link_tree  # noqa: E402

Ask = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]
TIMEOUT = 300.0


@contextmanager
def in_process() -> Iterator[Ask]:
    """An engine of our own on a copy of the data folder, in float32 on one thread of the CPU, as the recordings were made."""
    import torch
    from starlette.testclient import TestClient

    from modules import flags
    from modules.engine.engine import Engine
    from modules.server.app import create_app

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="easel-parity-") as data:
        link_tree(data_folder(), Path(data))
        settings = flags.parse(["--api", "--nowebui", "--no-half", "--precision", "full", "--use-cpu", "all", "--data-dir", data])
        engine = Engine(settings)
        with TestClient(create_app(engine, settings), base_url="http://127.0.0.1:7860", raise_server_exceptions=False) as client:

            def ask(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
                answer = client.post(path, json=body)
                is_json = answer.headers.get("content-type", "").startswith("application/json")
                return answer.status_code, (answer.json() or {}) if is_json else {}

            yield ask
        engine.close()


def over_http(url: str) -> Ask:
    """A running server."""

    def ask(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(url.rstrip("/") + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, json.loads(answer.read()) or {}
        except urllib.error.HTTPError as error:
            return error.code, {}

    return ask


def score(ask: Ask, cases: list[Case]) -> dict[str, Verdict]:
    """A verdict for every case, in order; what fails is printed at once."""
    ask("/sdapi/v1/options", SETTINGS)
    verdicts = {}
    for case in cases:
        verdict = verdicts[case.name] = compare(case, *ask(*case.request()))
        if not verdict.passed:
            print(f"  {case.name}: {'; '.join(verdict.faults)[:400]}", flush=True)
    return verdicts


def table(verdicts: dict[str, Verdict]) -> str:
    """Passed and counted for every group, and for all."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for name, verdict in verdicts.items():
        groups[name.split("/")[0]].append(verdict)
    lines = [f"{name:24}{sum(v.passed for v in group):5} of {len(group)}" for name, group in groups.items()]
    count, passed = len(verdicts), sum(v.passed for v in verdicts.values())
    equal = sum(v.worst_db == math.inf for v in verdicts.values())
    told = sum(v.same_infotext for v in verdicts.values())
    share = 100 / max(count, 1)
    lines.append(f"passed {passed} of {count} ({passed * share:.1f} %), equal pixels {equal}, infotext equal {told} ({told * share:.1f} %)")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--only", default="", metavar="GROUP[/NAME],…")
    ask.add_argument("--url", help="a running server, started with --api, on the recorded data folder")
    ask.add_argument("--cases", type=Path, help="folder of recorded cases")
    ask.add_argument("--json", type=Path, help="also write the verdicts here")
    args = ask.parse_args(argv)
    roots = [args.cases] if args.cases else all_of("cases")
    cases = [case for root in roots for case in find_cases(root, tuple(args.only.split(",")))]
    if args.url:
        verdicts = score(over_http(args.url), cases)
    else:
        with in_process() as local:
            verdicts = score(local, cases)
    print(table(verdicts))
    if args.json:
        rows = {name: {"passed": v.passed, "worst_db": min(v.worst_db, 999.0), "faults": v.faults} for name, v in verdicts.items()}
        args.json.write_text(json.dumps(rows, indent=1))
    return 0 if verdicts and all(v.passed for v in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
