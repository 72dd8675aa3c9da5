"""How the console lets people in: under which names it is reached, and who has an account."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from lexiclass_core.statuses import Role

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Account(_Settings):
    """Somebody with a password.

    Attributes:
        password_hash: As ``lexiclass-worker console hash-password`` prints it; None for people
            whom a proxy has asked.
    """

    role: Role = Role.VIEWER
    password_hash: SecretStr | None = None

    @field_validator("password_hash")
    @classmethod
    def _is_argon2(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("$argon2id$"):
            raise ValueError(
                "expected a hash of Argon2id, as `lexiclass-worker console hash-password` prints it"
            )
        return value


class ProxyLogin(_Settings):
    """A proxy that asks who somebody is, and says so in a header.

    Attributes:
        header: The header; the proxy must set or remove it in every request.
        networks: From where alone it is believed.
        role: Of people who have no account here.
    """

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")] = "X-Forwarded-User"
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(min_length=1)
    role: Role = Role.VIEWER

    @field_validator("networks", mode="before")
    @classmethod
    def _are_networks(cls, given: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
        try:
            return tuple(ip_network(each) for each in given)
        except ValueError as error:
            raise ValueError(f"{error}; expected networks such as 10.0.0.0/8") from None


_ACCOUNTS: Final = TypeAdapter(dict[Name, Account])


def read_accounts(text: str) -> dict[str, Account]:
    """Read people by name from JSON.

    Raises:
        ValueError: If it is none of people; what is wrong is not quoted, as it may be a secret.
    """
    try:
        return _ACCOUNTS.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "".join(f" of {part!r}" for part in problem["loc"][:1])
        raise ValueError(
            f"the accounts cannot be read: {problem['msg']}{where}; expected JSON such as "
            '{"anna": {"role": "operator", "password_hash": "$argon2id$..."}}'
        ) from None


class ConsoleSettings(_Settings):
    """How the console lets people in.

    Attributes:
        allowed_hosts: Names under which it may be asked for, ports apart.
        accounts: People by name.
        proxy: A proxy that asks for the console; None if there is none.
        session_s: Seconds after which everybody logs in again.
        texts_from: The lowest role that sees requests, results, texts, and which class a
            document has.
        live_interval_s: Seconds between two looks at what is on a page.
        max_streams: Pages that are kept up to date at a time; others can be reloaded.
    """

    allowed_hosts: tuple[str, ...] = LOOPBACK
    accounts: dict[Name, Account] = Field(default_factory=dict)
    proxy: ProxyLogin | None = None
    session_s: float = Field(12 * 3600, ge=60, le=30 * 86_400)
    texts_from: Role = Role.VIEWER
    live_interval_s: float = Field(2.0, ge=0.05, le=60)
    max_streams: int = Field(50, ge=0, le=10_000)

    @property
    def has_passwords(self) -> bool:
        """Whether anybody can log in with a password."""
        return any(account.password_hash is not None for account in self.accounts.values())

    @property
    def asks_who(self) -> bool:
        """Whether there is any way in but the one-time link."""
        return self.has_passwords or self.proxy is not None
