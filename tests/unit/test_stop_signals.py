"""Signals that mean "stop", in the middle of a step that must be finished."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from lexiclass_worker.stop_signals import STOP_SIGNALS, stop_signals_put_off


@pytest.fixture(params=STOP_SIGNALS, ids=lambda number: number.name, autouse=True)
def stop_signal(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal whose handler raises, in a process with another thread to take it."""
    number: signal.Signals = request.param
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    previous = signal.signal(number, signal.default_int_handler)
    thread.start()
    try:
        yield number
    finally:
        ended.set()
        thread.join()
        signal.signal(number, previous)


def test_a_signal_is_handled_when_the_step_is_done(stop_signal: signal.Signals) -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), stop_signals_put_off():  # noqa: PT012 - the point
        os.kill(os.getpid(), stop_signal)
        time.sleep(0.05)
        steps.append("done")

    assert steps == ["done"]


def test_a_step_that_fails_hides_no_signal(stop_signal: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as raised, stop_signals_put_off():  # noqa: PT012
        os.kill(os.getpid(), stop_signal)
        time.sleep(0.05)
        raise ZeroDivisionError

    assert isinstance(raised.value.__context__, ZeroDivisionError)


def test_without_a_signal_nothing_is_different_afterwards(stop_signal: signal.Signals) -> None:
    with stop_signals_put_off():
        pass

    assert signal.getsignal(stop_signal) is signal.default_int_handler
