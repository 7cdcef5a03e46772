"""A mistake in a request that only sampling notices is the user's, and is told in a sentence."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from modules.diffusion.errors import InvalidSteps, TooFewSteps
from modules.pipeline.processing import RequestError
from modules.prompt.errors import PromptError
from modules.server.errors import install_handlers


@pytest.mark.parametrize(
    "error",
    [
        TooFewSteps("DPM++ 3M SDE needs 2 steps"),
        InvalidSteps("0 steps make no picture"),
        PromptError("'1.2.3' is no weight", "1.2.3"),
        RequestError("width", "must be at least 8"),
    ],
)
def test_it_is_a_422_with_the_sentence(error: Exception) -> None:
    app = FastAPI()
    install_handlers(app)

    @app.get("/fails")
    def fails() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/fails")
    assert answer.status_code == 422
    assert answer.json()["detail"] == str(error)
    assert answer.json()["error"] == type(error).__name__
