"""Everything in one command: it ends as asked, and leaves nothing running."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lexiclass_worker.config import list_variables
from lexiclass_worker.embedded.process import free_port
from tests.support.console import OURS
from tests.support.processes import living_tree, processes_about, wait_until_gone
from tests.support.workers import wait_until

CLI = Path(sys.executable).with_name("lexiclass-worker")

STOPPED_BY_CTRL_C = 130


def bare_environment() -> dict[str, str]:
    """Of a terminal in which no setting is exported."""
    settings = {variable.name for variable in list_variables()}
    return {name: value for name, value in os.environ.items() if name not in settings}


class Command:
    """A ``lexiclass-worker`` in a terminal of its own, as far as signals go."""

    def __init__(self, *arguments: str, directory: Path, **variables: str) -> None:
        self.directory = directory
        self._output = directory.with_name(f"{directory.name}.out")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [CLI, *arguments, "--directory", directory],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory.parent,
                env={**bare_environment(), "PYTHONUNBUFFERED": "1", **variables},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str, *, timeout_s: float = 60.0) -> None:
        def look() -> bool:
            assert self.process.poll() is None, self.output
            return text in self.output

        wait_until(look, timeout_s=timeout_s, poll_s=0.02)

    def press_ctrl_c(self) -> None:
        """What a terminal does: every process of the foreground group gets it."""
        os.killpg(self.process.pid, signal.SIGINT)


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[Command]:
    # Not below pytest's folder, which other accounts may not enter.
    with tempfile.TemporaryDirectory(prefix="lexiclass-command-") as parent:
        command = Command(*arguments, directory=Path(parent) / "data", **variables)
        try:
            yield command
        finally:
            tree = living_tree(command.process.pid)
            if command.process.poll() is None:
                command.process.terminate()
                command.process.wait(60)
            wait_until_gone(tree, timeout_s=20)


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_the_demo_goes_all_the_way_and_leaves_no_process() -> None:
    with running("demo", "--json") as demo:
        assert demo.process.wait(170) == 0, demo.output
        for text in ("/login?token=", "accuracy", "Confusion matrix", "predictions", "Done in"):
            assert text in demo.output
        assert processes_about(demo.directory) == []
        assert "Traceback" not in demo.output
        assert list(demo.directory.glob("storage/*/models/*/v1/manifest.json"))
        (page,) = demo.directory.resolve().glob("storage/*/reports/*/v1/*/report.html")
        told, _, found = demo.output.partition("\n{\n")
        assert told.splitlines()[-1] == str(page)
        assert json.loads("{" + found)["report"] == str(page)


@pytest.mark.parametrize(
    ("arguments", "moment"),
    [
        ("demo", "starting Redis and PostgreSQL"),
        # The bar of the indexing is printed when it is done: now the training runs.
        pytest.param("demo", "index: 100 %", marks=[pytest.mark.slow, pytest.mark.timeout(240)]),
        pytest.param("standalone", "Ready.", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_ends_everything_in_order(arguments: str, moment: str) -> None:
    with running(arguments) as command:
        command.wait_for(moment, timeout_s=180.0)
        tree = living_tree(command.process.pid)
        command.press_ctrl_c()
        assert command.process.wait(60) == STOPPED_BY_CTRL_C, command.output
        wait_until_gone(tree)
        assert processes_about(command.directory) == []
        assert "stopped" in command.output
        assert "Traceback" not in command.output


@pytest.mark.slow
def test_sigterm_ends_everything_even_while_it_starts() -> None:
    with running("demo") as demo:
        demo.wait_for("starting the workers")
        tree = living_tree(demo.process.pid)
        demo.process.terminate()
        demo.process.wait(60)
        wait_until_gone(tree)
        assert processes_about(demo.directory) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_other_commands_in_the_folder_use_it_with_nothing_exported() -> None:
    port, console_port = free_port(), free_port()
    settings = {"METRICS__PORT": str(port), "CONSOLE__PORT": str(console_port)}
    with running("standalone", **settings) as command:

        def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [CLI, *arguments],
                cwd=command.directory.parent,
                env=bare_environment(),
                capture_output=True,
                text=True,
                check=False,
            )

        command.wait_for("Ctrl-C stops", timeout_s=120)
        assert f"http://127.0.0.1:{port}/metrics" in command.output
        found = re.search(rf"(http://127.0.0.1:{console_port}/login)\?token=(\S+)", command.output)
        assert found, command.output
        with httpx.Client(follow_redirects=True) as browser:
            home = browser.post(found[1], data={"token": found[2]}, headers=OURS)
            assert "There are no tasks yet" in browser.get(home.url.join("tasks")).text
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as health:
            assert health.status == 200
        listed = run("tasks", "list", "--json")
        assert (listed.returncode, listed.stdout) == (0, "[]\n"), listed.stderr
        command.press_ctrl_c()
        command.process.wait(60)
        after = run("tasks", "list")
    assert after.returncode == 2
    assert "standalone`" in after.stderr
    assert "is not running: start it again" in after.stderr


@pytest.mark.slow
def test_an_impatient_second_ctrl_c_leaves_nothing_behind_either() -> None:
    with running("standalone") as command:
        command.wait_for("Ready.")
        tree = living_tree(command.process.pid)
        command.press_ctrl_c()
        command.wait_for("stopping the workers")
        command.press_ctrl_c()
        command.process.wait(60)
        wait_until_gone(tree, timeout_s=30)
        assert processes_about(command.directory) == []


@pytest.mark.slow
def test_a_killed_command_takes_its_servers_and_workers_along() -> None:
    with running("standalone") as command:
        command.wait_for("Ready.")
        tree = living_tree(command.process.pid)
        command.process.kill()
        command.process.wait(60)
        wait_until_gone(tree, timeout_s=30)
        assert processes_about(command.directory) == []


@pytest.mark.slow
@pytest.mark.parametrize("server", ["redis-server", "postgres"])
def test_a_server_that_dies_ends_the_command_which_names_its_log(server: str) -> None:
    with running("standalone") as command:
        command.wait_for("Ctrl-C stops everything")
        tree = living_tree(command.process.pid)
        (found,) = (
            each for each in tree if each.name() == server and each.ppid() == command.process.pid
        )
        found.kill()
        assert command.process.wait(60) == 1
        assert f"{server} ended; its log is " in command.output
        assert f"{server}.log" in command.output
        wait_until_gone(tree, timeout_s=30)
