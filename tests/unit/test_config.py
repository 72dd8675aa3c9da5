"""Settings: where they come from, what is refused, and what is never shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from lexiclass_worker.config import (
    ConfigurationError,
    Settings,
    Variable,
    environment_secrets,
    export_environment,
    list_variables,
    load_settings,
    load_settings_as_they_are,
    set_process_variable,
    unknown_variables,
)
from lexiclass_worker.setting_groups import DramatiqSettings
from lexiclass_worker.telemetry.checks.processes import check_settings

URI = "postgresql+asyncpg://user:s3cr%40t@host:5432/db"


@pytest.fixture(autouse=True)
def empty_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without .env, an environment without our variables."""
    monkeypatch.chdir(tmp_path)
    for variable in list_variables():
        monkeypatch.delenv(variable.name, raising=False)
        monkeypatch.delenv(f"{variable.name}_FILE", raising=False)
    return tmp_path


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()

    assert settings.database_uri is None
    assert settings.dramatiq.broker_url.get_secret_value() == "redis://localhost:6379/0"
    assert (settings.dramatiq.result_backend, settings.dramatiq.namespace) == (None, "dramatiq")
    assert settings.storage.base_path == "./data"
    assert (settings.log_level, settings.log_format) == ("INFO", "json")
    assert (settings.metrics.host, settings.metrics.port) == ("127.0.0.1", 9191)
    assert (settings.lexiclass_locale, settings.lexiclass_random_seed) == ("en", 42)


def test_every_variable_of_the_contract_is_listed_with_a_meaning() -> None:
    variables = {variable.name: variable for variable in list_variables()}

    assert set(variables) >= {
        "DATABASE_URI", "DRAMATIQ__BROKER_URL", "DRAMATIQ__RESULT_BACKEND", "DRAMATIQ__NAMESPACE",
        "STORAGE__BASE_PATH", "LOG_LEVEL", "LOG_FORMAT", "METRICS__HOST", "METRICS__PORT",
        "LEXICLASS_LOCALE", "LEXICLASS_RANDOM_SEED",
    }  # fmt: skip
    assert all(variable.description for variable in variables.values())
    assert variables["METRICS__PORT"].default == "9191"
    assert variables["DRAMATIQ__BROKER_URL"].default == "redis://localhost:6379/0"


def test_variables_nest_by_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAMATIQ__NAMESPACE", "ours")
    monkeypatch.setenv("METRICS__PORT", "9999")
    monkeypatch.setenv("log_level", "DEBUG")

    settings = load_settings()

    assert (settings.dramatiq.namespace, settings.metrics.port) == ("ours", 9999)
    assert settings.log_level == "DEBUG"


def test_a_dot_env_file_is_read(empty_surroundings: Path) -> None:
    (empty_surroundings / ".env").write_text(f"DATABASE_URI={URI}\nMETRICS__PORT=9292\n")

    settings = load_settings()

    assert settings.require_database_uri() == URI
    assert settings.metrics.port == 9292


def test_the_environment_wins_over_dot_env_and_that_over_a_file(
    empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_surroundings / "secret").write_text("from-file")
    monkeypatch.setenv("DRAMATIQ__NAMESPACE_FILE", str(empty_surroundings / "secret"))
    assert load_settings().dramatiq.namespace == "from-file"

    (empty_surroundings / ".env").write_text("DRAMATIQ__NAMESPACE=from-dot-env\n")
    assert load_settings().dramatiq.namespace == "from-dot-env"

    monkeypatch.setenv("DRAMATIQ__NAMESPACE", "from-environment")
    assert load_settings().dramatiq.namespace == "from-environment"


@pytest.mark.parametrize("variable", list_variables(), ids=lambda variable: variable.name)
def test_every_setting_can_come_from_a_file(
    variable: Variable, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = variable.name
    values = {
        "DATABASE_URI": URI, "DRAMATIQ__BROKER_URL": "redis://r:1/2", "LOG_LEVEL": "ERROR",
        "DRAMATIQ__RESULT_BACKEND": "redis://r:1/3", "LOG_FORMAT": "text",
        "METRICS__DIRECTORY": "/somewhere", "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "7000",
        "LIMITS__MEMORY_BYTES": "2000000", "SANDBOX__GROWTH_BYTES": "2000000",
        "SANDBOX__CONTAINMENT": "required",
        "DRAMATIQ__MESSAGE_BYTES": "2000000", "DRAMATIQ__DEAD_LETTER_BYTES": "2000000",
        "DRAMATIQ__DEAD_LETTERS": "99", "DRAMATIQ__SIGNING_KEYS": "k" * 32,
        "STORAGE__SIGNING_KEYS": "k" * 32, "CONSOLE__ACCOUNTS": "{}",
        "CONSOLE__PROXY_NETWORKS": "10.0.0.0/8", "CONSOLE__PROXY_ROLE": "admin",
        "CONSOLE__TEXTS_FROM": "admin", "EVALUATION__EXAMPLE_TEXTS": "True",
        "METRICS__EXPECTED_WORKERS": "training=2",
    }  # fmt: skip
    numbers = (
        "PORT SEED SIZE TIMEOUT INTERVAL LIMIT_S BYTES ATTEMPTS BACKOFF THREADS PROCESSES JOBS "
        "IDLE LINGER CRASHES AGE_S PER_PROJECT SESSION_S MAX_TASKS"
    ).split()
    value = values.get(name, "99" if any(word in name for word in numbers) else "value")
    secret = empty_surroundings / "secret"
    secret.write_text(f"{value}\n")
    monkeypatch.setenv(f"{name}_FILE", str(secret))

    found: object = load_settings()
    for part in name.lower().split("__"):
        found = getattr(found, part)
    found = found.get_secret_value() if isinstance(found, SecretStr) else found

    assert str(found) in {value, f"{value}.0"}


def test_a_file_named_in_dot_env_is_read(empty_surroundings: Path) -> None:
    (empty_surroundings / "uri").write_text(f"  {URI}\n\n")
    (empty_surroundings / ".env").write_text("DATABASE_URI_FILE=uri\n")

    assert load_settings().require_database_uri() == URI


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff\xfe\xfa", "not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, reason: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = empty_surroundings / "secret"
    if content is not None:
        secret.write_bytes(content)
    monkeypatch.setenv("DATABASE_URI_FILE", str(secret))

    with pytest.raises(ConfigurationError, match=f"DATABASE_URI_FILE: cannot read .*{reason}"):
        load_settings()


@pytest.mark.parametrize("given", [
    "postgresql://app:S3cret!@h/d", "S3cret!", "app:S3cret!@h", "/S3cret!/x", "./S3cret!",
])  # fmt: skip
def test_a_value_in_place_of_the_name_of_its_file_is_not_shown(
    given: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI_FILE", given)

    with pytest.raises(ConfigurationError, match="expected the path of a file") as raised:
        load_settings()
    assert "S3cret" not in str(raised.value)


def test_an_env_file_is_taken_as_it_is_written(empty_surroundings: Path) -> None:
    uri = "postgresql://app:Ab${HOME}x$y@h/d"
    (empty_surroundings / ".env").write_text(f"DATABASE_URI={uri}\n")

    assert load_settings().require_database_uri() == uri


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("METRICS__PROT", "did you mean METRICS__PORT"),
        ("METRICS__HTTP_PORT", "did you mean METRICS__PORT"),
        ("STORAGE_BASE_PATH", "did you mean STORAGE__BASE_PATH"),
        ("DRAMATIQ_BROKER_URL", "did you mean DRAMATIQ__BROKER_URL"),
        ("DRAMATIQ__BROKERURL", "did you mean DRAMATIQ__BROKER_URL"),
        ("METRICS_PORT", "did you mean METRICS__PORT"),
        ("STORAGE__BASE_PATH_FILES", "did you mean STORAGE__BASE_PATH"),
        ("limits__time_limit", "did you mean LIMITS__TIME_LIMIT_S"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_name(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")

    with pytest.raises(ConfigurationError, match=f"no such setting: {name.upper()}.*{hint}"):
        load_settings()


def test_a_misspelt_variable_in_dot_env_is_refused(empty_surroundings: Path) -> None:
    (empty_surroundings / ".env").write_text("METRICS__PROT=1\n")

    with pytest.raises(ConfigurationError, match="METRICS__PROT"):
        load_settings()


@pytest.mark.parametrize(
    "service", ["LEXICLASS_WORKER", "LEXICLASS_API", "STORAGE", "METRICS", "DRAMATIQ", "DATABASE"]
)
def test_the_links_that_kubernetes_makes_for_services_stop_nothing(
    service: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = {
        f"{service}_SERVICE_HOST": "10.0.0.7",
        f"{service}_SERVICE_PORT": "9191",
        f"{service}_SERVICE_PORT_HTTP_METRICS": "9191",
        f"{service}_PORT": "tcp://10.0.0.7:9191",
        f"{service}_PORT_9191_TCP": "tcp://10.0.0.7:9191",
        f"{service}_PORT_9191_TCP_PROTO": "tcp",
        f"{service}_PORT_9191_TCP_PORT": "9191",
        f"{service}_PORT_53_UDP_ADDR": "10.0.0.7",
    }
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    (empty_surroundings / ".env").write_text("".join(f"{k}={v}\n" for k, v in links.items()))

    assert load_settings() == Settings()
    assert unknown_variables() == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LEXICLASS_LOCAL", "LEXICLASS_LOCALE"),
        ("LEXICLASS_LCOALE", "LEXICLASS_LOCALE"),
        ("LEXICLASS_LOCALES_FILE", "LEXICLASS_LOCALE"),
        ("LEXICLASS_RANDOMSEED", "LEXICLASS_RANDOM_SEED"),
        ("LEXICLASS_PRETRAINED_DIR", "LEXICLASS_PRETRAINED_DIRECTORY"),
    ],
)
def test_a_near_miss_of_a_setting_of_the_library_is_refused(
    name: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")

    with pytest.raises(ConfigurationError, match=f"{name} .did you mean {nearest}?"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DATABSE_URI", "DATABASE_URI"),
        ("DATABASE_URL", "DATABASE_URI"),
        ("DATABASEURI_FILE", "DATABASE_URI"),
        ("LOG_LEVLE", "LOG_LEVEL"),
        ("LOG_FORMATT", "LOG_FORMAT"),
        ("STROAGE__BASE_PATH", "STORAGE__BASE_PATH"),
        ("METRIC_PORT", "METRICS__PORT"),
        ("LEXICLASS_RANDOM", "LEXICLASS_RANDOM_SEED"),
        ("LEXICLASS_SEED", "LEXICLASS_RANDOM_SEED"),
        ("LEXICLASS_DIRECTORY", "LEXICLASS_PRETRAINED_DIRECTORY"),
        ("LEXICLASS_LOG_LEVEL", "LOG_LEVEL"),
    ],
)
def test_what_may_be_a_setting_misspelt_or_somebody_elses_stops_nothing_and_is_told(
    name: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "hunter2")

    settings = load_settings()

    assert settings == Settings()
    check = check_settings(settings)
    assert check.ok
    assert f"{name} (did you mean {nearest}?)" in check.warning
    assert "hunter2" not in check.warning


def test_a_name_near_to_a_setting_that_is_given_is_somebody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URI", URI)
    monkeypatch.setenv("DATABASE_URL", "mysql://elsewhere")
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    monkeypatch.setenv("LOGLEVEL", "x")

    assert unknown_variables() == []


def test_a_missing_database_names_the_variable_that_may_have_been_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABSE_URI", URI)

    with pytest.raises(ConfigurationError, match=r"DATABASE_URI is not set.*DATABSE_URI") as raised:
        load_settings().require_database_uri()
    assert "s3cr" not in str(raised.value)


@pytest.mark.parametrize("line", ["garbage here", "LOG_LEVEL='INFO", 'LOG_LEVEL="INFO', "A='x' y"])
def test_a_line_of_dot_env_that_cannot_be_read_is_named(
    line: str, empty_surroundings: Path
) -> None:
    (empty_surroundings / ".env").write_text(f"# ours\n\nLOG_FORMAT=text\n\n{line}\n")

    with pytest.raises(ConfigurationError, match=r"\.env: cannot be read: line 5 is no NAME=value"):
        load_settings()


@pytest.mark.parametrize("written", [r"C:\new\table", r"'C:\new\table'", r'"C:\\new\\table"'])
def test_a_backslash_is_taken_as_it_is_written_or_escaped(
    written: str, empty_surroundings: Path
) -> None:
    (empty_surroundings / ".env").write_text(f"STORAGE__BASE_PATH={written}\n")

    assert load_settings().storage.base_path == r"C:\new\table"


def test_an_escape_that_nobody_can_have_meant_is_refused(empty_surroundings: Path) -> None:
    (empty_surroundings / ".env").write_text('LOG_LEVEL=x\nSTORAGE__BASE_PATH="C:\\new\\table"\n')

    with pytest.raises(
        ConfigurationError, match=r"STORAGE__BASE_PATH: holds a control character.*single quotes"
    ) as raised:
        load_settings()
    assert set(raised.value.problems) == {"LOG_LEVEL", "STORAGE__BASE_PATH"}


@pytest.mark.parametrize(
    "name", ["API_DEBUG", "API_TITLE", "API_LOCALE", "API_LOG_LEVEL", "HOME", "LOG_LEVEL", "X", ""]
)
def test_other_variables_of_the_product_are_let_alone_and_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LEXICLASS_{name}", "x")

    assert load_settings() == Settings()
    assert [unknown.name for unknown in unknown_variables()] == [f"LEXICLASS_{name}"]


@pytest.mark.parametrize(
    ("given", "level"),
    [("info", "INFO"), ("Info", "INFO"), ("warning", "WARNING"), ("WARN", "WARNING"),
     ("warn", "WARNING"), ("Error", "ERROR"), ("trace", "TRACE")],
)  # fmt: skip
def test_a_level_is_known_in_any_case(
    given: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", given)
    monkeypatch.setenv("LOG_FORMAT", "Text")

    assert (load_settings().log_level, load_settings().log_format) == (level, "text")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_files_of_settings_may_come_from_any_editor(
    encoding: str, quote: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "postgresql://user:pässwörd@host/db"
    lines = ["# ours", f"DRAMATIQ__NAMESPACE={quote}ours{quote}", "METRICS__PORT=9292", ""]
    (empty_surroundings / ".env").write_bytes("\r\n".join(lines).encode(encoding))
    (empty_surroundings / "uri").write_bytes(f"{quote}{uri}{quote}\r\n".encode(encoding))
    monkeypatch.setenv("DATABASE_URI_FILE", str(empty_surroundings / "uri"))

    settings = load_settings()

    assert (settings.dramatiq.namespace, settings.metrics.port) == ("ours", 9292)
    assert settings.require_database_uri() == uri


def test_a_dot_env_file_that_is_no_text_is_named(empty_surroundings: Path) -> None:
    (empty_surroundings / ".env").write_bytes(b"METRICS__PORT=9\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match=r"\.env: cannot be read: not UTF-8, UTF-16"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("DATABASE_URI", "postgresql://u:hun/ter2@h/db", "percent-encode"),
        ("DATABASE_URI", "postgresql://h/db?sslmod=require", "sslmod.*did you mean sslmode"),
        ("DRAMATIQ__BROKER_URL", "redis://:hun#ter2@h/0", "percent-encode"),
        ("DRAMATIQ__RESULT_BACKEND", "redis://h/0?foo=bar", "unknown parameter foo"),
        ("DRAMATIQ__BROKER_URL", "rediss://h/0?ssl_cert_reqs=CERT_NONE", "none, optional, requi"),
    ],
)
def test_urls_are_read_when_settings_are_loaded(
    name: str, value: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=f"^invalid settings: {name}: .*{wrong}") as raised:
        load_settings()

    assert not any(part in str(raised.value) for part in ("hun", "ter2"))


def test_a_look_at_settings_that_are_wrong_shows_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("METRICS__PORT", "x")
    monkeypatch.setenv("METRICS__HOST", "::1")
    monkeypatch.setenv("DATABASE_URI", "postgresql://u:hun/ter2@h/db")
    monkeypatch.setenv("METRICS__PROT", "1")

    settings, error = load_settings_as_they_are()

    assert (settings.metrics.host, settings.metrics.port) == ("::1", 9191)
    assert settings.database_uri is None
    assert error is not None
    assert set(error.problems) == {"METRICS__PORT", "DATABASE_URI"}


def test_variables_of_other_programs_are_none_of_our_business(
    empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_HOST", "x")
    monkeypatch.setenv("METRICSX", "x")
    (empty_surroundings / ".env").write_text("POSTGRES_PASSWORD=x\n")

    load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URI", "postgresql+psycopg://user:hunter2@host/db"),
        ("DATABASE_URI", "sqlite:///hunter2"),
        ("METRICS__PORT", "hunter2"),
        ("METRICS__PORT", "0"),
        ("METRICS__PORT", "65536"),
        ("LOG_LEVEL", "hunter2"),
        ("LOG_FORMAT", "xml"),
        ("LEXICLASS_RANDOM_SEED", "-1"),
        ("LIMITS__TIME_LIMIT_S", "0"),
        ("RETRIES__MAX_ATTEMPTS", "0"),
        ("DRAMATIQ__HEARTBEAT_TIMEOUT_MS", "10"),
        ("DATABASE__POOL_SIZE", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=f"invalid settings: {name}: ") as raised:
        load_settings()

    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("value", ["mydb-hunter2", "[1]", "3", '{"pool_size": 7}'])
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_variable_named_like_a_group_is_somebody_elses(
    value: str, where: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == ".env":
        (empty_surroundings / ".env").write_text(f"DATABASE='{value}'\nMETRICS='{value}'\n")
    else:
        monkeypatch.setenv("DATABASE", value)
        monkeypatch.setenv("METRICS", value)

    assert load_settings() == Settings()


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS__PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")

    with pytest.raises(ConfigurationError, match=r"LOG_LEVEL.*METRICS__PORT"):
        load_settings()


def test_a_missing_database_says_what_is_expected_and_where() -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+asyncpg://.*DATABASE_URI_FILE"):
        load_settings().require_database_uri()


def test_passwords_are_in_no_representation() -> None:
    settings = Settings(
        database_uri=SecretStr(URI),
        dramatiq=DramatiqSettings(
            broker_url=SecretStr("redis://:br0ker@r/0"),
            result_backend=SecretStr("redis://u:b%2Fckend@r/1"),
        ),
    )

    own = settings.secrets - environment_secrets()
    assert own == {"s3cr%40t", "s3cr@t", "br0ker", "b%2Fckend", "b/ckend"}
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings!r}"):
        assert not any(secret in text for secret in settings.secrets)


def test_secrets_of_other_libraries_are_known_by_their_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUt/nFEMI",
        "AWS_SESSION_TOKEN": "FwoGZXIvYXdzE",
        "AWS_ENDPOINT_URL_S3": "http://minio:m1n10@p/ss@host:9000",
        "FSSPEC_S3": '{"key": "known", "client": [{"secret": "fs-s3cret"}], "token": {"a": "t0"}}',
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20b34rer,x-key=k3y==",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "n0-key",
        # No secrets.
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path),
        "FSSPEC_GS": "{no json",
    }
    before = environment_secrets()
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    found = {
        *("wJalrXUt/nFEMI", "FwoGZXIvYXdzE", "m1n10@p/ss", "fs-s3cret", "t0"),
        *("Bearer%20b34rer", "Bearer b34rer", "b34rer", "k3y==", "n0-key"),
    }
    assert environment_secrets() - before == found
    assert found <= Settings().secrets


@pytest.mark.parametrize("password", ["w0rd", "p%40ss/w0rd", "p@ss:w0rd", "'\"w0rd #?"])
def test_a_password_in_the_storages_url_is_refused_for_rows_would_have_it(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("STORAGE__BASE_PATH", f"sftp://app:{password}@files.example/lexiclass")

    with pytest.raises(ConfigurationError, match="FSSPEC_SFTP_PASSWORD") as refused:
        load_settings()

    assert "w0rd" not in str(refused.value)
    for url in ("sftp://app@files.example:22/a@b", "hdfs://namenode:9000/a@b"):
        monkeypatch.setenv("STORAGE__BASE_PATH", url)
        load_settings()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URI", "DRAMATIQ__NAMESPACE", "LIMITS__TIME_LIMIT_S", "LOG_LEVEL"):
        monkeypatch.setenv(name, "")

    assert load_settings() == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_settings().log_level = "DEBUG"  # type: ignore[misc]  # which mypy refuses as well
    with pytest.raises(Exception, match="frozen"):
        load_settings().metrics.port = 1  # type: ignore[misc]


def test_a_childs_environment_is_ours_with_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "ours")
    monkeypatch.delenv("ANOTHER_VARIABLE", raising=False)

    environment = export_environment({"ANOTHER_VARIABLE": "theirs"})
    assert (environment["SOME_VARIABLE"], environment["ANOTHER_VARIABLE"]) == ("ours", "theirs")

    monkeypatch.setenv("ANOTHER_VARIABLE", "")
    set_process_variable("ANOTHER_VARIABLE", "set")
    assert export_environment({})["ANOTHER_VARIABLE"] == "set"


@pytest.mark.parametrize("value", ["training", "training=two", "made_up=1", "training=-1", "=3"])
def test_expected_workers_that_cannot_be_read_are_refused(
    value: str, empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS__EXPECTED_WORKERS", value)
    with pytest.raises(ConfigurationError, match="METRICS__EXPECTED_WORKERS: expected queue=numb"):
        load_settings()


def test_expected_workers_are_numbers_by_queue(
    empty_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS__EXPECTED_WORKERS", " training=2, prediction = 0,")
    found = load_settings().metrics.num_expected_workers
    assert found == {"training": 2, "prediction": 0}
