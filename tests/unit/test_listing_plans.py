"""What an object store is asked for, of some documents of a folder."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.ml.listing_plans import ListingPlan, plan_listings


def named(numbers: Collection[int]) -> list[str]:
    return sorted(f"{number}.txt" for number in numbers)


def planned(
    names: list[str], *, by_prefix: bool = True, largest_id: int = 9_999_999
) -> ListingPlan:
    return plan_listings(names, by_prefix=by_prefix, largest_id=largest_id)


def num_listed(plan: ListingPlan, folder: Collection[int]) -> int:
    """How many objects the listings of a folder have."""
    return sum(name.startswith(tuple(plan.prefixes)) for name in named(folder))


@given(
    numbers=st.sets(st.integers(0, 30_000), max_size=400),
    rest=st.integers(0, 400),
    largest_id=st.integers(30_000, 10**9),
)
def test_every_document_is_looked_at_exactly_once(
    numbers: set[int], rest: int, largest_id: int
) -> None:
    names = named({*numbers, *range(20_000, 20_000 + rest)})
    plan = planned(names, largest_id=largest_id)
    by_listing = [name for prefix in plan.prefixes for name in names if name.startswith(prefix)]
    assert sorted(by_listing + plan.alone) == names


def test_few_documents_are_asked_for_one_by_one() -> None:
    assert planned(named(range(100))) == ListingPlan([], named(range(100)))


def test_a_part_of_a_large_project_is_listed_without_the_rest() -> None:
    plan = planned(named(range(125_000, 129_096)), largest_id=999_999)
    assert plan == ListingPlan(["125", "126", "127", "128", "129"], [])
    assert num_listed(plan, range(100_000, 200_000)) == 5_000


@pytest.mark.parametrize("first", [1, 900, 8_000, 12_289, 50_001, 95_904])
def test_no_part_of_a_large_project_costs_more_than_asking_for_each(first: int) -> None:
    """Not even the first numbers, which many longer ones begin with."""
    plan = planned(named(range(first, first + 4_096)), largest_id=100_000)
    listed = num_listed(plan, range(1, 100_001))
    assert listed <= 50 * (4_096 - len(plan.alone))
    if first >= 10_000:
        assert listed <= 6_666


def test_documents_from_here_and_there_are_asked_for_and_those_beside_them_are_not() -> None:
    scattered = range(1_000_000, 9_000_000, 50_000)
    assert planned(named(scattered)) == ListingPlan([], named(scattered))


def test_a_small_project_takes_few_listings() -> None:
    assert planned(named(range(1, 901)), largest_id=900).prefixes == [""]
    assert planned(named(range(1, 4_001)), largest_id=4_000).prefixes == list("123456789")


@pytest.mark.parametrize(
    ("names", "by_prefix"),
    [
        pytest.param([f"text-{number}.txt" for number in range(500)], True, id="no numbers"),
        pytest.param(
            [*named(range(500)), *(f"{number}.md" for number in range(500))], True, id="two endings"
        ),
        pytest.param(named(range(500)), False, id="a store with folders"),
        pytest.param(named(range(0, 10**7, 10**7 // 3_000)), True, id="numbers with gaps"),
        pytest.param([*named(range(500)), f"{10**12}.txt"], True, id="a number that is no id"),
        pytest.param([*named(range(500)), f"{'9' * 300}.txt"], True, id="more digits than any"),
        pytest.param([f"{number:07}.txt" for number in range(500)], True, id="zeros before them"),
        pytest.param([f"{'1' * 1_000}{number}" for number in range(500)], True, id="long numbers"),
    ],
)
def test_else_all_of_a_folder_is_listed(names: list[str], by_prefix: bool) -> None:
    assert planned(names, by_prefix=by_prefix) == ListingPlan([""], [])
