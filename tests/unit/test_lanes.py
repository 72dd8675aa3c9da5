"""How the threads of a process are shared out among its queues."""

from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.tasks.lanes import Lanes

QUEUES = ("indexing", "training", "prediction")


def take(lanes: Lanes, queue: str, *keys: bytes) -> int:
    """Take what there is of some messages. Returns how many there was room for."""
    room = lanes.reserve(queue)
    lanes.hold(queue, [(key, None) for key in keys[:room]])
    return room


def test_a_queue_may_use_all_threads_that_were_asked_for_and_leaves_one_to_each_other() -> None:
    lanes = Lanes()
    assert lanes.open(QUEUES, tasks=2) == 4
    assert take(lanes, "training", b"a", b"b", b"c") == 2
    assert take(lanes, "training", b"c") == 0
    assert take(lanes, "indexing", b"d", b"e") == 1
    assert take(lanes, "prediction", b"f", b"g") == 1
    lanes.release("training", b"a")
    # What is over goes to whoever asks first.
    assert take(lanes, "prediction", b"g") == 1
    assert take(lanes, "training", b"c") == 0


def test_a_worker_of_one_queue_has_the_threads_it_was_asked_for() -> None:
    lanes = Lanes()
    assert lanes.open(["prediction"], tasks=4) == 4
    assert take(lanes, "prediction", *(b"%d" % n for n in range(9))) == 4


def test_what_is_reserved_is_not_given_to_another_queue() -> None:
    lanes = Lanes()
    lanes.open(QUEUES, tasks=2)
    assert lanes.reserve("training") == 2
    assert lanes.reserve("indexing") == 1
    lanes.hold("training", [])
    assert lanes.reserve("prediction") == 2


@given(
    tasks=st.integers(1, 5),
    steps=st.lists(st.tuples(st.sampled_from(QUEUES), st.booleans(), st.integers(0, 5))),
)
def test_nothing_waits_for_a_thread_and_no_queue_for_another(
    tasks: int, steps: list[tuple[str, bool, int]]
) -> None:
    lanes = Lanes()
    threads = lanes.open(QUEUES, tasks=tasks)
    for number, (queue, is_done, count) in enumerate(steps):
        if is_done:
            for key in sorted(lanes.held(queue))[:count]:
                lanes.release(queue, key)
        else:
            take(lanes, queue, *(b"%d-%d" % (number, item) for item in range(count)))
        held = {name: len(lanes.held(name)) for name in QUEUES}
        assert sum(held.values()) <= threads
        assert max(held.values()) <= tasks
        for name in QUEUES:
            if held[name] == 0:
                assert lanes.reserve(name) >= 1
                lanes.hold(name, [])
