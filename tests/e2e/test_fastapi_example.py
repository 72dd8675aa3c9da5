"""The example API, started as its page says, over real workers."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from lexiclass_core.client import TaskClient
from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded.process import free_port
from tests.support.console import OURS
from tests.support.console_pages import find_pages
from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.served import PREFIX, console_of, login_link
from tests.support.workers import wait_until

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def served(environment: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--factory",
        "fastapi_app:create_app", "--port", str(port),
    ]  # fmt: skip
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env=export_environment(environment), stdout=output, stderr=output
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until(lambda: answers(client) or server.poll() is not None)
            assert server.poll() is None, log.read_text()
            yield client
    finally:
        server.terminate()
        server.wait(60)
    assert "Traceback" not in log.read_text(), log.read_text()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/openapi.json").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def api(house: House) -> Iterator[httpx.Client]:
    with served(house.environment, house.directory / "api.log") as client:
        yield client


def ids(project: SmallProject) -> dict[str, int]:
    return {"project_id": project.project_id, "field_id": project.field_id}


def events(api: httpx.Client, task_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream, as a browser reads them."""
    with api.stream("GET", f"/tasks/{task_id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def log_lines(house: House) -> Iterator[dict[str, Any]]:
    for log in house.directory.glob("worker-*.log"):
        yield from map(json.loads, log.read_text().splitlines())


def test_a_task_goes_from_a_request_to_its_result(api: httpx.Client, house: House) -> None:
    project = house.project()
    headers = {"X-Correlation-ID": "click-4711"}
    submitted = api.post("/index", json={"project_id": project.project_id}, headers=headers)

    assert submitted.status_code == 202
    assert submitted.headers["X-Correlation-ID"] == "click-4711"
    task = submitted.json()
    assert (task["status"], task["correlation_id"]) == ("pending", "click-4711")
    name, last = list(events(api, task["id"]))[-1]
    assert (name, last["status"], last["progress"]) == ("end", "succeeded", 100)
    ended = api.get(submitted.headers["Location"]).json()
    assert ended["result"]["num_documents"] == len(project.document_ids)
    assert api.get(f"/tasks/{task['message_id']}").json() == ended
    page = api.get("/tasks", params={"project_id": project.project_id}).json()
    assert page == {"tasks": [ended], "next_before": None}

    # Who follows a request through the logs finds all of its task.
    logged = [line for line in log_lines(house) if line.get("message_id") == task["message_id"]]
    assert {line["correlation_id"] for line in logged} == {"click-4711"}

    trained = api.post("/train", json=ids(project)).json()
    assert list(events(api, trained["id"]))[-1][1]["status"] == "succeeded"
    suspects = f"/projects/{project.project_id}/fields/{project.field_id}/suspects"
    assert api.get(suspects, params={"limit": 3}).json() == []
    for path, extra in (("/evaluate", {}), ("/predict", {"document_ids": project.test_ids})):
        task = api.post(path, json={**ids(project), **extra}).json()
        assert list(events(api, task["id"]))[-1][1]["status"] == "succeeded"


def test_a_correlation_id_that_no_header_holds_is_written_in_ascii(
    api: httpx.Client, house: House
) -> None:
    project_id = house.project().project_id
    with TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
    ) as client:
        task = client.index(project_id, idempotency_key="key", correlation_id="訓練 1\n")
    headers = {"Idempotency-Key": "key"}
    again = api.post("/index", json={"project_id": project_id}, headers=headers)

    assert (again.status_code, again.json()["id"]) == (202, task.id)
    assert again.headers["X-Correlation-ID"] == "%E8%A8%93%E7%B7%B4%201%0A"


def test_a_report_is_served_as_it_was_written_and_nothing_in_it_runs(
    api: httpx.Client, house: House
) -> None:
    project = house.project()
    version = f"/fields/{project.field_id}/versions/1"
    for path in ("/train", "/evaluate"):
        assert api.get(f"{version}/report.json").status_code == 404
        task = api.post(path, json=ids(project)).json()
        assert list(events(api, task["id"]))[-1][1]["status"] == "succeeded"

    served = api.get(f"{version}/report.json")

    assert served.json()["model"]["version"] == 1
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "sandbox" in served.headers["Content-Security-Policy"]
    page = api.get(f"{version}/report.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == served.headers["Content-Security-Policy"]
    assert page.text.lower().startswith("<!doctype html>")
    assert api.get(f"{version}/predictions.jsonl").status_code == 422
    assert api.get(f"{version}/..%2freport.json").status_code in (404, 422)
    for report in Path(house.environment["STORAGE__BASE_PATH"]).rglob("report.json"):
        report.write_text("{}")
    refused = api.get(f"{version}/report.json")
    assert (refused.status_code, "evaluate" in refused.json()["detail"]) == (502, True)


def test_a_running_task_is_seen_and_cancelled(api: httpx.Client, house: House) -> None:
    project = house.slow_project()
    task = api.post("/train", json=ids(project)).json()
    seen = []
    for name, event in events(api, task["id"]):
        seen.append((name, event["status"]))
        if event["stage"] is not None and event["done"] is not None:
            asked = api.post(f"/tasks/{task['id']}/cancel")
            assert asked.status_code in (202, 409)

    assert seen[-1] == ("end", "cancelled")
    assert ("progress", "started") in seen
    again = api.post(f"/tasks/{task['id']}/cancel")
    assert again.status_code == 409
    assert "cancelled" in again.json()["detail"]


def test_a_double_click_trains_once(api: httpx.Client, house: House) -> None:
    project = house.project()
    headers = {"Idempotency-Key": "train-button"}

    def click(_: int) -> Any:
        return api.post("/train", json=ids(project), headers=headers).json()

    with ThreadPoolExecutor(4) as clicks:
        tasks = list(clicks.map(click, range(4)))
    assert len({task["id"] for task in tasks}) == 1
    list(events(api, tasks[0]["id"]))

    assert house.database.value(
        "SELECT count(*) FROM model WHERE field_id = :id", id=project.field_id
    ) == 1  # fmt: skip
    other = api.post("/train", json={**ids(project), "classifier": "xgboost"}, headers=headers)
    assert other.status_code == 409


def test_what_is_wrong_has_a_status_of_its_own(api: httpx.Client) -> None:
    assert api.get("/tasks/4711").status_code == 404
    assert api.get("/tasks/4711/events").status_code == 404
    assert api.post("/tasks/no-such-message/cancel").status_code == 404
    assert api.get("/projects/4711/fields/no-such-field/suspects").status_code == 404
    assert api.post("/index", json={"project_id": "7"}).status_code == 422
    assert api.post("/index", json={"project_id": 7, "colour": "red"}).status_code == 422
    too_long = {"Idempotency-Key": "k" * 501}
    refused = api.post("/index", json={"project_id": 7}, headers=too_long)
    assert (refused.status_code, "501 characters" in refused.json()["detail"]) == (422, True)
    refused = api.post("/index", json={"project_id": 7}, headers={"X-Correlation-ID": "c" * 501})
    assert (refused.status_code, "501 characters" in refused.json()["detail"]) == (422, True)
    assert api.get(f"/tasks/{'9' * 5_000}").status_code == 404
    for body in ('{"project_id": NaN}', '{"project_id": 1, "\\ud800": 1}', "[1e400]", "\\"):
        refused = api.post("/index", content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, bool(refused.json()["detail"])) == (422, True)


def test_a_database_that_is_away_is_a_503(house: House, tmp_path: Path) -> None:
    nowhere = f"postgresql+asyncpg://user:hunter2@127.0.0.1:{free_port()}/lexiclass"
    with served({**house.environment, "DATABASE_URI": nowhere}, tmp_path / "log") as api:
        answer = api.post("/index", json={"project_id": 7})
    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def test_a_browser_that_goes_away_leaves_nothing_behind(api: httpx.Client, house: House) -> None:
    task = api.post("/index", json={"project_id": 7}, params={"delay_s": 60}).json()
    is_open, may_close = threading.Event(), threading.Event()

    def look() -> None:
        with api.stream("GET", f"/tasks/{task['id']}/events") as response:
            lines = response.iter_lines()
            assert next(lines) == "event: progress"
            is_open.set()
            may_close.wait(60)
            # The connection is closed with its lines.
            del lines

    with redis.Redis.from_url(house.environment["DRAMATIQ__BROKER_URL"]) as server:
        browser = threading.Thread(target=look)
        browser.start()
        assert is_open.wait(60)
        assert len(server.client_list(_type="pubsub")) == 1
        may_close.set()
        browser.join()
        wait_until(lambda: not server.client_list(_type="pubsub"))
    api.post(f"/tasks/{task['id']}/cancel")
    # Whoever waits for empty queues would wait for the minute of this message.
    house.sender.broker.flush("indexing")


def test_the_example_needs_neither_the_worker_nor_the_library() -> None:
    code = (
        "import sys, fastapi_app; fastapi_app.create_app(); "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('lexiclass', 'lexiclass_worker', 'actors', 'numpy', 'sklearn')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=EXAMPLES, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_console_is_mounted_under_a_path(api: httpx.Client, house: House) -> None:
    project = house.project()
    task_id = api.post("/index", json={"project_id": project.project_id}).json()["id"]
    mounted = str(api.base_url.join(PREFIX))
    link = login_link(house, mounted)
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        stranger = browser.get(f"{mounted}/tasks/{task_id}")
        assert stranger.url.path == f"{PREFIX}/login"
        token = link.partition("token=")[2]
        following = {"token": token, "next": stranger.url.params["next"]}
        page = browser.post(f"{mounted}/login", data=following, headers=OURS)
        assert page.url.path == f"{PREFIX}/tasks/{task_id}"
        (cookie,) = browser.cookies.jar
        assert cookie.path == PREFIX
        style = browser.get(f"{mounted}/static/console.css")
        assert style.headers["content-type"].startswith("text/css")
        assert f'href="{PREFIX}/static/console.css"' in page.text
        found = find_pages(console_of(house), mounted, login_link(house, mounted))
        assert {"overview", "tasks", "task", "queues", "project"} <= {each.route for each in found}
        # The API beside it is none of the console's.
        assert api.get(f"/tasks/{task_id}").json()["id"] == task_id
