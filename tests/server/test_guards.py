"""Who may use the server: hosts, origins, passwords, sizes."""

from __future__ import annotations

import base64
import io
import json

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.server.auth import AuthFlagError, parse_credentials
from modules.server.origins import host_name
from modules.server.pictures import decode_image

OPTIONS = "/sdapi/v1/options"


@pytest.mark.parametrize("host", ["127.0.0.1:7861", "localhost", "[::1]:7861", "127.1.2.3", "LOCALHOST:80", "app.localhost"])
def test_own_names_pass(client, host: str) -> None:
    assert client.get(OPTIONS, headers={"host": host}).status_code == 200
    assert client.post(OPTIONS, json={}, headers={"host": host, "origin": f"http://{host}"}).status_code == 200


FOREIGN = ["evil.example", "evil.example:7861", "127.0.0.1.evil.example", "192.168.0.9", "localhost.evil.example", "a@localhost"]


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_are_refused_on_a_local_server(client, host: str) -> None:
    for answer in (client.get(OPTIONS, headers={"host": host}), client.post(OPTIONS, json={}, headers={"host": host})):
        assert answer.status_code == 403
        assert "--cors-allow-origins" in answer.json()["detail"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1.evil.example:7861", "file://"])
def test_other_origins_may_read_nothing_and_change_nothing(client, engine, origin: str) -> None:
    answer = client.post(OPTIONS, json={"jpeg_quality": 3}, headers={"origin": origin})
    assert answer.status_code == 403 and engine.options.jpeg_quality == 80
    assert "access-control-allow-origin" not in client.get(OPTIONS, headers={"origin": origin}).headers


def test_cross_site_without_origin_is_refused(client) -> None:
    assert client.post(OPTIONS, json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post(OPTIONS, json={}, headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_allowed_origins_may(make_client) -> None:
    client = make_client(cors_allow_origins="https://friend.example, https://b.example/", cors_allow_origins_regex=r"https://.*\.ok\.example")
    for origin in ("https://friend.example", "https://b.example", "https://x.ok.example"):
        answer = client.post(OPTIONS, json={}, headers={"origin": origin})
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == origin
    assert client.post(OPTIONS, json={}, headers={"origin": "https://x.ok.example.evil.example"}).status_code == 403
    assert client.get(OPTIONS, headers={"host": "friend.example"}).status_code == 200
    preflight = {"origin": "https://friend.example", "access-control-request-method": "POST"}
    assert client.options(OPTIONS, headers=preflight).status_code == 200
    assert make_client(cors_allow_origins="*").post(OPTIONS, json={}, headers={"origin": "https://any.example"}).status_code == 200


def test_a_listening_server_knows_its_networks_names(make_client) -> None:
    client = make_client(listen=True)
    for host in ("192.168.0.9:7861", "mypc", "mypc.local:7861", "[fe80::1]", "nas.home.arpa"):
        assert client.post(OPTIONS, json={}, headers={"host": host, "origin": f"http://{host}"}).status_code == 200, host
    assert client.post(OPTIONS, json={}, headers={"host": "evil.example"}).status_code == 403
    assert client.get(OPTIONS, headers={"host": "evil.example"}).status_code == 200


def test_behind_a_proxy(make_client) -> None:
    client = make_client(listen=True, cors_allow_origins="https://sd.example")
    headers = {"host": "127.0.0.1:7861", "x-forwarded-host": "sd.example", "origin": "https://sd.example"}
    assert client.post(OPTIONS, json={}, headers=headers).status_code == 200
    assert make_client().post(OPTIONS, json={}, headers=headers).status_code == 200


def test_passwords(make_client) -> None:
    client = make_client(api_auth="kim:s:ecret,lee:x")
    for header, detail in (
        (None, "Not authenticated"),
        ("Basic !!!", "Invalid authentication credentials"),
        ("Basic " + base64.b64encode(b"kim").decode(), "Invalid authentication credentials"),
        ("Basic " + base64.b64encode(b"kim:x").decode(), "Incorrect username or password"),
        ("Basic " + base64.b64encode(b"no:").decode(), "Incorrect username or password"),
        ("Bearer x", "Not authenticated"),
    ):
        answer = client.get(OPTIONS, headers={"authorization": header} if header else {})
        assert (answer.status_code, answer.json()["detail"]) == (401, detail)
        assert answer.headers["www-authenticate"] == "Basic"
    for name, password in (("kim", "s:ecret"), ("lee", "x")):
        assert client.get(OPTIONS, auth=(name, password)).status_code == 200


@pytest.mark.parametrize("text", ["kim", "kim:", ":x", " , "])
def test_unreadable_passwords_are_said_at_the_start(text: str) -> None:
    with pytest.raises(AuthFlagError, match="name:password"):
        parse_credentials(text)
    assert parse_credentials(None) == {}


def test_large_bodies_are_refused_announced_or_not(client, engine, monkeypatch) -> None:
    monkeypatch.setattr("modules.server.layers.MAX_BODY", 1000)
    body = json.dumps({"outdir_samples": "x" * 2000}).encode()
    headers = {"content-type": "application/json"}
    for content in (body, iter([body[:500], body[500:]])):
        answer = client.post(OPTIONS, content=content, headers=headers)
        assert answer.status_code == 413 and "larger than" in answer.json()["detail"]
    assert engine.options.outdir_samples == ""
    assert client.post(OPTIONS, content=iter([b'{"jpeg_', b'quality": 5}']), headers=headers).status_code == 200
    assert engine.options.jpeg_quality == 5


def test_process_time_and_gzip(client) -> None:
    answer = client.get(OPTIONS, headers={"accept-encoding": "gzip"})
    assert float(answer.headers["x-process-time"]) >= 0 and len(answer.headers["x-process-time"].split(".")[1]) == 4
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in client.get("/sdapi/v1/scripts", headers={"accept-encoding": "gzip"}).headers


def test_the_log(make_client, capsys) -> None:
    client = make_client(api_log=True)
    client.get("/sdapi/v1/scripts")
    client.get("/openapi.json")
    client.get("/sdapi/v1/a%0Ab")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and " 200 " in lines[0] and "GET /sdapi/v1/scripts" in lines[0] and "\\n" in lines[1]


def png(size: tuple[int, int] = (8, 8), **info: str) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in info.items():
        chunks.add_text(key, value)
    buffer = io.BytesIO()
    Image.new("1", size).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def test_png_info_as_recorded(client) -> None:
    recorded = json.loads((golden("cases", "extras", "png_info") / "response.json").read_text())
    image = base64.b64encode(golden("inputs", "with_info.png").read_bytes()).decode()
    for text in (image, "data:image/png;base64," + image):
        answer = client.post("/sdapi/v1/png-info", json={"image": text}).json()
        assert answer["info"] == recorded["info"]
        assert {key: answer[key] for key in ("items", "parameters")} == recorded["other"]


def test_png_info_of_a_plain_picture(client) -> None:
    answer = client.post("/sdapi/v1/png-info", json={"image": base64.b64encode(png()).decode()}).json()
    assert answer["info"] == "" and answer["parameters"]["Prompt"] == "" and answer["parameters"]["Hires resize-1"] == 0


def noisy_png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("zzzz", "Invalid encoded image"),
        ("", "Invalid encoded image"),
        ("§", "Invalid encoded image"),
        ("data:image/png;base64,", "Invalid encoded image"),
        (base64.b64encode(noisy_png()[:3000]).decode(), "Invalid encoded image"),
        ("http://127.0.0.1/x.png", "not fetched"),
        (base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode(), "Invalid encoded image"),
        (base64.b64encode(png((20000, 20000))).decode(), "pixels"),
    ],
)
def test_bad_pictures_are_told_with_the_field(client, image: str, words: str) -> None:
    answer = client.post("/sdapi/v1/png-info", json={"image": image})
    assert answer.status_code == 422 and words in answer.json()["detail"] and answer.json()["detail"].startswith("image: ")


@given(st.binary(max_size=100), st.integers(0, 60))
def test_damaged_pictures_never_break_the_reader(junk: bytes, place: int) -> None:
    from fastapi import HTTPException

    whole = png((16, 16), parameters="x")
    damaged = whole[:place] + junk + whole[place + len(junk) :]
    try:
        decode_image(base64.b64encode(damaged).decode(), "image", max_pixels=10_000)
    except HTTPException as error:
        assert error.status_code == 422


@given(st.text(max_size=30))
def test_any_host_header_is_read(host: str) -> None:
    assert isinstance(host_name(host), str)


def test_host_names() -> None:
    assert [host_name(host) for host in ("A.b:80", "[::1]:7", "::1", "x.", "x", ":80")] == ["a.b", "::1", "::1", "x", "x", ":80"]
