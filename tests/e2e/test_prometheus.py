"""A real Prometheus scrapes real workers: what rules, boards and pages name is there."""

import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lexiclass_worker.embedded import EmbeddedServers
from tests.support.databases import Databases
from tests.support.house import lent_house
from tests.support.prometheus import (
    BOARDS,
    ROOT,
    RULES,
    Prometheus,
    alerts,
    promtool,
    running_prometheus,
)
from tests.support.workers import wait_until

pytestmark = pytest.mark.prometheus

SELECTOR = re.compile(r"\b((?:lexiclass|dramatiq)_\w+|up)\b(\{[^}]*\})?")
GROUPED = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
HISTOGRAM_PART = re.compile(r"_(?:bucket|sum|count)$")


@dataclass(frozen=True, slots=True)
class Scraped:
    prometheus: Prometheus
    exposition: str


@pytest.fixture(scope="module")
def scraped(servers: EmbeddedServers, databases: Databases) -> Iterator[Scraped]:
    """Workers after a day's work, and a Prometheus that has scraped them."""
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-prometheus-") as name,
        lent_house(servers, databases, Path(name)) as house,
        house.worker(
            RECONCILER__INTERVAL_S="0.5",
            METRICS__EXPECTED_WORKERS="indexing=1,training=1,prediction=1,bulk=1",
        ) as group,
        running_prometheus(Path(name), interval="5s") as prometheus,
    ):
        project = house.project(training=4, test=4)
        house.database.succeeded(house.send("index_documents", project_id=project.project_id))
        house.train(project)
        for _ in range(3):  # one at least finds its model loaded
            house.database.succeeded(house.send_prediction(project, None))
        refused = house.send("train_field_model", project_id=1_234_567, field_id=1)
        house.database.failed(refused)
        # It is tried again, once it may.
        blocker = house.storage / ".scratch"
        house.wait_tidy()
        blocker.rename(blocker.with_name("aside"))
        blocker.write_text("in the way")
        delayed = house.send_training(project)
        house.database.wait_for_task(delayed, "retrying")
        blocker.unlink()
        house.database.succeeded(delayed)
        field = {"project_id": project.project_id, "field_id": project.field_id}
        house.database.succeeded(house.send("evaluate_field_model", **field))
        house.wait_settled()
        # As `deploy/backup/backup.sh` says of each that it has made.
        house.database.execute("INSERT INTO backup (name) VALUES ('20261128T030000Z')")

        prometheus.scrape(all=group.metrics_port)
        wait_until(lambda: prometheus.query("lexiclass_tasks"))
        url = f"{group.metrics_address}/metrics"
        with urllib.request.urlopen(url, timeout=60) as response:
            yield Scraped(prometheus, response.read().decode())


@pytest.mark.parametrize(
    "check", [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yaml")]
)
def test_the_files_of_prometheus_are_as_it_takes_them(check: tuple[str, ...]) -> None:
    found = promtool(*check)
    assert found.returncode == 0, found.stderr


def test_each_alert_is_raised_by_what_it_is_about_and_by_nothing_else() -> None:
    found = promtool("test", "rules", "rules.test.yaml")
    assert found.returncode == 0, found.stderr
    tests = yaml.safe_load((RULES.parent / "rules.test.yaml").read_text())["tests"]
    assert list(dict.fromkeys(test["name"] for test in tests)) == list(alerts())


def test_what_is_exposed_is_as_prometheus_wants_it(scraped: Scraped) -> None:
    found = promtool("check", "metrics", given=scraped.exposition)
    # Dramatiq's own, which dashboards made for it rely on, count milliseconds.
    complaints = [line for line in found.stderr.splitlines() if not line.startswith("dramatiq_")]
    assert complaints == []


def test_the_scrape_found_every_source(scraped: Scraped) -> None:
    (up,) = scraped.prometheus.query("up")
    assert up["value"][1] == "1"
    assert scraped.prometheus.query("lexiclass_scrape_errors == 1") == []


def test_the_page_names_every_metric_there_is_with_its_labels(scraped: Scraped) -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text()
    metrics = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    documented: dict[str, set[str]] = {}
    for names, labels in re.findall(r"^\| (`.*?`) \|([^|]*)\|", metrics, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            documented[name] = set(re.findall(r"\w+", labels))
    exposed: dict[str, set[str]] = {}
    for name in scraped.prometheus.names():
        if re.match("lexiclass_|dramatiq_", name):
            labels = {label for series in scraped.prometheus.series(name) for label in series}
            own = labels - {"__name__", "le", "instance", "job", "group", "namespace"}
            exposed.setdefault(HISTOGRAM_PART.sub("", name), set()).update(own)
    assert exposed == documented


@pytest.mark.parametrize("name", alerts())
def test_what_a_rule_names_is_there(scraped: Scraped, name: str) -> None:
    rule = alerts()[name]
    texts = " ".join(rule["annotations"].values())
    require_known(scraped.prometheus, rule["expr"], re.findall(r"\$labels\.(\w+)", texts))
    scraped.prometheus.query(rule["expr"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_what_a_board_names_is_there(scraped: Scraped, path: Path) -> None:
    board = json.loads(path.read_text())
    variables = board["templating"]["list"]
    assert [each["name"] for each in variables] == ["datasource", "namespace"]
    assert variables[0]["type"] == "datasource"
    # Where nothing has the label, all is one stack.
    assert variables[1]["allValue"] == ".*"
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}", panel["title"]
            shown = re.findall(r"{{(\w+)}}", target["legendFormat"])
            selectors = SELECTOR.findall(target["expr"])
            assert all('namespace=~"$namespace"' in matchers for _, matchers in selectors)
            expression = target["expr"].replace("$namespace", ".*")
            require_known(scraped.prometheus, expression, shown)
            scraped.prometheus.query(expression.replace("$__rate_interval", "1m"))


def test_the_boards_have_names_of_their_own() -> None:
    boards: list[dict[str, Any]] = [json.loads(path.read_text()) for path in BOARDS]
    assert [path.stem for path in BOARDS] == ["models", "operations"]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == 2
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))


def require_known(prometheus: Prometheus, expression: str, shown: list[str]) -> None:
    """That each selector finds something, and that it has the labels which are made use of."""
    known: set[str] = set()
    selectors = [name + (matchers or "") for name, matchers in SELECTOR.findall(expression)]
    assert selectors, expression
    for selector in selectors:
        series = prometheus.series(selector)
        assert series, f"{selector} of {expression}"
        known.update(label for labels in series for label in labels)
    grouped = [label for labels in GROUPED.findall(expression) for label in labels.split(", ")]
    assert {*filter(None, grouped), *shown} <= known, expression
