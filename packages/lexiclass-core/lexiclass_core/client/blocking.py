"""Methods for code without an event loop, made of those of asyncio."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
AsyncT = TypeVar("AsyncT")
AsyncT_co = TypeVar("AsyncT_co", covariant=True)


class Run(Protocol):
    """Runs a coroutine to its end."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """Return what it returns."""


class _Blocking(Protocol[AsyncT_co]):
    @property
    def _asynchronous(self) -> AsyncT_co: ...

    def _run(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class Blocking(Generic[AsyncT]):
    """What has the methods of another object, and waits for them."""

    def __init__(self, asynchronous: AsyncT, run: Run) -> None:
        self._asynchronous = asynchronous
        self._run = run


def blocking(
    method: Callable[Concatenate[AsyncT, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Blocking[AsyncT], P], T]:
    """A method that waits for one of the same name, arguments and documentation."""

    # Not what a method has as an attribute: one of an abstract method says that it is.
    @wraps(method, updated=())
    def wait(self: _Blocking[AsyncT], /, *args: P.args, **kwargs: P.kwargs) -> T:
        asynchronous = getattr(self._asynchronous, method.__name__)
        result: T = self._run(asynchronous(*args, **kwargs))
        return result

    return wait
