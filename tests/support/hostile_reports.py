"""Reports as nobody means them: hostile names, and figures that do not go together."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from lexiclass.report import comparison_model as c
from lexiclass.report import model as m

WHEN = datetime(2026, 1, 2, tzinfo=UTC)

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onload='alert(1)",
    "</style><script>",
    "]]><svg onload=alert(1)>",
    "javascript:alert(1)",
    "https://example.com/x.png",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "url(https://example.com/a.css)",
    "@import 'x'",
    "\u202egnp.exe",
    "\u2066\u2067\u2068",
    "a\x00b\x1b[31mc",
    "\ufeff",
    "",
    "   ",
    "\n\r\t",
    "x" * 10_000,
    "<" * 10_000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Z" + "\u0300" * 500,
    "שלום עולם",
    "مرحبا بالعالم",
    "漢字" * 60,
    "&amp;&lt;",
    "--><!--",
    "a  b",
    "ﷺ",
    "İ",
)

names = st.one_of(
    st.sampled_from(HOSTILE_NAMES),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
_shares = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 1e-9, 1 - 1e-9]), st.floats(0, 1))
_counts = st.integers(0, 10**9)


@st.composite
def estimates(draw: st.DrawFn) -> m.Estimate:
    """A share with an interval around it."""
    low, value, high = sorted(draw(st.tuples(_shares, _shares, _shares)))
    return m.Estimate(value=value, low=low, high=high)


_maybe = st.none() | estimates()


def _few(strategy: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=most)


def _comparisons() -> st.SearchStrategy[c.Comparison]:
    compared = {"first": _shares, "second": _shares, "difference": estimates(), "p_value": _shares}
    figures = st.builds(c.ComparedFigure, **compared)
    changes = st.builds(
        c.ModelChanges,
        parameters=st.dictionaries(names, st.tuples(names, st.none() | _shares), max_size=3),
        library_versions=st.dictionaries(names, st.tuples(st.none() | names, names), max_size=3),
    )
    return st.builds(
        c.Comparison,
        name=names,
        message=names,
        documents_needed=st.none() | _counts,
        num_documents=_counts,
        accuracy=figures,
        macro_f1=figures,
        classes=_few(st.builds(c.ComparedClass, name=names, support=_counts, **compared)),
        num_changed=_counts,
        num_fixed=_counts,
        num_broken=_counts,
        fixed=_few(names | _counts),
        broken=_few(names | _counts),
        changes=st.none() | changes,
    )


def reports() -> st.SearchStrategy[m.Report]:
    """Any report at all, of hostile names, whether or not its figures go together."""
    thresholds = _few(
        st.builds(
            m.AcceptanceThreshold,
            target=_shares,
            threshold=st.none() | _shares,
            accepted=_shares,
            accuracy=st.none() | _shares,
            guaranteed=st.none() | _shares,
            num_documents=_counts,
        )
    )
    classes = st.lists(
        st.builds(
            m.ClassFigures,
            name=names,
            support=_counts,
            predicted=_counts,
            hits=_counts,
            precision=_maybe,
            recall=_maybe,
            f1=_maybe,
        ),
        min_size=1,
        max_size=14,
        unique_by=lambda each: each.name,
    )
    moments = st.just(WHEN)
    return st.builds(
        m.Report,
        format_version=st.just(m.FORMAT_VERSION),
        created_at=moments,
        verdict=names,
        model=st.builds(
            m.Subject,
            name=names,
            digest=names,
            spec=st.dictionaries(names, names, max_size=3),
            num_training_documents=_counts,
            num_calibration_documents=st.none() | _counts,
            num_classes=_counts,
            trained_at=moments,
            version=st.none() | _counts,
        ),
        test_set=st.builds(m.EvaluationSet, name=names, digest=names, num_documents=_counts),
        accuracy=estimates(),
        macro_f1=estimates(),
        classes=classes,
        confusions=_few(
            st.builds(m.Confused, true=names, predicted=names, num_documents=_counts), 20
        ),
        num_confusions=_counts,
        baselines=_few(
            st.builds(
                m.Baseline,
                name=st.sampled_from(["majority_class", "nearest_document", "tfidf_linear"]),
                accuracy=_maybe,
                macro_f1=st.none() | _shares,
                advantage=_maybe,
                missing=st.none() | names,
            )
        ),
        calibration=st.builds(
            m.Calibration,
            expected_calibration_error=st.builds(
                m.CalibrationError, value=_shares, expected=_shares
            ),
            debiased_calibration_error=st.builds(
                m.CalibrationError, value=_shares, expected=_shares
            ),
            over_confidence=estimates(),
            brier_score=st.floats(0, 2),
            log_loss=st.floats(0, 40),
            curve=_few(
                st.builds(
                    m.ReliabilityPoint,
                    confidence=_shares,
                    accuracy=_shares,
                    low=_shares,
                    high=_shares,
                    num_documents=_counts,
                )
            ),
            classes=_few(
                st.builds(
                    m.ClassCalibration,
                    name=names,
                    num_documents=_counts,
                    confidence=_shares,
                    accuracy=estimates(),
                )
            ),
        ),
        acceptance=st.builds(
            m.Acceptance,
            thresholds=thresholds,
            classes=_few(st.builds(m.ClassAcceptance, name=names, thresholds=thresholds)),
            curve=_few(
                st.builds(m.CoveragePoint, accepted=_shares, accuracy=_shares, threshold=_shares)
            ),
        ),
        slices=_few(
            st.builds(
                m.Slice,
                by=names,
                value=names,
                num_documents=_counts,
                accuracy=estimates(),
                rest=_shares,
                p_value=_shares,
            )
        ),
        findings=_few(
            st.builds(
                m.Finding,
                code=st.just("LX001"),
                level=st.sampled_from(["error", "warning", "note"]),
                title=names,
                message=names,
                advice=names,
                figures=st.dictionaries(names, st.one_of(names, _shares, _counts), max_size=3),
                documents=_few(names | _counts),
                num_documents=st.none() | _counts,
            )
        ),
        mistakes=_few(
            st.builds(
                m.Mistake,
                document=names | _counts,
                true=names,
                predicted=names,
                confidence=_shares,
                text=st.none() | names,
            )
        ),
        comparison=st.none() | _comparisons(),
    )
