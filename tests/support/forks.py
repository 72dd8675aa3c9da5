"""Uses of stored or foreign data, each in a process of its own."""

import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from lexiclass import LexiClassError

# More than any use needs on a machine that is busy, and less than one that hangs.
_LONGEST_S: Final = 60
_MEMORY_BYTES: Final = 3 * 2**30

_CLEAN: Final = multiprocessing.get_context("forkserver")
# Once, and not in every process; what is not installed is left out.
_CLEAN.set_forkserver_preload(
    [
        "lexiclass.training",
        "lexiclass.plugins.classifiers.svm.classifier",
        "lexiclass.plugins.features.ngrams.tfidf",
        "sklearn.svm",
        "gensim.models.fasttext",
        "sentencepiece",
        "tokenizers",
        "torch",
        "transformers",
        "sentence_transformers",
        "xgboost",
    ]
)


def outcome(use: Callable[[], Any]) -> str:
    """What becomes of a use of data, in a fork of this process with bounded time and memory.

    Returns:
        What it returned, as text, after ``came to``; ``refused with`` and the code of an error of
        the library; else what must not be: the traceback of another exception, or how the process
        died.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        answer = _answer(use)
        with os.fdopen(writer, "wb") as told:
            told.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        answer = answers.read()
    _, status = os.waitpid(pid, 0)
    return answer.decode() if os.WIFEXITED(status) else _death(status & 127)


def outcome_elsewhere(use: Callable[..., Any], *arguments: Any) -> str:
    """As :func:`outcome`, in a fork of a process that has never computed anything.

    A library whose threads were started stands still in a fork, which has none of them.

    Args:
        use: A function of a module, for it is named to the other process.
        arguments: What it is given; they are pickled.
    """
    reader, writer = _CLEAN.Pipe(duplex=False)
    process = _CLEAN.Process(target=_tell, args=(writer, use, arguments))
    process.start()
    writer.close()
    with reader, suppress(EOFError):
        answer = reader.recv_bytes()
    process.join()
    code = process.exitcode
    assert code is not None
    return _death(-code) if code < 0 else answer.decode()


def _tell(writer: Connection, use: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    writer.send_bytes(_answer(lambda: use(*arguments)))


def _answer(use: Callable[[], Any]) -> bytes:
    try:
        _limit()
        answer = f"came to {use()!r}"
    except LexiClassError as error:
        answer = f"refused with {error.code}"
    except BaseException:  # noqa: BLE001 - a panic included
        answer = traceback.format_exc()
    return answer.encode("utf-8", "backslashreplace")


def _death(number: int) -> str:
    return f"killed by {signal.Signals(number).name}"


def _limit() -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ends the process inside a C call as well, which a handler in Python would not.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_S)
