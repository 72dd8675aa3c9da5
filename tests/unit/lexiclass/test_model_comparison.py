"""A comparison of two models says what holds, whatever classes are called."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiclass import InvalidParameters, NoDocuments
from lexiclass.report.comparison import compare_predictions, model_changes
from lexiclass.report.comparison_model import ComparedFigure, Comparison
from tests.support.variants import examples

rows = st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=40)


def of_rows(drawn: list[tuple[str, str, str]]) -> Comparison:
    true, first, second = map(list, zip(*drawn, strict=True))
    return compare_predictions(true, first, second, documents=range(len(true)))


def figures(found: Comparison) -> list[ComparedFigure]:
    return [found.accuracy, found.macro_f1, *found.classes]


@settings(max_examples=examples(50))
@given(rows)
def test_intervals_bracket_their_points_and_documents_are_counted(
    drawn: list[tuple[str, str, str]],
) -> None:
    found = of_rows(drawn)

    for each in figures(found):
        assert each.difference.low <= each.difference.value + 1e-12
        assert each.difference.value <= each.difference.high + 1e-12
        assert each.difference.value == pytest.approx(each.second - each.first)
        assert 0 < each.p_value <= 1
    fixed = [n for n, (true, one, two) in enumerate(drawn) if one != true == two]
    broken = [n for n, (true, one, two) in enumerate(drawn) if one == true != two]
    assert (found.fixed, found.broken) == (fixed, broken)
    assert (found.num_fixed, found.num_broken) == (len(fixed), len(broken))
    assert found.num_changed == sum(one != two for _, one, two in drawn)
    assert Comparison.model_validate(json.loads(found.model_dump_json())) == found


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 2), min_size=1, max_size=40))
def test_equal_predictions_differ_by_nothing_with_p_of_1(drawn: list[tuple[str, str]]) -> None:
    found = of_rows([(true, said, said) for true, said in drawn])

    assert found.verdict == "same_predictions"
    assert (found.num_changed, found.documents_needed) == (0, None)
    for each in figures(found):
        assert (each.difference.value, each.p_value) == (0, 1)


@settings(max_examples=examples(50))
@given(rows, st.permutations("abc"))
def test_renaming_classes_changes_nothing(
    drawn: list[tuple[str, str, str]], names: list[str]
) -> None:
    # Other names in the same order: the same permutations are drawn.
    renamed = {old: f"{old} renamed" for old in "abc"}
    found, other = of_rows(drawn), of_rows([tuple(renamed[x] for x in row) for row in drawn])  # type: ignore[misc]
    assert [each.model_dump(exclude={"name"}) for each in figures(found)] == [
        each.model_dump(exclude={"name"}) for each in figures(other)
    ]
    # In another order p-values move as much as the draws do.
    mixed = dict(zip("abc", names, strict=True))
    other = of_rows([tuple(mixed[x] for x in row) for row in drawn])  # type: ignore[misc]
    assert other.accuracy == found.accuracy
    assert other.macro_f1.difference.value == pytest.approx(found.macro_f1.difference.value)
    assert other.macro_f1.difference.low == pytest.approx(found.macro_f1.difference.low)
    of_class = {each.name: each for each in other.classes}
    for each in found.classes:
        same = of_class[mixed[each.name]]
        assert same.difference.value == pytest.approx(each.difference.value)
        assert same.support == each.support


def test_what_chance_could_make_is_not_called_better() -> None:
    labels = ["a"] * 100
    second = ["a"] * 90 + ["b"] * 10

    found = compare_predictions(labels, ["a"] * 87 + ["b"] * 13, second, name="version 3")
    assert found.verdict == "cannot_tell"
    assert found.documents_needed is not None
    assert f"about {found.documents_needed:,} test documents" in found.message
    assert found.message.startswith("cannot tell whether it is better than version 3")

    assert compare_predictions(labels, ["b"] * 100, second).verdict == "better"
    assert compare_predictions(labels, labels, ["b"] * 100).verdict == "worse"


def test_documents_are_named_in_bounds() -> None:
    found = compare_predictions(["a"] * 500, ["b"] * 500, ["a"] * 500, documents=range(500))

    assert (len(found.fixed), found.num_fixed) == (100, 500)


def test_what_two_models_were_made_of_is_told_where_it_differs() -> None:
    first = {"spec": {"classifier": "svm", "classifier_params": {"C": 1, "tol": 0.1}}}
    second = {"spec": {"classifier": "svm", "classifier_params": {"C": 2, "tol": 0.1}}}

    found = model_changes(
        {**first, "model_digest": "x", "num_documents": 3}, {**second, "model_digest": "x"}
    )

    assert found.parameters == {"classifier_params.C": (1, 2)}
    assert (found.is_same_model, found.is_same_training_set) == (True, None)
    assert found.num_training_documents == (3, None)
    same = compare_predictions(["a"], ["a"], ["a"], name="version 1", changes=found)
    assert "the same model as version 1" in same.message


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(InvalidParameters, match="give one each"):
        compare_predictions(["a"], ["a"], [])
    with pytest.raises(InvalidParameters, match="2 documents"):
        compare_predictions(["a"], ["a"], ["a"], documents=[1, 2])
    with pytest.raises(NoDocuments):
        compare_predictions([], [], [])


@pytest.mark.slow
def test_many_classes_take_little_memory() -> None:
    labels = [f"class {number % 5_000}" for number in range(10_000)]
    second = [*labels[1:21], *labels[20:]]

    tracemalloc.start()
    try:
        found = compare_predictions(labels, labels, second)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (found.num_changed, len(found.classes)) == (20, 5_000)
    assert peak < 100 * 2**20
