"""Values of rows that Python cannot hold as they are."""

import copy
import json
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from lexiclass_core.db.values import UnreadableJSON, read_json


@dataclass
class Row:
    request: Any


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, "9" * 5000, "[" * 200 + "]" * 200])
def test_json_that_cannot_be_read_says_so_and_is_copied_as_what_it_is(text: str) -> None:
    found = read_json(text)

    assert isinstance(found, UnreadableJSON)
    assert found == {"unreadable": found.reason}
    for copied in (asdict(Row(found))["request"], copy.deepcopy(found), copy.copy(found)):
        assert json.loads(json.dumps(copied)) == {"unreadable": found.reason}
