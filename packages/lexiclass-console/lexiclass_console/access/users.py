"""Who has sent a request."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lexiclass_core.access.settings import Account, ConsoleSettings, ProxyLogin
from lexiclass_core.access.tokens import User, user_of

COOKIE: Final = "lexiclass_console"
BROWSER_COOKIE: Final = "lexiclass_console_browser"
_REMEMBERED_S: Final = 180 * 86_400
_LONGEST_NAME: Final = 200

# In no token, and in no hexadecimal digits.
_END: Final = "."


async def user_behind(
    request: Request, settings: ConsoleSettings, session: AsyncSession
) -> User | None:
    """Whose session a request is of, or whom the proxy names; None for a stranger.

    Raises:
        HTTPException: If what the proxy says is no name.
    """
    if settings.proxy is not None and (name := _named_by(request, settings.proxy)):
        account = settings.accounts.get(name)
        return User(name, account.role if account is not None else settings.proxy.role)
    token = request.cookies.get(COOKIE)
    user = await user_of(session, token) if token else None
    if user is None or not token or _END not in token:
        return user
    account = settings.accounts.get(user.name)
    if account is None or not token.startswith(session_prefix(account)):
        return None
    return User(user.name, account.role)


def session_prefix(account: Account) -> str:
    """What tokens of sessions begin with that a password has opened.

    They end with the account, or once it has another password, and may what it may then.
    """
    stored = account.password_hash
    of_password = "" if stored is None else stored.get_secret_value()
    return hashlib.sha256(of_password.encode()).hexdigest()[:16] + _END


def _named_by(request: Request, proxy: ProxyLogin) -> str | None:
    try:
        address = ip_address(request.client.host if request.client is not None else "")
    except ValueError:
        return None
    if not any(address in network for network in proxy.networks):
        return None
    names = request.headers.getlist(proxy.header)
    # Two of them: one is not the proxy's.
    if len(names) != 1:
        return None
    try:
        # Bytes of headers are read as Latin-1, which proxies do not write names in.
        name = names[0].encode("latin-1").decode().strip()
    except UnicodeDecodeError:
        raise _no_name(proxy, "is not UTF-8") from None
    if not name.isprintable():
        raise _no_name(proxy, "holds characters that no name has")
    if len(name) > _LONGEST_NAME:
        raise _no_name(proxy, f"is longer than {_LONGEST_NAME} characters")
    return name or None


def _no_name(proxy: ProxyLogin, why: str) -> HTTPException:
    return HTTPException(
        403,
        f"The proxy says in {proxy.header} who you are, and that {why}: nobody is let in by it.",
    )


def set_session(response: Response, request: Request, token: str, lasts_s: float) -> None:
    """Have a browser keep a session's token."""
    _set_cookie(response, request, COOKIE, token, lasts_s)


def remember_browser(response: Response, request: Request, mark: str) -> None:
    """Have a browser keep by what it is known once its session has ended; it opens nothing."""
    _set_cookie(response, request, BROWSER_COOKIE, mark, _REMEMBERED_S)


def _set_cookie(
    response: Response, request: Request, name: str, value: str, lasts_s: float
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lasts_s),
        path=_path_of(request),
        httponly=True,
        secure=_is_encrypted(request),
        samesite="lax",
    )


def forget_session(response: Response, request: Request) -> None:
    """Have a browser forget it."""
    response.delete_cookie(COOKIE, path=_path_of(request), httponly=True, samesite="lax")


def _is_encrypted(request: Request) -> bool:
    """Whether the browser reaches the console by TLS, which mostly ends at a proxy.

    Of its side of the proxy the browser tells in the Origin of a form.
    """
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.startswith("https://")


def _path_of(request: Request) -> str:
    return str(request.scope.get("root_path", "")) or "/"
