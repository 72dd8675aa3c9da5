"""Progress in percent over planned stages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.execution.progress import Progress


def test_stages_share_the_percent_by_their_weights() -> None:
    progress = Progress()
    progress.plan({"read": 1, "train": 3})

    seen = []
    for stage, done, total in [("read", 1, 2), ("read", 2, 2), ("train", 1, 3), ("train", 2, 3)]:
        progress.report(stage, done, total)
        seen.append(progress.percent)

    assert seen == [12, 25, 50, 75]
    assert progress.stage == "train"


def test_a_stage_of_nothing_is_done() -> None:
    progress = Progress()
    progress.plan({"read": 1, "train": 1})

    progress.report("read", 0, 0)

    assert progress.percent == 50


def test_an_unplanned_stage_is_named_and_moves_nothing() -> None:
    progress = Progress()
    progress.plan({"read": 1, "train": 1})
    progress.report("read", 1, 1)

    progress.report("surprise", 1, 2)

    assert (progress.stage, progress.percent) == ("surprise", 50)


def test_only_success_is_a_hundred_percent() -> None:
    progress = Progress()
    progress.plan({"all": 1})

    progress.report("all", 5, 5)

    assert progress.percent == 99


reports = st.lists(
    st.tuples(st.sampled_from("abcx"), st.integers(-5, 50), st.integers(-5, 20)), max_size=30
)


@given(
    weights=st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 100), min_size=1), said=reports
)
def test_percent_never_goes_back_nor_out_of_range(
    weights: dict[str, float], said: list[tuple[str, int, int]]
) -> None:
    progress = Progress()
    progress.plan(weights)
    seen = [0]
    for stage, done, total in said:
        progress.report(stage, done, total)
        seen.append(progress.percent)

    assert seen == sorted(seen)
    assert 0 <= seen[-1] <= 99


@pytest.mark.parametrize("stage", ["", "anything"])
def test_without_a_plan_percent_stays_and_the_stage_is_known(stage: str) -> None:
    progress = Progress()

    progress.report(stage, 1, 2)

    assert (progress.percent, progress.stage) == (0, stage)
