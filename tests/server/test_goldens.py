"""Recorded requests sent to the API: same pictures, same infotexts. A part runs always, the rest is slow.

Where the full recording is missing, the cases packed with the tests are what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from golden_cases import SETTINGS, Case, compare, find_cases
from golden_data import FULL, all_of, data_folder, link_tree
from starlette.testclient import TestClient

from modules import flags
from modules.engine.engine import Engine
from modules.server.app import create_app

QUICK_EVERY = 9
STALE = "the original reused the text encoding of an earlier request, made with another comma_padding_backtrack"
CHAOTIC = "chaotic: moving the first latent by 1e-7 changes our own picture as much (docs/parity.md)"
KNOWN = {
    "samplers_batch/dpm_adaptive": CHAOTIC,
    "eta/dpm_adaptive_0.5": CHAOTIC,
    "matrix/dpm_adaptive__ddim": CHAOTIC,
    "samplers_hr/dpm_adaptive": CHAOTIC,
    "zz_fp8/fp8": "37.7 dB: rounding of the original's half-precision products",
    "compat/backtrack0_b": STALE,
    "model/after_norestore": "recorded after model/b_norestore, which comes behind it by name",
    "model/pickle": "the .ckpt it names is not among the recorded models",
    "model/b_vae_clipskip": "the original wrote the hash of another VAE (docs/parity.md)",
    "xyz/vae": "the original wrote the hash of another VAE (docs/parity.md)",
    "lora/y_opt_add": "the original reused the text encoding of the request before it, made without the network",
}
HALF_PRODUCTS = {"lora/tiny-glora", "lora/tiny-lokr", "lora/x_lyco", "lora/y_hr_firstpass_conds", "lora/y_hr_prompt"}
"""Cases whose networks did nothing because the original's torch multiplied no half-precision matrices on a processor."""


def recorded() -> list[Case]:
    return sorted((case for root in all_of("cases") for case in find_cases(root)), key=lambda case: case.name)


def parameters() -> Iterator[pytest.ParameterSet]:
    for index, case in enumerate(recorded()):
        marks = [pytest.mark.slow] if index % QUICK_EVERY else []
        if case.name in KNOWN:
            marks.append(pytest.mark.xfail(reason=KNOWN[case.name], strict=False))
        yield pytest.param(case, marks=marks, id=case.name)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data: Path = tmp_path_factory.mktemp("data")
    link_tree(data_folder(), data)
    settings = flags.parse(["--api", "--nowebui", "--no-half", "--precision", "full", "--data-dir", str(data)])
    engine = Engine(settings)
    engine.options.set("read_pickles", "small files")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with TestClient(create_app(engine, settings), base_url="http://127.0.0.1:7860") as client:
        yield client
    engine.close()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("case", list(parameters()))
def test_the_answer_is_the_recorded_one(case: Case, client: TestClient) -> None:
    if not FULL.is_dir() and (missing := case.names() - {file.stem for file in data_folder().rglob("*")}):
        pytest.skip(f"not packed: {', '.join(sorted(missing))}")
    path, body = case.request()
    client.post("/sdapi/v1/options", json={**SETTINGS, "lora_half_products_as_recorded": case.name in HALF_PRODUCTS})
    answer = client.post(path, json=body)
    verdict = compare(case, answer.status_code, answer.json())
    assert verdict.passed, verdict.faults
