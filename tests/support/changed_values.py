"""Changes to valid values, of which most are valid no more: what an attacker tries first."""

import json
import struct
from typing import Any, Final

from hypothesis import strategies as st

NUMBERS: Final = st.one_of(
    st.sampled_from([
        0, 1, -1, 2, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30,
        0.0, -0.0, 0.5, -1.5, 1e-300, 1e308, float("inf"), float("-inf"), float("nan"),
    ]),
    st.integers(-10, 300),
    st.floats(),
)  # fmt: skip
TEXTS: Final = st.one_of(
    st.sampled_from([
        "", " ", "\0", "a\0b", "\ud800", "..", "../../../../etc/passwd", "/etc/passwd",
        "file:///etc/passwd", "http://127.0.0.1:1/", "a" * 5_000, "__class__", "os.system", "None",
        "true", "1", "1e999", "-0", "e\u0301", "\u202e", "😀", "\x1b[2J", "a\nb", "'; --", "{}",
        "%s%n", "{0.__class__}", "$(id)", "C:\\Windows", "CON", "[]", "icu", "svm", "tfidf",
    ]),
    st.text(max_size=20),
)  # fmt: skip
JUNK: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
"""Any JSON value, numbers and texts of the odd kinds among them."""


@st.composite
def changed_value(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with a few of its nodes changed, removed, repeated or put elsewhere."""
    changed = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        places = _places(changed)
        if not places:
            return draw(JUNK)
        container, key = draw(st.sampled_from(places))
        match draw(
            st.sampled_from(["replace", "replace", "remove", "repeat", "move", "nest", "near"])
        ):
            case "replace":
                container[key] = draw(JUNK)
            case "remove":
                del container[key]
            case "repeat":
                _repeat(draw, container, key)
            case "move":
                other, name = draw(st.sampled_from(places))
                container[key] = json.loads(
                    json.dumps(other.get(name) if isinstance(other, dict) else None)
                )
            case "nest":
                container[key] = draw(st.sampled_from([[container[key]], {"x": container[key]}]))
            case _:
                container[key] = _near(draw, container[key])
    return changed


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    open_ = [value]
    while open_ and len(found) < 2_000:
        node = open_.pop()
        if isinstance(node, dict):
            found += [(node, key) for key in node]
            open_ += node.values()
        elif isinstance(node, list):
            found += [(node, index) for index in range(len(node))][:200]
            open_ += node
    return found


def _repeat(draw: st.DrawFn, container: Any, key: Any) -> None:
    if isinstance(container, list):
        container.extend([container[key]] * draw(st.integers(1, 50)))
    else:
        container[draw(TEXTS)] = container[key]


def _near(draw: st.DrawFn, value: Any) -> Any:
    """Something of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return draw(st.sampled_from([value + 1, value - 1, -value, value * 1_000, value / 2]))
        case str():
            return draw(st.sampled_from([value[1:], value + "x", value.upper(), value * 3]))
        case list():
            return draw(st.sampled_from([value[1:], value[::-1], value * 2]))
        case _:
            return draw(JUNK)


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a few flipped, cut, inserted, repeated, or made to look like other numbers."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        match draw(
            st.sampled_from(["flip", "flip", "cut", "insert", "repeat", "remove", "number"])
        ):
            case "flip" if changed:
                changed[at] ^= draw(st.integers(1, 255))
            case "cut":
                del changed[at:]
            case "insert":
                changed[at:at] = draw(
                    st.binary(max_size=30) | TEXTS.map(lambda t: t.encode(errors="surrogatepass"))
                )
            case "repeat":
                piece = changed[at : at + draw(st.integers(1, 100))]
                changed[at:at] = piece * draw(st.integers(1, 200))
            case "remove":
                del changed[at : at + draw(st.integers(1, 50))]
            case "number":
                number = draw(st.sampled_from([0, 1, 2**31 - 1, 2**32 - 1, 2**16 - 1]))
                changed[at : at + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", number)
            case _:
                changed += b"x"
    return bytes(changed)


@st.composite
def changed_safetensors(draw: st.DrawFn, data: bytes) -> bytes:
    """A file of tensors whose header, or whose content, is changed."""
    (length,) = struct.unpack("<Q", data[:8])
    header, content = data[8 : 8 + length], data[8 + length :]
    if draw(st.booleans()):
        content = draw(changed_bytes(content)) if content else b"\0" * 8
        return data[: 8 + length] + content
    changed = json.dumps(draw(changed_value(json.loads(header)))).encode(errors="replace")
    return struct.pack("<Q", len(changed)) + changed + content
