"""What an object store is asked for, of some documents of a folder."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.ml.listing_plans import ListingPlan, plan_listings


def named(numbers: Collection[int]) -> list[str]:
    return sorted(f"{number}.txt" for number in numbers)


def listed(planned: ListingPlan, folder: Collection[int]) -> int:
    """How many objects the listings of a folder have."""
    return sum(name.startswith(prefix) for prefix in planned.prefixes for name in named(folder))


@given(numbers=st.sets(st.integers(0, 30_000), max_size=400), rest=st.integers(0, 400))
def test_every_document_is_looked_at_exactly_once(numbers: set[int], rest: int) -> None:
    names = named({*numbers, *range(20_000, 20_000 + rest)})
    planned = plan_listings(names, by_prefix=True)
    by_listing = [name for prefix in planned.prefixes for name in names if name.startswith(prefix)]
    assert sorted(by_listing + planned.alone) == names


def test_few_documents_are_asked_for_one_by_one() -> None:
    assert plan_listings(named(range(100)), by_prefix=True) == ListingPlan([], named(range(100)))


def test_a_part_of_a_large_project_is_listed_without_the_rest() -> None:
    planned = plan_listings(named(range(125_000, 129_096)), by_prefix=True)
    assert planned == ListingPlan(["125", "126", "127", "128", "129"], [])
    assert listed(planned, range(100_000, 200_000)) == 5_000


def test_documents_from_here_and_there_are_asked_for_and_those_beside_them_are_not() -> None:
    scattered = range(1_000_000, 9_000_000, 50_000)
    assert plan_listings(named(scattered), by_prefix=True) == ListingPlan([], named(scattered))


def test_the_first_documents_of_a_project_take_few_listings() -> None:
    planned = plan_listings(named(range(1, 4_001)), by_prefix=True)
    assert planned.prefixes == [str(digit) for digit in range(1, 10)]


@pytest.mark.parametrize(
    ("names", "by_prefix"),
    [
        pytest.param([f"text-{number}.txt" for number in range(500)], True, id="no numbers"),
        pytest.param(
            [*named(range(500)), *(f"{number}.md" for number in range(500))], True, id="two endings"
        ),
        pytest.param(named(range(500)), False, id="a store with folders"),
        pytest.param(named(range(0, 10**9, 10**9 // 3_000)), True, id="numbers with gaps"),
    ],
)
def test_else_all_of_a_folder_is_listed(names: list[str], by_prefix: bool) -> None:
    assert plan_listings(names, by_prefix=by_prefix) == ListingPlan([""], [])
