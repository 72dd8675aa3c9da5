from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from lexiclass.processes import forked_map


@pytest.mark.parametrize("num_processes", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(num_processes: int) -> None:
    factor = 3  # a closure needs no pickling
    items = iter(range(50))
    found = forked_map(lambda item: item * factor, items, num_processes=num_processes)
    assert list(found) == [item * 3 for item in range(50)]


def test_several_processes_do_the_work() -> None:
    def work(_: int) -> int:
        time.sleep(0.05)
        return os.getpid()

    workers = set(forked_map(work, range(8), num_processes=2))
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = forked_map(abs, items(), num_processes=2)
    assert isinstance(results, Generator)
    assert next(results) == 0
    assert len(taken) < 20
    results.close()


def test_a_process_has_its_next_item_before_a_result_is_handed_over() -> None:
    taken = []

    def items() -> Iterator[float]:
        for item in (0.0, 60.0, 0.0):
            taken.append(item)
            yield item

    results = forked_map(time.sleep, items(), num_processes=2)
    assert isinstance(results, Generator)
    next(results)
    # Whoever was first has the third, whatever the caller does with the result.
    assert len(taken) == 3
    results.close()


def test_an_error_of_the_work_reaches_the_caller() -> None:
    def work(item: int) -> int:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(forked_map(work, range(4), num_processes=2))


def test_a_result_that_cannot_be_sent_reaches_the_caller_as_an_error() -> None:
    with pytest.raises((TypeError, AttributeError), match=r"(?i)pickle"):
        list(forked_map(lambda item: lambda: item, range(4), num_processes=2))


def test_a_process_that_dies_ends_the_work() -> None:
    def work(item: int) -> int:
        if item == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(BrokenExecutor):
        list(forked_map(work, range(8), num_processes=2))


def test_large_items_and_results_do_not_wait_for_each_other() -> None:
    large = 8 * 2**20
    items = (bytes(large) for _ in range(6))
    found = forked_map(lambda item: item + b"!", items, num_processes=2)
    assert [len(result) for result in found] == [large + 1] * 6


def test_no_process_and_no_descriptor_stays() -> None:
    before = _open_files()
    results = forked_map(lambda _: os.getpid(), range(100), num_processes=3)
    assert isinstance(results, Generator)
    pid = next(results)
    results.close()
    assert not _is_alive(pid)
    assert _open_files() == before


def test_who_waits_is_told_so() -> None:
    told = []

    def work(item: int) -> int:
        time.sleep(0.5)
        return item

    found = forked_map(work, range(2), num_processes=2, while_waiting=lambda: told.append(1))
    assert list(found) == [0, 1]
    assert told


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    code = f"""
import os, time
from pathlib import Path
from lexiclass.processes import forked_map
def work(item):
    Path({str(tmp_path)!r}, str(os.getpid())).touch()
    time.sleep(60)
list(forked_map(work, range(2), num_processes=2))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = [int(path.name) for path in tmp_path.iterdir()]
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert len(workers) == 2
    while any(map(_is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_is_alive, workers))


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
