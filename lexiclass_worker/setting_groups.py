"""The groups of settings: DATABASE__..., DRAMATIQ__..., and so on."""

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

from lexiclass_core.access.settings import ConsoleSettings, read_accounts
from lexiclass_core.addresses import RedisAddress
from lexiclass_core.keys import Keys
from lexiclass_core.queue_config import QueueName
from lexiclass_core.signing import Signer
from lexiclass_core.statuses import Role
from lexiclass_worker.redaction import url_secrets


def lower_case(value: Any) -> Any:
    """A text in lower case; what is none as it is."""
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
    expected_workers: str = Field(
        default="",
        description="Worker processes that are to listen to each queue, of all groups together, as "
        "indexing=1,training=2: told as lexiclass_workers_expected, so that missing ones are seen",
    )

    linger_s: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="How long a worker that ends by LIMITS__MAX_TASKS waits for a scrape, in "
        "seconds: what it has counted last is told by none else",
    )

    @field_validator("expected_workers")
    @classmethod
    def _check_expected_workers(cls, value: str) -> str:
        read_expected_workers(value)
        return value

    @property
    def num_expected_workers(self) -> dict[str, int]:
        """Of each queue that is named."""
        return read_expected_workers(self.expected_workers)


def read_expected_workers(value: str) -> dict[str, int]:
    """Numbers of workers by queue.

    Raises:
        ValueError: If it is not written as ``queue=number``, separated by commas.
    """
    found = {}
    for part in filter(None, map(str.strip, value.split(","))):
        queue, _, number = map(str.strip, part.partition("="))
        if queue not in {*QueueName} or not (number.isascii() and number.isdigit()):
            raise ValueError(
                f"expected queue=number separated by commas, with queues of {', '.join(QueueName)}"
            )
        found[queue] = int(number)
    return found


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
        description="Lowest role that sees requests, results, what errors quote, texts "
        "of documents and which class each has",
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
    max_tasks: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Tasks after which a worker process ends its group; as many as there are "
        "when not set",
    )
    idle_s: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Seconds without a task after which a worker process ends its group, as one "
        "that was started for a task which another has done; it waits for ever when not set",
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
    containment: Annotated[Literal["auto", "required", "off"], BeforeValidator(lower_case)] = Field(
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


class EvaluationSettings(_Group):
    """Evaluation."""

    example_texts: bool = Field(
        default=False,
        description="Whether reports of evaluations show the beginnings of texts that are "
        "predicted wrong: whoever reads a report then reads these, too",
    )


class IndexingSettings(_Group):
    """Indexing."""

    chunk_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100_000,
        description="New documents of an indexing that one task reads; more are divided among the "
        "workers",
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
