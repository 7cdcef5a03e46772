"""`/easel/v1/dictionary` over HTTP."""

from __future__ import annotations

from starlette.testclient import TestClient

URL = "/easel/v1/dictionary"


def test_the_dictionary_comes_in_both_languages(client: TestClient) -> None:
    english, korean = client.get(URL).json(), client.get(URL, params={"lang": "ko"}).json()
    assert [category["id"] for category in english["categories"]][:2] == ["subject", "hair_color"]
    assert english["categories"][3]["values"][1]["label"] == "Pony tail"
    assert korean["categories"][3]["values"][1]["label"] == "포니 테일"
    assert client.get(URL, params={"lang": "xx"}).status_code == 422


def test_choices_make_a_prompt(client: TestClient) -> None:
    body = {"choices": {"hair_color": "pink", "outfit": "maid_uniform", "outfit_color": "pink"}, "seed": 3}
    answer = client.post(f"{URL}/prompt", json=body).json()
    assert "pink hair" in answer["prompt"]
    assert "pink maid uniform" in answer["prompt"]
    assert answer["negative_prompt"].startswith("(nsfw:2), lowres")
    assert answer["drawn"] == ["eye_color"]


def test_a_conflict_is_409_and_says_with_what(client: TestClient) -> None:
    answer = client.post(f"{URL}/prompt", json={"choices": {"hair_style": ["pony_tail", "bun"]}})
    assert answer.status_code == 409
    assert answer.json()["category"] == "hair_style"
    assert answer.json()["choices"] == ["pony_tail", "bun"]
    assert client.post(f"{URL}/prompt", json={"choices": {"hair_style": "mohawk"}}).status_code == 422


def test_a_character_is_an_infotext(client: TestClient) -> None:
    answer = client.get(f"{URL}/characters/ahri", params={"lang": "ko"}).json()
    assert answer["label"] == "아리"
    assert answer["parameters"]["Steps"] == "13"
    assert client.get(f"{URL}/characters/nobody").status_code == 422
