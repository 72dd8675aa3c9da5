"""``lexiclass-worker console``, as people run it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from lexiclass_console.access.passwords import hash_password
from lexiclass_console.server import CannotListen, NotProtected, listen, require_protection
from lexiclass_core.access.settings import ConsoleSettings
from lexiclass_worker.cli.console import console_beside
from lexiclass_worker.config import make_settings
from lexiclass_worker.embedded.process import free_port
from tests.support.console import OURS

COMMAND = (str(Path(sys.executable).with_name("lexiclass-worker")), "console")


def test_it_serves_whoever_has_its_link_and_ends_when_told(environment: dict[str, str]) -> None:
    port = free_port()
    variables = {**os.environ, **environment}
    with subprocess.Popen(
        [*COMMAND, "--port", str(port)], env=variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        found = re.search(r"(http://127\.0\.0\.1:\d+/login)\?token=(\S+)", lines[1])
        assert found, lines
        address, token = found.groups()
        with httpx.Client(follow_redirects=True) as browser:
            _wait_for(browser, address)
            home = browser.post(address, data={"token": token}, headers=OURS)
            assert home.status_code == 200
            assert "Overview" in home.text
            made = subprocess.run(
                [*COMMAND, "link", "--name", "vera", "--role", "viewer"],
                env={**variables, "CONSOLE__PORT": str(port)},
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            second = re.search(r"token=(\S+)", made)
            assert second
            browser.cookies.clear()
            home = browser.post(address, data={"token": second[1]}, headers=OURS)
            assert "vera" in home.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in {0, -signal.SIGTERM}


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["CONSOLE__ACCOUNTS", "CONSOLE__PROXY_NETWORKS"])
def test_where_people_are_asked_who_they_are_the_log_lets_nobody_in(
    environment: dict[str, str], variable: str, tmp_path: Path
) -> None:
    accounts = {"anna": {"password_hash": hash_password("secret words")}}
    value = json.dumps(accounts) if variable == "CONSOLE__ACCOUNTS" else "10.0.0.0/8"
    port, log = free_port(), tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*COMMAND, "--port", str(port)], env={**os.environ, **environment, variable: value},
            stdout=output, stderr=subprocess.STDOUT,
        ) as process,
        httpx.Client() as browser,
    ):  # fmt: skip
        _wait_for(browser, f"http://127.0.0.1:{port}/login")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    assert f"console: http://127.0.0.1:{port}" in log.read_text()
    assert "token=" not in log.read_text()


def _wait_for(browser: httpx.Client, address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            browser.get(address)
        except httpx.ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("ops.example", "ops.example")],
)
def test_a_link_leads_where_the_console_is_reached(
    environment: dict[str, str], host: str, shown: str
) -> None:
    made = subprocess.run(
        [*COMMAND, "link"], env={**os.environ, **environment, "CONSOLE__HOST": host},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"http://{shown}:8080/login?token=" in made


@pytest.mark.slow
def test_a_hash_is_made_of_what_comes_in(environment: dict[str, str]) -> None:
    made = subprocess.run(
        [*COMMAND, "hash-password"], env={**os.environ, **environment}, input="secret words\n",
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    settings = ConsoleSettings.model_validate({"accounts": {"anna": {"password_hash": made}}})
    assert settings.has_passwords


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "ops.example"])
def test_an_open_address_needs_a_way_to_ask_who_somebody_is(host: str) -> None:
    with pytest.raises(NotProtected, match="CONSOLE__ACCOUNTS"):
        require_protection(host, ConsoleSettings())
    proxy = {"networks": ["10.0.0.0/8"]}
    require_protection(host, ConsoleSettings.model_validate({"proxy": proxy}))


def test_loopback_needs_none() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        require_protection(host, ConsoleSettings())


@pytest.mark.slow
def test_the_command_refuses_it_in_one_line(environment: dict[str, str]) -> None:
    refused = subprocess.run(
        [*COMMAND, "--host", "0.0.0.0"], env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "CONSOLE__PROXY_NETWORKS" in refused.stderr


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CONSOLE__ACCOUNTS", '{"anna": {"password_hash": "kiwi-secret"}}', "Argon2id"),
        ("CONSOLE__ACCOUNTS", '{"anna": {"role": "kiwi-secret"}}', "anna"),
        ("CONSOLE__ACCOUNTS", "kiwi-secret", "expected JSON"),
        ("CONSOLE__PROXY_NETWORKS", "kiwi", "network"),
    ],
)
def test_a_wrong_setting_is_named_and_its_secret_is_not_shown(
    environment: dict[str, str], variable: str, value: str, said: str
) -> None:
    refused = subprocess.run(
        [*COMMAND, "link"], env={**os.environ, **environment, variable: value},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "CONSOLE" in refused.stderr
    assert said in refused.stderr
    assert "kiwi-secret" not in refused.stderr + refused.stdout


def test_a_port_that_is_taken_is_left_for_the_next_that_is_free() -> None:
    with listen("127.0.0.1", free_port()) as taken:
        host, port = taken.getsockname()
        with pytest.raises(CannotListen, match=rf"another program listens at {host}, port {port}"):
            listen(host, port)
        with listen(host, port, further=20) as found:
            assert port < found.getsockname()[1] <= port + 20


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_told_with_what_to_set(host: str) -> None:
    with pytest.raises(CannotListen, match="CONSOLE__HOST"):
        listen(host, 8080)


@pytest.mark.slow
def test_the_command_does_not_print_a_link_to_a_console_of_others(
    environment: dict[str, str],
) -> None:
    with listen("127.0.0.1", free_port()) as taken:
        refused = subprocess.run(
            [*COMMAND, "--port", str(taken.getsockname()[1])], env={**os.environ, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert refused.returncode == 2
    assert "CONSOLE__PORT" in refused.stderr
    assert "token=" not in refused.stdout


def test_servers_run_without_the_console_and_say_what_to_install(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lexiclass_console.server", None)
    with console_beside(make_settings(environment)):
        pass
    assert "pip install packages/lexiclass-console" in capsys.readouterr().out
