"""What a page of HTML is made of, and whether it can do anything at all."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta"}
_TAGS = frozenset(
    "a abbr b bdi body caption circle code dd desc details div dl dt em figcaption figure g"
    " h1 h2 h3 head header html li line main meta nav ol p path pre rect section span strong"
    " style summary svg table tbody td text th thead title tr".split()
)
_ATTRIBUTES = frozenset(
    "aria-hidden aria-label aria-labelledby charset class colspan content cx cy d data-label"
    " height href http-equiv id lang name open r role scope tabindex text-anchor title"
    " transform viewbox width x x1 x2 y y1 y2".split()
)
# What acts on characters around it, or on a terminal that shows the file.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufeff]")


@dataclass
class Node:
    """An element, with its text and that of what is in it."""

    tag: str
    attributes: dict[str, str | None]
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Node"]:
        """Elements in it by their tag, in order."""
        found = [self] if self.tag == tag else []
        return found + [node for child in self.children for node in child.all(tag)]

    @property
    def classes(self) -> list[str]:
        """Of the style sheet."""
        return (self.attributes.get("class") or "").split()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        node = Node(tag, dict(attrs), self.at)
        self.at.children.append(node)
        if tag not in _VOID:
            self.at = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.at.children.append(Node(tag, dict(attrs), self.at))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.at.tag, f"</{tag}> ends <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        node: Node | None = self.at
        while node is not None:
            node.text += data
            node = node.parent


def parsed(page: str) -> Node:
    """Read a page, whose elements must end where they began."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser.at is parser.root, f"<{parser.at.tag}> does not end"
    return parser.root


def check_harmless(page: str) -> Node:
    """Look whether a page holds nothing but what is known to do nothing, and give it parsed."""
    root = parsed(page)
    _check(root)
    assert not _ACTING.search(page)
    (style,) = root.all("style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    (policy,) = (
        node.attributes["content"]
        for node in root.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return root


def _check(node: Node) -> None:
    for child in node.children:
        assert child.tag in _TAGS, child.tag
        assert child.attributes.keys() <= _ATTRIBUTES, child.attributes
        assert (child.attributes.get("href") or "#").startswith("#")
        _check(child)


def check_accessible(root: Node) -> None:
    """Look whether who sees nothing is told as much as who does."""
    assert root.all("html")[0].attributes["lang"] == "en"
    assert len(root.all("h1")) == len(root.all("main")) == 1
    identities = [node.attributes["id"] for node in _every(root) if "id" in node.attributes]
    assert len(identities) == len(set(identities))
    known = {*identities}
    for node in _every(root):
        assert {*(node.attributes.get("aria-labelledby") or "").split()} <= known
        assert (node.attributes.get("href") or "#")[1:] in known | {""}
    for table in root.all("table"):
        assert table.all("caption")[0].text.strip()
        assert all(head.attributes["scope"] in {"col", "row"} for head in table.all("th"))
    for drawing in root.all("svg"):
        if drawing.attributes.get("aria-hidden") != "true":
            assert drawing.attributes["role"] == "img"
            assert drawing.all("title")[0].text
            assert drawing.all("desc")[0].text
    for section in root.all("section"):
        assert section.all("h2")[0].text.strip()


def _every(node: Node) -> list[Node]:
    return [node, *(found for child in node.children for found in _every(child))]
