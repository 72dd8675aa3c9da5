"""What gates say of a version, by intervals, and which configurations are taken for gates."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.gates import (
    GATES,
    CalibrationFigures,
    ChangedFigures,
    ClassDifference,
    ConfigUnreadable,
    FieldConfig,
    GateFigures,
    Gates,
    Outcome,
    PairedDifference,
    Verdict,
    judge,
)

shares = st.floats(0, 1)
differences = st.tuples(*[st.floats(-1, 1)] * 3).map(sorted)


def only(gates: dict[str, Any], figures: GateFigures | None, against: int | None = 3) -> Verdict:
    (verdict,) = judge(Gates(**gates), figures, against=against).verdicts
    return verdict


def of_accuracy(low: float, value: float, high: float) -> GateFigures:
    return GateFigures(against=3, accuracy=PairedDifference(value=value, low=low, high=high))


@given(shares, differences)
def test_a_loss_is_judged_by_its_interval(limit: float, ends: list[float]) -> None:
    verdict = only({"max_accuracy_loss": limit}, of_accuracy(*ends))

    low, _, high = ends
    if low >= -limit:
        assert verdict.outcome is Outcome.PASSED
    elif high < -limit:
        assert verdict.outcome is Outcome.FAILED
    else:
        assert verdict.outcome is Outcome.CANNOT_TELL
    assert verdict.figures is not None
    assert (verdict.limit, verdict.figures["low"]) == (limit, low)


def test_a_limit_of_nothing_is_a_gate() -> None:
    config = FieldConfig.of_row({"gates": {"max_accuracy_loss": 0, "max_changed_share": 0.0}})

    assert config.gates.names == ["max_accuracy_loss", "max_changed_share"]
    assert only({"max_accuracy_loss": 0}, of_accuracy(-0.001, 0, 0.1)).outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("p_value", "high", "outcome"),
    [(0.01, -0.06, "failed"), (0.2, -0.06, "cannot_tell"), (0.01, -0.04, "cannot_tell")],
)
def test_a_class_fails_that_is_worse_beyond_margin_and_chance(
    p_value: float, high: float, outcome: str
) -> None:
    worse = ClassDifference(class_name="a", value=-0.1, low=-0.2, high=high, p_value=p_value)
    figures = GateFigures(against=3, uncertain_class=worse, worse_class=worse)

    assert only({"max_class_f1_loss": 0.05}, figures).outcome == outcome
    assert only({"max_class_f1_loss": 0.2}, figures).outcome == "passed"


@pytest.mark.parametrize(
    ("error", "number", "outcome"),
    [(0.02, 1_000, "passed"), (0.04, 1_000, "failed"), (0.04, 99, "cannot_tell")],
)
def test_calibration_is_held_against_its_band(error: float, number: int, outcome: str) -> None:
    measured = CalibrationFigures(error=error, highest=0.03, num_documents=number)

    verdict = only({"calibrated": True}, GateFigures(calibration=measured), None)

    assert (verdict.outcome, verdict.limit) == (outcome, None)


@pytest.mark.parametrize(
    ("limit", "outcome"), [(0.2, "passed"), (0.1, "cannot_tell"), (0.05, "failed")]
)
def test_changed_predictions_are_a_share_with_an_interval(limit: float, outcome: str) -> None:
    changed = ChangedFigures(num_documents=100, num_changed=10, low=0.06, high=0.17)

    assert only({"max_changed_share": limit}, GateFigures(against=3, changed=changed)).outcome == (
        outcome
    )


def test_what_was_not_measured_against_what_serves_is_not_told_and_never_let_through() -> None:
    for gate in GATES:
        limit = True if gate == "calibrated" else 0.5
        for figures in (None, GateFigures(against=2), GateFigures(against=3)):
            judgement = judge(Gates(**{gate: limit, "allow_cannot_tell": True}), figures, against=3)
            (verdict,) = judgement.verdicts
            assert (verdict.outcome, judgement.is_passed) == (Outcome.CANNOT_TELL, False)
            assert "evaluate" in verdict.says


def test_where_nothing_serves_a_version_need_not_be_as_good_as_it() -> None:
    gates = Gates(max_accuracy_loss=0, max_class_f1_loss=0, max_changed_share=0)

    assert judge(gates, None, against=None).is_passed
    assert not judge(Gates(calibrated=True), None, against=None).is_passed


def test_a_field_can_let_through_what_cannot_be_told() -> None:
    figures = of_accuracy(-0.1, 0, 0.1)

    assert not judge(Gates(max_accuracy_loss=0.01), figures, against=3).is_passed
    gates = Gates(max_accuracy_loss=0.01, allow_cannot_tell=True)
    assert judge(gates, figures, against=3).is_passed
    assert not judge(gates, of_accuracy(-0.3, -0.2, -0.1), against=3).is_passed


@pytest.mark.parametrize("gate", ["max_accuracy_loss", "max_class_f1_loss", "max_changed_share"])
def test_the_same_model_is_no_worse_and_that_is_said(gate: str) -> None:
    figures = of_accuracy(-0.1, 0, 0.1).model_copy(update={"is_same_model": True})

    verdict = only({gate: 0}, figures)

    assert verdict.outcome is Outcome.PASSED
    assert "the same model as version 3" in verdict.says
    assert only({"max_accuracy_loss": 0}, figures, 4).outcome is Outcome.CANNOT_TELL


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"gate": {"max_accuracy_loss": 0.1}}, "gate"),
        ({"gates": {"max_accuracy": 0.1}}, "gates.max_accuracy"),
        ({"gates": {"max_accuracy_loss": "0.1"}}, "valid number"),
        ({"gates": {"max_accuracy_loss": True}}, "max_accuracy_loss"),
        ({"gates": {"max_accuracy_loss": 1.5}}, "less than or equal to 1"),
        ({"gates": {"max_accuracy_loss": -0.1}}, "greater than or equal to 0"),
        ({"gates": {"max_class_f1_loss": float("nan")}}, "max_class_f1_loss"),
        ({"gates": {"calibrated": 1}}, "calibrated"),
        ({"gates": []}, "gates"),
        ({"gates": None}, "gates"),
        ({"promote_after_evaluation": True}, "needs a gate"),
        ({"promote_after_evaluation": "yes", "gates": {"calibrated": True}}, "valid boolean"),
        ([], "config"),
        (None, "config"),
        ("{}", "config"),
    ],
)
def test_what_is_not_understood_is_an_error_and_never_no_gate(config: object, says: str) -> None:
    with pytest.raises(ConfigUnreadable, match=says):
        FieldConfig.of_row(config)


def test_an_error_of_a_configuration_is_short_and_clean() -> None:
    with pytest.raises(ConfigUnreadable) as raised:
        FieldConfig.of_row({"\x1b[2J" + "x" * 9_000: 1})

    assert len(str(raised.value)) <= 500
    assert "\x1b" not in str(raised.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GATES, "gates", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_a_configuration_is_read_as_it_was_written_or_not_at_all(value: object) -> None:
    try:
        config = FieldConfig.of_row(value)
    except ConfigUnreadable:
        return
    assert isinstance(value, dict)
    assert set(value) <= {"gates", "promote_after_evaluation"}
    kept = config.model_dump(mode="json", exclude_defaults=True)
    assert FieldConfig.of_row(kept) == config


@pytest.mark.parametrize("metrics", [None, [], {}, {"gate_figures": {"against": "x"}}])
def test_figures_that_are_not_understood_are_none(metrics: object) -> None:
    assert GateFigures.of_metrics(metrics) is None


def test_a_name_of_a_class_is_quoted_in_bounds() -> None:
    name = "\x1b]0;" + "a" * 9_000
    worse = ClassDifference(class_name=name, value=0, low=-0.2, high=0.1, p_value=1)

    says = only({"max_class_f1_loss": 0.05}, GateFigures(against=3, uncertain_class=worse)).says

    assert len(says) < 400
    assert "\x1b" not in says


MEASURED: dict[str, Any] = {
    "against": 3,
    "accuracy": {"value": 0, "low": -0.005, "high": 0.005},
    "uncertain_class": {"value": 0, "low": -0.01, "high": 0.01, "class_name": "a", "p_value": 1},
    "calibration": {"error": 0.01, "highest": 0.02, "num_documents": 500},
    "changed": {"num_documents": 1_000, "num_changed": 10, "low": 0.005, "high": 0.02},
}
ALL = {
    "max_accuracy_loss": 0.01, "max_class_f1_loss": 0.02, "calibrated": True,
    "max_changed_share": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "damage"),
    [
        ("accuracy", {"value": -0.9}),
        ("accuracy", {"low": 0.5, "high": -0.6}),
        ("accuracy", {"low": 1e300, "high": 1e300}),
        ("accuracy", {"low": "0"}),
        ("accuracy", {"value": False, "low": False, "high": True}),
        ("accuracy", {"value": float("nan")}),
        ("uncertain_class", {"value": -0.9}),
        ("uncertain_class", {"p_value": 7}),
        ("calibration", {"error": -1}),
        ("calibration", {"highest": 99}),
        ("calibration", {"num_documents": "500"}),
        ("changed", {"num_changed": 5_000}),
        ("changed", {"num_changed": 900}),
        ("changed", {"high": -3}),
    ],
)
def test_no_gate_passes_on_figures_that_no_evaluation_comes_to(
    figure: str, damage: dict[str, Any]
) -> None:
    gates = Gates(**ALL, allow_cannot_tell=True)
    assert judge(gates, GateFigures.of_metrics({"gate_figures": MEASURED}), against=3).is_passed

    damaged = {**MEASURED, figure: {**MEASURED[figure], **damage}}
    judgement = judge(gates, GateFigures.of_metrics({"gate_figures": damaged}), against=3)

    assert {verdict.outcome for verdict in judgement.verdicts} == {Outcome.CANNOT_TELL}
    assert not judgement.is_passed
