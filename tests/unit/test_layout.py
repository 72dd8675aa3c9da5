"""Storage paths: names, and the check that a path stays inside its project."""

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lexiclass_core import layout
from lexiclass_core.layout import PathOutsideProjectError, UnsafeNameError, inside_project

BASE = "/srv/data"

components = st.sampled_from(
    ["7", "8", "..", ".", "", "documents", "/", "~", "a b", "\\", "\0", "..\\..", "naïve", "²"]
) | st.text(max_size=6)
paths = st.builds(
    lambda prefix, parts: prefix + "/".join(parts),
    st.sampled_from(["", "/", BASE, f"{BASE}/", f"{BASE}//", "s3://bucket/", "./", f"{BASE}/7/"]),
    st.lists(components, max_size=5),
)


@given(path=paths, base=st.sampled_from([BASE, "s3://bucket", ""]))
@example(path="7/../8", base=BASE)
@example(path=f"{BASE}/7", base=BASE)
def test_a_path_is_inside_the_project_or_refused(path: str, base: str) -> None:
    try:
        found = inside_project(7, path, base_path=base)
    except PathOutsideProjectError:
        return
    assert found.parts[0] == "7"
    assert ".." not in found.parts
    assert not found.is_absolute()
    # Asking again about the answer changes nothing.
    assert inside_project(7, str(found), base_path=base) == found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("documents", "7/documents"),
        ("documents/", "7/documents"),
        ("7/documents", "7/documents"),
        ("./7/documents", "7/documents"),
        (f"{BASE}/7/documents", "7/documents"),
        ("a b/c", "7/a b/c"),
        ("70s/texts", "7/70s/texts"),
        (".", "7"),
        ("7", "7"),
    ],
)
def test_three_spellings_are_understood(path: str, expected: str) -> None:
    assert inside_project(7, path, base_path=BASE) == PurePosixPath(expected)


@pytest.mark.parametrize(
    "path",
    [
        "..", "7/..", "7/../8/x", "8/x", "08/x", "/", "/etc/passwd", BASE, f"{BASE}/8/x",
        f"{BASE}/x", f"{BASE}/7/../8", f"{BASE}//etc", f"{BASE}x/7", "a\\..\\b", "a\0b",
        "https://elsewhere/x", "s3://bucket/7", "/7/documents",
    ],
)  # fmt: skip
def test_anything_else_is_refused(path: str) -> None:
    with pytest.raises(PathOutsideProjectError, match="leaves the storage of project 7") as raised:
        inside_project(7, path, base_path=BASE)

    assert (raised.value.path, raised.value.project_id) == (path, 7)


def test_an_object_stores_url_is_a_base_like_any_other() -> None:
    found = inside_project(7, "s3://bucket/x/7/documents", base_path="s3://bucket/x")

    assert found == PurePosixPath("7/documents")


def test_the_paths_are_those_of_the_contract() -> None:
    assert str(layout.document_path(1, 2)) == "1/documents/2.txt"
    assert str(layout.index_directory(1, "icu", "en-GB")) == "1/indexes/icu-en-GB"
    assert layout.index_directory(1, "icu", "en_GB") == layout.index_directory(1, "icu", "en-GB")
    assert str(layout.model_directory(1, 2, 3)) == "1/models/2/v3"
    assert str(layout.predictions_path(1, 2, 3, "m-4")) == "1/predictions/2/v3/m-4.jsonl"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", ".hidden", "-x", "a\0", "x" * 201])
def test_a_name_that_is_no_single_component_is_refused(name: str) -> None:
    with pytest.raises(UnsafeNameError, match="cannot name a file") as raised:
        layout.predictions_path(1, 2, 3, name)

    assert raised.value.name == name


@given(name=st.text())
def test_a_name_that_is_accepted_stays_one_component(name: str) -> None:
    try:
        path = layout.predictions_path(1, 2, 3, name)
    except UnsafeNameError:
        return
    assert path.parent == layout.predictions_directory(1, 2, 3)
    assert path.name == f"{name}.jsonl"
