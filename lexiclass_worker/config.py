"""Settings, from the environment or a ``.env`` file. The one module that reads ``os.environ``.

Each setting ``NAME`` can also be given as ``NAME_FILE``, a file that holds the value, as container
secrets are. A variable under one of our prefixes that names no setting is refused at start: a
misspelt name would otherwise be ignored in silence.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

ENV_FILE = Path(".env")

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_REDIS_FORM = "redis://:password@host:6379/0"
_DATABASE_URI_FORM = "postgresql+asyncpg://user:password@host:5432/database"


class ConfigurationError(Exception):
    """The settings cannot be used; the message names the variable and what is expected."""


class _Group(BaseModel):
    # "ignore", for NAME_FILE arrives here too; load_settings refuses names that are unknown.
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
        default=SecretStr("redis://localhost:6379/0"), description="Broker"
    )
    result_backend: SecretStr | None = Field(
        default=None, description="Result backend; the broker's when not set"
    )
    namespace: Annotated[str, Field(min_length=1)] = Field(
        default="dramatiq", description="Prefix of the Redis keys"
    )
    heartbeat_timeout_ms: Annotated[int, Field(ge=5_000)] = Field(
        default=15_000,
        description="Silence after which a worker is given up, its leases with it, and its "
        "messages go to others, in ms",
    )
    poll_interval_ms: Annotated[int, Field(ge=10, le=5_000)] = Field(
        default=100, description="Longest an idle worker waits between two looks at a queue, in ms"
    )

    @field_validator("broker_url", "result_backend")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(_REDIS_SCHEMES):
            raise ValueError(f"expected {_REDIS_FORM}")
        return url


class StorageSettings(_Group):
    """Where documents, indexes, models and predictions are."""

    base_path: Annotated[str, Field(min_length=1)] = Field(
        default="./data", description="A directory, or an fsspec URL such as s3://bucket/prefix"
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
    memory_bytes: Annotated[int, Field(ge=2**20)] | None = Field(
        default=None,
        description="Memory one task may take in its child process, in bytes; no limit when not "
        "set",
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
        default=None, description="Overrides the wait before the second attempt, in seconds"
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
        description="postgresql+asyncpg://user:password@host:5432/db; required unless embedded",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="Least severe level that is logged"
    )
    log_format: Literal["json", "text"] = Field(
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

    @field_validator("database_uri")
    @classmethod
    def _is_postgresql(cls, uri: SecretStr | None) -> SecretStr | None:
        if uri is not None and not uri.get_secret_value().startswith("postgresql+asyncpg://"):
            raise ValueError(f"expected {_DATABASE_URI_FORM}")
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
        """Arguments win over the environment, that over ``.env``, that over NAME_FILE."""
        del file_secret_settings
        env_file = getattr(dotenv_settings, "env_file", None)
        files = _SecretFiles(settings_cls, env_file=env_file)
        return (init_settings, env_settings, dotenv_settings, files)

    @property
    def secrets(self) -> frozenset[str]:
        """Every value that must not be shown: passwords, and URLs that hold one."""
        urls = (self.database_uri, self.dramatiq.broker_url, self.dramatiq.result_backend)
        passwords = {urlsplit(url.get_secret_value()).password for url in urls if url is not None}
        return frozenset(
            spelling
            for password in passwords
            if password
            for spelling in (password, unquote(password))
        )

    def require_database_uri(self) -> str:
        """The database URI.

        Raises:
            ConfigurationError: If DATABASE_URI is not set.
        """
        if self.database_uri is None:
            raise ConfigurationError(
                f"DATABASE_URI is not set: expected {_DATABASE_URI_FORM}, in the environment, in "
                f"{ENV_FILE} or in the file that DATABASE_URI_FILE names"
            )
        return self.database_uri.get_secret_value()


class _SecretFiles(DotEnvSettingsSource):
    """Reads NAME from the file that NAME_FILE names, in the environment or in ``.env``."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        variables = {**super()._load_env_vars(), **_lower_case(os.environ)}
        known = {variable.name.lower() for variable in list_variables()}
        return {
            name: _read_secret(f"{name}_file".upper(), path)
            for name in known
            if (path := variables.get(f"{name}_file"))
        }


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

    Raises:
        ConfigurationError: If a value is wrong, a secret file cannot be read, or a variable under
            one of our prefixes names no setting. Values are never repeated in the message.
    """
    _refuse_unknown_variables()
    try:
        return Settings(_env_file=ENV_FILE)
    except ValidationError as error:
        problems = "; ".join(
            f"{'__'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"invalid settings: {problems}") from None
    except SettingsError as error:
        # A variable with the name of a group, DATABASE or STORAGE: read as JSON, which it is not.
        raise ConfigurationError(
            f"invalid settings: {error}; the settings of a group have names such as METRICS__PORT"
        ) from None


def export_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process: ours, with some variables set."""
    return {**os.environ, **variables}


def set_process_variable(name: str, value: str) -> None:
    """Set a variable that a library of this process reads (Prometheus' shared folder)."""
    os.environ[name] = value


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


def _refuse_unknown_variables() -> None:
    known = {variable.name for variable in list_variables()}
    prefixes = {name.partition("__")[0] + "__" for name in known if "__" in name} | {"LEXICLASS_"}
    given = {name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE))}
    unknown = sorted(
        name
        for name in given
        if name.startswith(tuple(prefixes)) and name.removesuffix("_FILE") not in known
    )
    if unknown:
        nearest = {name: get_close_matches(name, known, n=1) for name in unknown}
        hints = ", ".join(
            f"{name} (did you mean {match[0]}?)" if match else name
            for name, match in nearest.items()
        )
        raise ConfigurationError(f"no such setting: {hints}; `config show` lists them all")


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{variable}: cannot read {path}: {reason}") from None


def _lower_case(variables: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in variables.items()}
