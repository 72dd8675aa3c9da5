"""Settings, from the environment or a ``.env`` file. The one module that reads ``os.environ``.

Each setting ``NAME`` can also be given as ``NAME_FILE``, a file that holds the value, as container
secrets are. A misspelt name of ours is refused at start, as it would otherwise be ignored in
silence; the variables of others are let alone, see :mod:`lexiclass_worker.variables`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from lexiclass_core.access.settings import ConsoleSettings, read_accounts
from lexiclass_core.addresses import (
    POSTGRESQL_FORM,
    InvalidAddress,
    PostgreSQLAddress,
    RedisAddress,
)
from lexiclass_core.keys import Keys
from lexiclass_core.signing import Signer
from lexiclass_core.statuses import Role
from lexiclass_worker.redaction import MASK, Redactor, is_sensitive, secrets_in_json, url_secrets
from lexiclass_worker.standalone_file import STANDALONE_FILE, read_standalone_file
from lexiclass_worker.variables import (
    Unknown,
    UnreadableFile,
    read_env_file,
    read_value_file,
    unknown_names,
    unquoted,
)

ENV_FILE = Path(".env")

# A NAME_FILE that can be shown: an absolute path of plain characters is no URL and no password.
_PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+")

# What a line feed written as an escape comes to, and no setting holds.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

_SHORTEST_OF_OTHERS = 8

# What libraries of the children read; whatever else is there may hold a password.
_FOR_LIBRARIES = re.compile(
    r"LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|LD_PRELOAD"
    r"|(?:OMP|KMP|GOMP|OPENBLAS|GOTO|MKL|BLIS|NUMEXPR|RAYON|POLARS|ARROW|MALLOC)_\w+|GLIBC_TUNABLES"
    r"|TOKENIZERS_PARALLELISM|(?:CUDA|NVIDIA|HIP|ROCR|PYTORCH|TORCH)_\w+"
)
# Some libraries ask for the account, which need not be known; see getpass.getuser.
_NOBODY = "lexiclass"

_LEVEL_NAMES = {"WARN": "WARNING", "FATAL": "CRITICAL"}


class ConfigurationError(Exception):
    """The settings cannot be used; the message names the variable and what is expected.

    Attributes:
        problems: What is wrong, by the variable's name, where that is known.
    """

    def __init__(self, message: str, *, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems = dict(problems or {})


def _level(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _LEVEL_NAMES.get(value.upper(), value.upper())


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class _Group(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class DatabaseSettings(_Group):
    """The connection pool."""

    pool_size: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="Connections each worker process keeps open"
    )
    command_timeout_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="Longest one statement may take, in seconds"
    )


class DramatiqSettings(_Group):
    """The broker."""

    broker_url: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/0"),
        description="Broker: redis://, rediss://, unix:// or redis+sentinel://; see CONNECTIONS.md",
    )
    result_backend: SecretStr | None = Field(
        default=None, description="Result backend; the broker's when not set"
    )
    namespace: Annotated[str, Field(min_length=1)] = Field(
        default="dramatiq", description="Prefix of the Redis keys"
    )
    heartbeat_timeout_ms: Annotated[int, Field(ge=5_000, le=3_600_000)] = Field(
        default=15_000,
        description="Silence after which a worker is given up, its leases with it, and its "
        "messages go to others, in ms",
    )
    message_bytes: Annotated[int, Field(ge=2**16, le=2**29)] = Field(
        default=16 * 2**20,
        description="Largest message that is run, in bytes; a larger one becomes a dead letter "
        "without its content",
    )
    dead_letters: Annotated[int, Field(ge=1)] = Field(
        default=10_000,
        description="Dead letters that are kept of each queue, the newest, for 7 days",
    )
    dead_letter_bytes: Annotated[int, Field(ge=2**20)] = Field(
        default=256 * 2**20,
        description="What these may take together, in bytes, of each queue",
    )
    signing_keys: SecretStr | None = Field(
        default=None,
        description="Keys that messages are signed with, separated by blanks: the first signs, "
        "any of them is accepted, and messages that none has signed are refused; not signed when "
        "not set",
    )
    poll_interval_ms: Annotated[int, Field(ge=10, le=5_000)] = Field(
        default=100, description="Longest an idle worker waits between two looks at a queue, in ms"
    )

    @field_validator("signing_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        Signer.of(None if keys is None else keys.get_secret_value())
        return keys

    @property
    def signing_keys_text(self) -> str | None:
        """The signing keys themselves."""
        return None if self.signing_keys is None else self.signing_keys.get_secret_value()

    @property
    def signer(self) -> Signer | None:
        """Signs and checks messages; None where they are not signed."""
        return Signer.of(self.signing_keys_text)

    @field_validator("broker_url", "result_backend")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            RedisAddress.parse(url.get_secret_value())
        return url


class StorageSettings(_Group):
    """Where documents, indexes, models and predictions are."""

    base_path: Annotated[str, Field(min_length=1)] = Field(
        default="./data",
        description="A directory, or an fsspec URL such as s3://bucket/prefix, for which "
        "AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and keys are read as by every AWS client; see "
        "CONNECTIONS.md",
    )
    signing_keys: SecretStr | None = Field(
        default=None,
        description="Keys that models and indexes are signed with, separated by blanks: the first "
        "signs, any of them is accepted, and what none has signed is not used; not signed when not "
        "set",
    )
    cache_directory: Path | None = Field(
        default=None,
        description="Where copies of an object store's indexes and models are kept, by all "
        "workers of a machine; a folder per user in the temporary directory when not set",
    )
    cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=20 * 2**30,
        description="What these copies may take together, in bytes; an index that takes more is "
        "not read from, a model that takes more is copied for each task",
    )
    cache_age_s: Annotated[float, Field(gt=0)] = Field(
        default=86_400.0,
        description="Age since its last use at which a copy is removed, in seconds: what was "
        "erased in the store is gone from a machine with workers then",
    )

    @field_validator("signing_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        Keys.parse(None if keys is None else keys.get_secret_value())
        return keys

    @property
    def keys(self) -> Keys | None:
        """Signs and checks models and indexes; None where they are not signed."""
        found = self.signing_keys
        return None if found is None else Keys.parse(found.get_secret_value())

    @field_validator("base_path")
    @classmethod
    def _has_no_password(cls, path: str) -> str:
        if "://" in path and url_secrets(path):
            raise ValueError(
                "a password in the URL would be in every row that names a file: give it as the "
                "option of its file system, such as FSSPEC_SFTP_PASSWORD"
            )
        return path


class MetricsSettings(_Group):
    """Prometheus exposition and health."""

    host: str = Field(default="127.0.0.1", description="Address of /metrics, /healthz and /readyz")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=9191, description="Port of the same; one for each worker group on a machine"
    )
    directory: Path | None = Field(
        default=None,
        description="Where a group's processes share their counts; a temporary folder per port "
        "when not set",
    )


class ConsoleServerSettings(_Group):
    """The console, see CONSOLE.md."""

    host: str = Field(
        default="127.0.0.1",
        description="Address the console listens at; another than loopback needs accounts with "
        "passwords, or a proxy",
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8080, description="Its port")
    allowed_hosts: str = Field(
        default="localhost,127.0.0.1,[::1]",
        description="Names under which it may be asked for, separated by commas",
    )
    accounts: SecretStr | None = Field(
        default=None,
        description='People, as JSON: {"anna": {"role": "operator", "password_hash": "..."}}; '
        "roles are viewer, operator and admin, and `lexiclass-worker console hash-password` makes "
        "the hash",
    )
    proxy_networks: str | None = Field(
        default=None,
        description="From where a proxy is believed that says who somebody is, separated by "
        "commas, such as 10.0.0.0/8; nobody is when not set",
    )
    proxy_header: str = Field(
        default="X-Forwarded-User", description="The header in which it says so"
    )
    proxy_role: Role = Field(
        default=Role.VIEWER, description="Role of people whom it names and who have no account"
    )
    session_s: Annotated[float, Field(ge=60, le=30 * 86_400)] = Field(
        default=12 * 3600.0, description="Seconds after which everybody logs in again"
    )
    texts_from: Role = Field(
        default=Role.VIEWER,
        description="Lowest role that sees requests, results and what errors quote",
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        try:
            self.access  # noqa: B018 - says what is wrong
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            said = problem["msg"].removeprefix("Value error, ")
            raise ValueError(f"{problem['loc'][-1]}: {said}") from None
        return self

    @property
    def access(self) -> ConsoleSettings:
        """How the console lets people in."""
        accounts = "{}" if self.accounts is None else self.accounts.get_secret_value()
        proxy = self.proxy_networks and {
            "header": self.proxy_header,
            "networks": _separated(self.proxy_networks),
            "role": self.proxy_role,
        }
        return ConsoleSettings.model_validate(
            {
                "allowed_hosts": _separated(self.allowed_hosts),
                "accounts": read_accounts(accounts),
                "proxy": proxy or None,
                "session_s": self.session_s,
                "texts_from": self.texts_from,
            }
        )


def _separated(text: str) -> list[str]:
    return [part for each in text.split(",") if (part := each.strip())]


def _a_mebibyte_or_none(size: int) -> int:
    if size != 0 and size < 2**20:
        raise ValueError(f"Input should be at least {2**20}, or 0 for no limit")
    return size


class LimitSettings(_Group):
    """Bounds on a single task."""

    time_limit_s: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Overrides the time limit of every actor, in seconds"
    )
    document_bytes: Annotated[int, Field(ge=1)] = Field(
        default=64 * 2**20, description="Largest document that is read, in bytes"
    )
    trainings_per_project: Annotated[int, Field(ge=1)] = Field(
        default=2,
        description="Trainings of one project that run at a time, on all workers together",
    )
    predictions_per_project: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Predictions of one project, and chunks of such, that run at a time, on all "
        "workers together; those of others pass the rest. No limit when not set",
    )
    memory_bytes: Annotated[int, AfterValidator(_a_mebibyte_or_none)] | None = Field(
        default=None,
        description="Memory one task may take in its child process, in bytes; 0 for no limit; when "
        "not set, four fifths of the machine's memory, or of the container's, divided by the "
        "worker's threads",
    )


class SandboxSettings(_Group):
    """The child processes that do the work."""

    native_threads: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Threads of BLAS and OpenMP in each child; the machine's cores divided by the "
        "worker's threads when not set",
    )
    processes: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Processes that one indexing or training may use; as many as there are cores "
        "when not set",
    )
    model_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=512 * 2**20,
        description="Loaded models that a child keeps from one prediction to the next, in bytes; "
        "0 keeps none",
    )
    jobs_per_child: Annotated[int, Field(ge=1)] = Field(
        default=1_000, description="Predictions and evaluations after which a child is replaced"
    )
    growth_bytes: Annotated[int, Field(ge=2**20)] = Field(
        default=512 * 2**20,
        description="Memory that a child may have gained beyond its models before it is replaced, "
        "in bytes",
    )
    containment: Annotated[Literal["auto", "required", "off"], BeforeValidator(_lower)] = Field(
        default="auto",
        description="auto: children have access to the files of their work and to no network, as "
        "far as the kernel can see to it, and what is missing is logged; required: workers do not "
        "start where it can't; off: no such bounds, for plugins that need more",
    )
    idle_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="Time without work after which a child ends, in seconds"
    )


class RetrySettings(_Group):
    """How transient failures are tried again."""

    max_attempts: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Overrides the attempts of every actor, the first included"
    )
    max_crashes: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Overrides how many crashes end a task of any actor: deaths of the process "
        "that did the work, or of its worker",
    )
    min_backoff_s: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="Overrides the wait before the second attempt, in seconds, also after a "
        "full disk",
    )


class ReconcilerSettings(_Group):
    """Sending again what was lost, and removing what was left behind."""

    interval_s: Annotated[float, Field(gt=0)] = Field(
        default=30.0,
        description="How often one of the workers compares tasks and messages, in seconds; a task "
        "to which nothing has happened for so long, and that has no message, is sent again",
    )
    orphan_age_s: Annotated[float, Field(ge=0)] = Field(
        default=86_400.0,
        description="Age at which work in progress that nobody writes to, and files of failed "
        "model versions, are removed, in seconds",
    )


class PredictionSettings(_Group):
    """Prediction."""

    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=5_000, description="Documents of a prediction held in memory at a time"
    )
    chunk_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20_000,
        description="Documents of a prediction that one task predicts; more are divided among "
        "the workers",
    )


class Settings(BaseSettings):
    """Everything that can be set. Groups are nested by ``__``: METRICS__PORT."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        # NAME= in a .env file or a compose file means "not set".
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_uri: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:5432/database, with parameters such as "
        "?sslmode=verify-full; see CONNECTIONS.md; required unless embedded",
    )
    log_level: Annotated[
        Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)
    ] = Field(default="INFO", description="Least severe level that is logged")
    log_format: Annotated[Literal["json", "text"], BeforeValidator(_lower)] = Field(
        default="json", description="json (one object a line) or text"
    )
    lexiclass_locale: str = Field(default="en", description="Default locale of the ML library")
    lexiclass_random_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=42, description="Seed of every random choice of the ML library"
    )
    lexiclass_pretrained_directory: Path = Field(
        default=Path("./pretrained"),
        description="The only folder that requests may load pretrained models from by path",
    )
    database: DatabaseSettings = DatabaseSettings()
    dramatiq: DramatiqSettings = DramatiqSettings()
    storage: StorageSettings = StorageSettings()
    metrics: MetricsSettings = MetricsSettings()
    limits: LimitSettings = LimitSettings()
    sandbox: SandboxSettings = SandboxSettings()
    retries: RetrySettings = RetrySettings()
    reconciler: ReconcilerSettings = ReconcilerSettings()
    prediction: PredictionSettings = PredictionSettings()
    console: ConsoleServerSettings = ConsoleServerSettings()

    @field_validator("database_uri")
    @classmethod
    def _is_postgresql(cls, uri: SecretStr | None) -> SecretStr | None:
        if uri is not None:
            PostgreSQLAddress.parse(uri.get_secret_value())
        return uri

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment; :func:`load_settings` reads ``.env`` too."""
        del env_settings, dotenv_settings, file_secret_settings
        return (init_settings, _Variables(settings_cls))

    @property
    def secrets(self) -> frozenset[str]:
        """Every value that must not be shown, in each spelling it was given in.

        The passwords of URLs, other secret settings whole, and what other libraries of this process
        read from the environment: keys of object stores, tokens.
        """
        found = set(environment_secrets())
        for value in _secret_values(self):
            text = value.get_secret_value()
            found |= address.secrets if (address := _address(text)) else {text, *text.split()}
        return frozenset(found)

    @cached_property
    def redact(self) -> Redactor:
        """Hides these secrets in whatever is shown or written down."""
        return Redactor(self.secrets)

    def require_database_uri(self) -> str:
        """The database URI.

        Raises:
            ConfigurationError: If DATABASE_URI is not set.
        """
        if self.database_uri is None and read_standalone_file() is not None:
            raise ConfigurationError(
                "`lexiclass-worker standalone`, which had its settings in this folder's "
                f"{STANDALONE_FILE}, is not running: start it again, or set DATABASE_URI"
            )
        if self.database_uri is None:
            near = [each for each in unknown_variables() if each.nearest == "DATABASE_URI"]
            found = f"; {', '.join(each.name for each in near)} is another variable" if near else ""
            raise ConfigurationError(
                f"DATABASE_URI is not set: expected {POSTGRESQL_FORM}, in the environment, in "
                f"{ENV_FILE} or in the file that DATABASE_URI_FILE names{found}"
            )
        return self.database_uri.get_secret_value()


class _Variables(EnvSettingsSource):
    """Our variables only: what others call DATABASE or STORAGE_PORT means nothing here."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in _given(os.environ).items()}


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting, as an operator meets it."""

    name: str
    default: str
    description: str


def list_variables() -> list[Variable]:
    """Every setting, in the order of declaration."""
    return list(_walk(Settings, prefix=""))


def load_settings() -> Settings:
    """Settings from the environment and ``.env``, checked whole.

    Where neither names a database, those of a ``standalone`` that runs in this folder count too.

    Raises:
        ConfigurationError: If a value is wrong, a secret file cannot be read, or a variable under
            one of our prefixes names no setting. Values are never repeated in the message.
    """
    misspelt = [unknown for unknown in unknown_variables() if unknown.is_ours]
    if misspelt:
        hints = ", ".join(map(str, misspelt))
        raise ConfigurationError(f"no such setting: {hints}; `config show` lists them all")
    return make_settings(_with_standalone(given_variables()))


def load_settings_as_they_are() -> tuple[Settings, ConfigurationError | None]:
    """Settings for a look at them: what is wrong has its default, and the error that says so.

    Raises:
        ConfigurationError: If a file of settings cannot be read.
    """
    given = _with_standalone(given_variables())
    try:
        return make_settings(given), None
    except ConfigurationError as error:
        defaults = {name: _default(name) for name in error.problems}
        return make_settings({**given, **defaults}), error


def redactor_at_hand() -> Redactor:
    """Hides secrets in what is said of any failure, also one to load the settings."""
    try:
        return load_settings_as_they_are()[0].redact
    except ConfigurationError:
        return Redactor(environment_secrets())


def environment_secrets() -> frozenset[str]:
    """The secrets of other libraries in the environment, by the names of the variables.

    Those that hold JSON, as FSSPEC_S3 does, are looked into.
    """
    found: set[str] = set()
    for name, value in os.environ.items():
        if is_sensitive(name):
            # Not the folder PWD, the file of a key, or HF_HUB_DISABLE_IMPLICIT_TOKEN=true.
            is_other = len(value) < _SHORTEST_OF_OTHERS or os.path.exists(value)  # noqa: PTH110 - any length
            found |= set() if is_other else {value}
        elif value.startswith("{"):
            found |= secrets_in_json(value)
        elif "://" in value:
            found |= url_secrets(value)
    return frozenset(found)


def unverified_connections(settings: Settings) -> dict[str, str]:
    """What is wrong with connections that others could read or pose as the server of, by variable.

    None is refused for it: a network may be as closed as a machine.
    """
    given = {
        "DATABASE_URI": settings.database_uri,
        "DRAMATIQ__BROKER_URL": settings.dramatiq.broker_url,
        "DRAMATIQ__RESULT_BACKEND": settings.dramatiq.result_backend,
    }
    addresses = {name: _address(url.get_secret_value()) for name, url in given.items() if url}
    return {
        name: found.unverified for name, found in addresses.items() if found and found.unverified
    }


def shown(value: SecretStr) -> str:
    """A secret setting as people may see it: an address without its password, or ``***``."""
    address = _address(value.get_secret_value())
    return address.shown if address else MASK


def given_variables() -> dict[str, str]:
    """What the environment and ``.env`` say of our settings.

    Raises:
        ConfigurationError: If a file of settings cannot be read.
    """
    return _given(os.environ, _env_file(ENV_FILE))


def unknown_variables() -> list[Unknown]:
    """Variables that look like settings of ours and are none."""
    given = {**_env_file(ENV_FILE), **os.environ}
    return unknown_names(
        {name.upper(): value for name, value in given.items()},
        {variable.name for variable in list_variables()},
    )


def _given(*sources: Mapping[str, str]) -> dict[str, str]:
    """The values of our variables; the first source that has one wins, NAME_FILE comes last."""
    tables = [{name.upper(): value for name, value in source.items()} for source in sources]

    def first(name: str) -> str | None:
        return next((value for table in tables if (value := unquoted(table.get(name, "")))), None)

    found: dict[str, str] = {}
    for variable in list_variables():
        value = first(variable.name)
        file = f"{variable.name}_FILE"
        if value is None and (path := first(file)) is not None:
            value = _secret(file, path)
        if value is not None:
            found[variable.name] = value
    return found


def _with_standalone(given: Mapping[str, str]) -> Mapping[str, str]:
    if "DATABASE_URI" in given or (found := read_standalone_file()) is None:
        return given
    return {**found.variables, **given}


def make_settings(given: Mapping[str, Any]) -> Settings:
    """Settings out of the values of variables.

    Raises:
        ConfigurationError: If one is wrong; values are not repeated.
    """
    problems = {
        variable: "holds a control character, such as a line feed: between double quotes in .env a "
        "backslash begins an escape, between single quotes it does not"
        for variable, value in given.items()
        if isinstance(value, str) and _CONTROL_CHARACTER.search(value)
    }
    arguments: dict[str, Any] = {}
    for variable, value in given.items():
        if variable not in problems:
            *groups, name = variable.lower().split("__")
            values = arguments
            for group in groups:
                values = values.setdefault(group, {})
            values[name] = value
    try:
        settings = Settings(**arguments)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            variable = "__".join(map(str, problem["loc"])).upper()
            problems[variable] = problem["msg"].removeprefix("Value error, ")
    if problems:
        text = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise ConfigurationError(f"invalid settings: {text}", problems=problems)
    return settings


def export_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process: ours, with some variables set."""
    return {**os.environ, **variables}


def environment_of_children() -> dict[str, str]:
    """The environment of processes that read foreign bytes: what libraries need, and no secrets."""
    kept = {name: value for name, value in os.environ.items() if _FOR_LIBRARIES.fullmatch(name)}
    return {**kept, "HF_HUB_CACHE": pretrained_cache(), "USER": _NOBODY, "LOGNAME": _NOBODY}


def pretrained_cache() -> str:
    """Folder of the models that were downloaded from the Hugging Face hub, there or not.

    See https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~", ".cache")
    home = os.environ.get("HF_HOME") or Path(caches, "huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    try:
        return str(folder.expanduser())
    except RuntimeError:
        return str(folder)  # of an account that nobody knows, and without a home


def set_process_variable(name: str, value: str) -> None:
    """Set a variable that a library of this process reads (Prometheus' shared folder)."""
    os.environ[name] = value


def _secret_values(group: BaseModel) -> Iterator[SecretStr]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, SecretStr):
            yield value
        elif isinstance(value, BaseModel):
            yield from _secret_values(value)


def _address(text: str) -> PostgreSQLAddress | RedisAddress | None:
    """A secret setting's value as the address that it is, if it is one."""
    for kind in (PostgreSQLAddress, RedisAddress):
        with suppress(InvalidAddress):
            return kind.parse(text)
    return None


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Variable]:
    for name, field in model.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from _walk(group, prefix=f"{prefix}{name.upper()}__")
        else:
            yield Variable(f"{prefix}{name.upper()}", _show(field), field.description or "")


def _show(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "" if default is None else str(default)


def _default(variable: str) -> Any:
    *groups, name = variable.lower().split("__")
    model: Any = Settings
    for group in groups:
        model = model.model_fields[group].annotation
    return model.model_fields[name].default


def _env_file(path: Path) -> Mapping[str, str]:
    try:
        return read_env_file(path)
    except UnreadableFile as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def _secret(variable: str, path: str) -> str:
    try:
        return read_value_file(Path(path))
    except UnreadableFile as error:
        # Whoever gave the value itself in place of its file's name would read it here.
        named = path if _PLAIN_PATH.fullmatch(path) else "what it names"
        raise ConfigurationError(
            f"{variable}: cannot read {named}: {error}; expected the path of a file with the value"
        ) from None
