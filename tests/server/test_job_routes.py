"""`/easel/v1/jobs` over the real queue and an engine that draws plain pictures."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawing import Drawing, Result, drawing_engine
from PIL import Image
from starlette.testclient import TestClient

from modules.engine.engine import Engine
from modules.server.app import create_app
from modules.server.job_kinds import register_builders

JOBS = "/easel/v1/jobs"


class Server:
    """An engine and a client of the API over it."""

    def __init__(self, data: Path) -> None:
        self.engine: Engine
        self.drawing: Drawing
        self.engine, self.drawing = drawing_engine(data, webhook_allowed_hosts="hooks.example")
        self.client = TestClient(
            create_app(self.engine, self.engine.flags), base_url="http://127.0.0.1:7861", raise_server_exceptions=False
        )

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"{JOBS}{path}", json=body)

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(f"{JOBS}{path}", **options)

    def submit(self, prompt: str = "a cat", **fields: Any) -> str:
        answer = self.post("", {"kind": "txt2img", "request": {"prompt": prompt, "seed": 5}, **fields})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def done(self, job_id: str) -> dict[str, Any]:
        job = self.engine.job(job_id)
        assert job is not None and job.finished_within(60)
        return dict(self.get(f"/{job_id}").json())

    def busy(self) -> str:
        job_id = self.submit("waits")
        assert self.drawing.began.wait(60)
        return job_id

    def close(self) -> None:
        self.drawing.go.set()
        self.engine.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


def test_a_job_is_taken_at_once_and_its_pictures_fetched_later(server: Server) -> None:
    running = server.busy()
    answer = server.post("", {"kind": "txt2img", "request": {"prompt": "a cat", "seed": 5, "batch_size": 2}})
    assert answer.json() == {"id": answer.json()["id"], "state": "queued"}
    job_id = answer.json()["id"]
    assert server.get(f"/{job_id}").json()["place"] == 0
    assert server.get(f"/{running}").json()["state"] == "running"
    server.drawing.go.set()
    job = server.done(job_id)
    assert job["state"] == "done" and job["place"] is None and job["info"]["seed"] == 5
    assert job["images"] == [f"{JOBS}/{job_id}/images/{n}" for n in (0, 1)]
    picture = server.client.get(job["images"][1])
    assert picture.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(picture.content))
    assert image.getpixel((0, 0)) == (5, 1, 2) and image.info["parameters"] == "Steps: 1, Seed: 5"
    assert server.get(f"/{job_id}/images/2").status_code == 404
    assert server.get(f"/{job_id}/images/-1").status_code == 404


def test_the_same_after_a_restart(server: Server, tmp_path: Path) -> None:
    job_id = server.submit()
    before = server.done(job_id)
    events = server.get(f"/{job_id}/events").text
    server.close()
    again = Server(tmp_path)
    try:
        after = again.get(f"/{job_id}").json()
        assert {**after, "progress": None} == {**before, "progress": None}
        assert again.get(f"/{job_id}/images/0").status_code == 200
        assert again.get(f"/{job_id}/events").text == events
        assert again.get(f"/{job_id}/request").json()["prompt"] == "a cat"
    finally:
        again.close()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "txt2img"}, "request"),
        ({"kind": "txt2vid", "request": {}}, "kind"),
        ({"kind": "txt2img", "request": {"steps": "many"}}, "steps"),
        ({"kind": "txt2img", "request": {"steps": 0}}, "steps"),
        ({"kind": "txt2img", "request": {"override_settings": {"nonsense": 1}}}, "nonsense"),
        ({"kind": "txt2img", "request": {}, "priorty": 1}, "priorty"),
        ({"kind": "txt2img", "request": {}, "priority": 10**9}, "priority"),
        ({"kind": "txt2img", "request": {}, "webhook": "http://elsewhere.example/x"}, "webhook"),
        ({"kind": "img2img", "request": {"init_images": ["no picture"]}}, "init_images"),
    ],
)
def test_what_is_wrong_with_a_job_is_said_before_it_is_taken(server: Server, body: dict[str, Any], field: str) -> None:
    answer = server.post("", body)
    assert answer.status_code == 422 and field in answer.text
    assert server.get("").json() == {"jobs": [], "next": None}


def test_extras_are_jobs_too(server: Server) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (9, 9, 9)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    server.engine.executors["extras"] = lambda request, runtime: Result(request.images, 1)
    for body in ({"image": picture}, {"imageList": [{"data": picture, "name": "a.png"}]}):
        job = server.done(server.post("", {"kind": "extras", "request": body}).json()["id"])
        assert (job["kind"], job["state"], len(job["images"])) == ("extras", "done", 1)
    wrong = server.post("", {"kind": "extras", "request": {"image": "none"}})
    assert wrong.status_code == 422 and "imageList" in wrong.text


def test_unknown_jobs_and_states(server: Server) -> None:
    for path in ("/nobody", "/nobody/request", "/nobody/images/0", "/nobody/events", "/..%2f..%2feasel.db"):
        assert server.get(path).status_code == 404, path
    assert server.post("/nobody/pause").status_code == 404
    job_id = server.submit()
    server.done(job_id)
    for verb in ("pause", "resume", "cancel", "retry", "interrupt", "finish", "skip"):
        answer = server.post(f"/{job_id}/{verb}")
        assert answer.status_code == 409 and job_id in answer.text, verb
    assert server.post(f"/{job_id}/move", {"index": 0}).status_code == 409
    assert server.get("", params={"state": "sleeping"}).status_code == 422


def test_pause_resume_cancel_retry(server: Server) -> None:
    running, waiting = server.busy(), server.submit("later")
    assert server.post(f"/{waiting}/pause").json()["state"] == "paused"
    assert server.get(f"/{running}/images/0").status_code == 409
    assert server.post(f"/{waiting}/resume").json()["state"] == "queued"
    assert server.post(f"/{waiting}/cancel").json()["state"] == "cancelled"
    assert server.post(f"/{waiting}/retry").json()["state"] == "queued"
    server.post(f"/{running}/cancel")
    assert server.done(running)["state"] == "cancelled"
    assert server.done(waiting)["state"] == "done"


def test_a_failure_is_told_and_fails_alone(server: Server) -> None:
    job = server.done(server.submit("fails"))
    assert job["state"] == "failed" and job["error"] == {"kind": "ValueError", "message": "it was asked to fail"}
    assert server.done(server.submit())["state"] == "done"


def test_moving(server: Server) -> None:
    server.busy()
    a, b, c = server.submit("a"), server.submit("b"), server.submit("c", priority=1)

    def order() -> list[str]:
        return [job.id for job in server.engine.pending()]

    assert order() == [c, a, b]
    server.post(f"/{b}/move", {"index": 0})
    assert order() == [b, c, a]
    server.post(f"/{a}/move", {"before": c})
    assert order() == [b, a, c]
    server.post(f"/{c}/move", {"priority": 9})
    assert order() == [c, b, a]
    assert server.post(f"/{c}/move", {"before": "nobody"}).status_code == 422


def test_run_again_with_something_else(server: Server) -> None:
    first = server.submit("a cat")
    server.done(first)
    second = server.post(f"/{first}/again", {"request": {"prompt": "a dog"}}).json()["id"]
    job = server.done(second)
    assert job["parent"] == first and server.drawing.order == ["a cat", "a dog"]
    request = server.get(f"/{second}/request").json()
    assert (request["prompt"], request["seed"]) == ("a dog", 5)
    assert server.post(f"/{first}/again", {"request": {"steps": "x"}}).status_code == 422


def test_a_seed_left_to_chance_is_shown_and_kept(server: Server) -> None:
    job_id = server.post("", {"kind": "txt2img", "request": {"prompt": "a"}}).json()["id"]
    seed = server.get(f"/{job_id}/request").json()["seed"]
    assert seed >= 0 and server.done(job_id)["info"]["seed"] == seed


def test_lists_and_pages(server: Server) -> None:
    ids = [server.submit(f"p{n}") for n in range(5)]
    server.done(ids[-1])
    page = server.get("", params={"limit": 2}).json()
    assert [job["id"] for job in page["jobs"]] == ids[:2:-1]
    rest = server.get("", params={"limit": 10, "before": page["next"]}).json()
    assert [job["id"] for job in rest["jobs"]] == ids[2::-1] and rest["next"] is None
    assert server.get("", params={"state": "failed"}).json()["jobs"] == []


def parsed(text: str) -> list[dict[str, Any]]:
    events = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        events.append({**fields, "data": json.loads(fields["data"])} if fields else {})
    return [event for event in events if event and event["event"] != "progress"]


def test_events_have_ids_and_go_on_after_the_last_one_seen(server: Server) -> None:
    job_id = server.submit()
    server.done(job_id)
    answer = server.get(f"/{job_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream") and answer.headers["cache-control"] == "no-store"
    events = parsed(answer.text)
    assert [(event["id"], event["event"]) for event in events] == [("1", "queued"), ("2", "running"), ("3", "done")]
    assert events[2]["data"]["state"] == "done" and events[2]["data"]["id"] == job_id
    rest = parsed(server.get(f"/{job_id}/events", headers={"Last-Event-ID": "2"}).text)
    assert [event["event"] for event in rest] == ["done"]
    assert server.get(f"/{job_id}/events", headers={"Last-Event-ID": "3"}).status_code == 204
    assert parsed(server.get(f"/{job_id}/events", headers={"Last-Event-ID": b"\xb2"}).text) == events


def test_events_are_told_while_they_happen(server: Server) -> None:
    job_id = server.busy()
    unwatch = server.engine.queue.watch(lambda job, event: None)
    listeners = len(server.engine.queue._listeners)

    def let_go_once_somebody_listens() -> None:
        while len(server.engine.queue._listeners) <= listeners:
            server.drawing.began.wait(0.01)
        server.drawing.go.set()

    helper = threading.Thread(target=let_go_once_somebody_listens)
    helper.start()
    events = parsed(server.get(f"/{job_id}/events").text)
    helper.join(60)
    assert [event["event"] for event in events] == ["queued", "running", "done"]
    assert len(server.engine.queue._listeners) == listeners
    unwatch()


def test_the_old_routes_wait_on_the_same_queue(server: Server) -> None:
    answer = server.client.post("/sdapi/v1/txt2img", json={"prompt": "a", "force_task_id": "task(mine)", "seed": -1})
    assert answer.status_code == 200 and answer.json()["parameters"]["seed"] == -1
    job = server.get("/task(mine)").json()
    assert job["source"] == "api" and job["info"]["seed"] == json.loads(answer.json()["info"])["seed"] >= 0
    assert server.client.get(job["images"][0]).status_code == 200


def test_bodies_are_stored_without_what_concerns_the_answer_only(server: Server) -> None:
    register_builders(server.engine)
    infotext = "b\nSteps: 9, Sampler: Euler, CFG scale: 3, Size: 64x64"
    body = {"prompt": "a", "seed": 1, "force_task_id": "x", "send_images": False, "infotext": infotext}
    server.client.post("/sdapi/v1/txt2img", json=body)
    stored = server.get("/x/request").json()
    assert stored["steps"] == 9 and not {"force_task_id", "send_images", "infotext"} & stored.keys()
    assert server.engine.builders["txt2img"](stored).cfg_scale == 3
