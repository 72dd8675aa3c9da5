"""A real Prometheus beside the tests' workers: Debian's package, or another named by PATH."""

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lexiclass_worker.embedded.process import free_port
from tests.support.workers import wait_until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
BOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))


def program(name: str) -> str:
    """Where ``prometheus`` or ``promtool`` is.

    Raises:
        RuntimeError: If it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed: apt-get install prometheus")
    return found


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """What the tool says of files, or of what it is given."""
    return subprocess.run(
        [program("promtool"), *arguments],
        cwd=RULES.parent,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts of rules.yaml by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def impatient_rules() -> str:
    """The rules as they are, but for how long something must have been so: seconds, not hours.

    An increase is looked for over 30 s, what is given in minutes is divided by 60, and days stay.
    """
    text = re.sub(r"for: \d+[mh]$", "for: 2s", RULES.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\[\d+[mh]\]", "[30s]", text)
    text = re.sub(r"offset \d+[mh]\b", "offset 30s", text)
    return re.sub(r"(\d+) \* 60\b", r"\1", text)


def hasty_rules() -> str:
    """The rules as they are, but that none waits, and an increase is looked for over 30 s."""
    text = re.sub(r"^ *for: \d+[mh]\n", "", RULES.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\[\d+[mh]\]", "[30s]", text)
    return re.sub(r"offset \d+[mh]\b", "offset 30s", text)


@dataclass(slots=True)
class Prometheus:
    """One that runs.

    Attributes:
        url: Where it answers.
        targets: The file with what it scrapes.
    """

    url: str
    targets: Path

    def scrape(self, **ports: int) -> None:
        """Scrape worker groups, and no longer those that are not named any more."""
        groups = [
            # As Prometheus Operator has it, the namespace is a label.
            {"targets": [f"127.0.0.1:{port}"], "labels": {"group": name, "namespace": "ml"}}
            for name, port in ports.items()
        ]
        self.targets.write_text(json.dumps(groups))

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now.

        Raises:
            urllib.error.HTTPError: If it cannot be evaluated.
        """
        data = self._get("query", {"query": expression})
        assert data["resultType"] == "vector", expression
        return list(data["result"])

    def series(self, selector: str) -> list[dict[str, str]]:
        """The labels of all series that a selector finds."""
        return list(self._get("series", {"match[]": selector}))

    def names(self) -> set[str]:
        """The names of all metrics."""
        return set(self._get("label/__name__/values", {}))

    def raised(self) -> set[str]:
        """The names of the alerts that were raised, also those that are no more."""
        history = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
        return {sample["metric"]["alertname"] for sample in self.query(history)}

    def firing(self) -> set[str]:
        """The names of the alerts that are raised now."""
        return {each["labels"]["alertname"] for each in self._get("alerts", {})["alerts"]}

    def annotations(self) -> list[str]:
        """What the alerts that are raised now say."""
        alerts = self._get("alerts", {})["alerts"]
        return [text for alert in alerts for text in alert["annotations"].values()]

    def _get(self, what: str, parameters: Mapping[str, str]) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)["data"]


@contextmanager
def running_prometheus(
    directory: Path, *, rules: str = "groups: []", interval: str = "500ms"
) -> Iterator[Prometheus]:
    """One that scrapes and evaluates often, for the time of a ``with`` block."""
    targets, config, log = (
        directory / name for name in ("targets.json", "prometheus.yml", "prometheus.log")
    )
    (directory / "rules.yaml").write_text(rules)
    targets.write_text("[]")
    configured = {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": "lexiclass-worker",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
            }
        ],
    }
    config.write_text(yaml.safe_dump(configured))
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: _is_ready(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Prometheus(f"http://127.0.0.1:{port}", targets)
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
