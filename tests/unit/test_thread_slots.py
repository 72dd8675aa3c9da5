"""How the threads of a process are shared out among its queues."""

import time

from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.queueing.thread_slots import ThreadSlots

QUEUES = ("indexing", "training", "prediction")


def take(slots: ThreadSlots, queue: str, *keys: bytes) -> int:
    """Take what there is of some messages. Returns how many there was room for."""
    room = slots.reserve(queue)
    slots.hold(queue, [(key, None) for key in keys[:room]])
    return room


def test_a_queue_may_use_all_threads_that_were_asked_for_and_leaves_one_to_each_other() -> None:
    slots = ThreadSlots()
    assert slots.open(QUEUES, tasks=2) == 4
    assert take(slots, "training", b"a", b"b", b"c") == 2
    assert take(slots, "training", b"c") == 0
    assert take(slots, "indexing", b"d", b"e") == 1
    assert take(slots, "prediction", b"f", b"g") == 1
    slots.release("training", b"a")
    # What is over goes to whoever asks first.
    assert take(slots, "prediction", b"g") == 1
    assert take(slots, "training", b"c") == 0


def test_a_worker_of_one_queue_has_the_threads_it_was_asked_for() -> None:
    slots = ThreadSlots()
    assert slots.open(["prediction"], tasks=4) == 4
    assert take(slots, "prediction", *(b"%d" % n for n in range(9))) == 4


def test_what_is_reserved_is_not_given_to_another_queue() -> None:
    slots = ThreadSlots()
    slots.open(QUEUES, tasks=2)
    assert slots.reserve("training") == 2
    assert slots.reserve("indexing") == 1
    slots.hold("training", [])
    assert slots.reserve("prediction") == 2


def test_a_process_that_ends_takes_nothing_and_gives_back_what_it_holds() -> None:
    slots = ThreadSlots()
    slots.open(QUEUES, tasks=2)
    assert take(slots, "training", b"a") == 2
    slots.close()
    assert slots.is_closed
    assert [take(slots, queue, b"b") for queue in QUEUES] == [0, 0, 0]
    slots.release("training", b"a")
    assert take(slots, "training", b"a") == 0
    assert slots.held("training") == set()


def test_a_process_is_idle_for_as_long_as_it_holds_nothing() -> None:
    slots = ThreadSlots()
    slots.open(QUEUES, tasks=2)
    time.sleep(0.01)
    assert slots.idle_s() >= 0.01
    take(slots, "training", b"a")
    take(slots, "indexing", b"b")
    assert slots.idle_s() == 0
    slots.release("training", b"a")
    assert slots.idle_s() == 0
    before = time.monotonic()
    slots.release("indexing", b"b")
    assert slots.idle_s() <= time.monotonic() - before


@given(
    tasks=st.integers(1, 5),
    steps=st.lists(st.tuples(st.sampled_from(QUEUES), st.booleans(), st.integers(0, 5))),
)
def test_nothing_waits_for_a_thread_and_no_queue_for_another(
    tasks: int, steps: list[tuple[str, bool, int]]
) -> None:
    slots = ThreadSlots()
    threads = slots.open(QUEUES, tasks=tasks)
    for number, (queue, is_done, count) in enumerate(steps):
        if is_done:
            for key in sorted(slots.held(queue))[:count]:
                slots.release(queue, key)
        else:
            take(slots, queue, *(b"%d-%d" % (number, item) for item in range(count)))
        held = {name: len(slots.held(name)) for name in QUEUES}
        assert sum(held.values()) <= threads
        assert max(held.values()) <= tasks
        for name in QUEUES:
            if held[name] == 0:
                assert slots.reserve(name) >= 1
                slots.hold(name, [])


@given(
    most=st.integers(1, 4),
    tasks=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from(QUEUES), st.sampled_from(["take", "end", "put off"]))),
)
def test_no_more_is_taken_than_there_are_tasks_left_and_what_was_put_off_is_none(
    most: int, tasks: int, steps: list[tuple[str, str]]
) -> None:
    slots = ThreadSlots(most)
    slots.open(QUEUES, tasks=tasks)
    ended = 0
    for number, (queue, step) in enumerate(steps):
        if step == "take":
            take(slots, queue, b"%d" % number, b"%d more" % number)
        elif held := sorted(slots.held(queue)):
            if step == "end":
                ended += 1
                assert slots.count_ended() == (ended == most)
            slots.release(queue, held[0])
        assert ended + sum(len(slots.held(each)) for each in QUEUES) <= most
    if ended < most and not any(slots.held(queue) for queue in QUEUES):
        assert take(slots, "training", b"next") >= 1
