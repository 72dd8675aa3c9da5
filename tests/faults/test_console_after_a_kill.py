"""What the console says of a worker that was killed, and of the task that it ran."""

import re

import httpx
import psutil
import pytest

from tests.support.console import OURS
from tests.support.house import House
from tests.support.served import login_link, served_console
from tests.support.workers import wait_until


def said(browser: httpx.Client, address: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", browser.get(address).text))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_worker_its_task_and_who_takes_it_over_are_told(own_house: House) -> None:
    project = own_house.slow_project()
    with (
        served_console(own_house) as address,
        httpx.Client(follow_redirects=True, timeout=60) as browser,
    ):
        token = login_link(own_house, address).partition("token=")[2]
        browser.post(f"{address}/login", data={"token": token}, headers=OURS)
        with own_house.worker(DRAMATIQ__HEARTBEAT_TIMEOUT_MS="5000") as group:
            message_id = own_house.send_training(project)
            own_house.training_process(project, group)
            task = own_house.database.wait_for_task(message_id, "started")
            page = f"{address}/tasks/{task['id']}"
            assert f"on {task['lease_owner']}" in said(browser, page)
            master = psutil.Process(group.process.pid)
            for process in [*master.children(recursive=True), master]:
                process.kill()
        wait_until(lambda: "The lease of its worker lapsed" in said(browser, page))
        # Twenty seconds without a word.
        wait_until(lambda: "silent" in said(browser, f"{address}/"), timeout_s=60)
        first = said(browser, f"{address}/")
        assert "0 workers and 1 silent" in first
        assert "once one is there: lexiclass-worker run" in first
        assert "once one is there: lexiclass-worker run" in said(browser, page)
        with own_house.worker():
            own_house.database.succeeded(message_id)
        assert re.search(r"lapsed attempt 1 .* started attempt 2 .* succeeded", said(browser, page))
        assert "1 silent" in said(browser, f"{address}/")
