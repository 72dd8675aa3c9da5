"""Settings, from the environment or a ``.env`` file.

Each setting ``NAME`` can also be given as ``NAME_FILE``, a file that holds the value, as container
secrets are. A misspelt name of ours is refused at start, as it would otherwise be ignored in
silence; the variables of others are let alone, see :mod:`lexiclass_worker.variables`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from lexiclass_core.addresses import (
    POSTGRESQL_FORM,
    InvalidAddress,
    PostgreSQLAddress,
    RedisAddress,
)
from lexiclass_worker.config.environment import environment_secrets, variables_of_process
from lexiclass_worker.redaction import (
    MASK,
    Redactor,
)
from lexiclass_worker.setting_groups import (
    ConsoleServerSettings,
    DatabaseSettings,
    DramatiqSettings,
    EvaluationSettings,
    IndexingSettings,
    LimitSettings,
    MetricsSettings,
    PredictionSettings,
    ReconcilerSettings,
    RetrySettings,
    SandboxSettings,
    StorageSettings,
    lower_case,
)
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
    log_format: Annotated[Literal["json", "text"], BeforeValidator(lower_case)] = Field(
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
    indexing: IndexingSettings = IndexingSettings()
    prediction: PredictionSettings = PredictionSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
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
        return {name.lower(): value for name, value in _given(variables_of_process()).items()}


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
    return _given(variables_of_process(), _env_file(ENV_FILE))


def unknown_variables() -> list[Unknown]:
    """Variables that look like settings of ours and are none."""
    given = {**_env_file(ENV_FILE), **variables_of_process()}
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
