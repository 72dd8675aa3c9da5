"""Real text to classify without a download: docstrings of the installed libraries.

The documents are the docstrings of the standard library and of libraries this worker always
depends on; the label is the subject of the package they come from. Sources are only read and parsed
(:mod:`ast`): nothing is imported or run.

The corpus is honest: near duplicates are removed before the split, so no test document is a variant
of a training document. It is deterministic: the same installed versions give the same documents in
the same order with the same split, whatever the file system or PYTHONHASHSEED.
"""

import ast
import hashlib
import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

# Subject -> packages and modules. Names that a version of Python or of a library doesn't have are
# passed over; no subject rests on one of these.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "arrays-and-linear-algebra": (
        "numpy._core", "numpy.lib", "numpy.linalg", "numpy.ma", "numpy.matrixlib",
        "numpy.polynomial", "scipy.linalg",
    ),
    "concurrency": (
        "asyncio", "concurrent", "dramatiq", "multiprocessing", "queue", "sched", "selectors",
        "subprocess", "threading",
    ),
    "data-validation": ("pydantic", "pydantic_settings"),
    "databases": ("alembic", "sqlalchemy", "sqlite3"),
    "email-and-internet": (
        "email", "ftplib", "html", "http", "imaplib", "ipaddress", "mailbox", "mimetypes",
        "nntplib", "poplib", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib",
        "wsgiref", "xmlrpc",
    ),
    "files-and-archives": (
        "bz2", "fsspec", "gzip", "lzma", "os", "pathlib", "shutil", "tarfile", "tempfile",
        "zipfile",
    ),
    "key-value-store": ("redis",),
    "machine-learning": (
        "sklearn.cluster", "sklearn.decomposition", "sklearn.ensemble", "sklearn.feature_selection",
        "sklearn.gaussian_process", "sklearn.linear_model", "sklearn.metrics", "sklearn.mixture",
        "sklearn.model_selection", "sklearn.neighbors", "sklearn.neural_network",
        "sklearn.preprocessing", "sklearn.svm", "sklearn.tree",
    ),
    "optimization-and-calculus": (
        "scipy.integrate", "scipy.interpolate", "scipy.odr", "scipy.optimize",
    ),
    "signals-and-images": ("scipy.fft", "scipy.fftpack", "scipy.ndimage", "scipy.signal"),
    "sparse-and-spatial": ("scipy.sparse", "scipy.spatial"),
    "statistics": ("scipy.stats", "statistics"),
    "terminal": ("argparse", "cmd", "curses", "getopt", "optparse", "rich", "textwrap", "typer"),
    "testing-and-logging": (
        "bdb", "doctest", "logging", "loguru", "numpy.testing", "pdb", "traceback", "unittest",
    ),
}  # fmt: skip

MAX_DOCUMENTS_PER_SUBJECT = 600
MIN_CHARACTERS = 100
MIN_WORDS = 15
# Two documents are near duplicates where this share of the shorter one's word triples is in both.
MAX_SHARED_TRIPLES = 0.6

_TEST_SHARE = 4  # one document in four
_NOT_DOCUMENTS = re.compile(r"^_?(tests?|_vendor.*|_pyinstaller|conftest|test_.*|.*_tests?)$")
_WORD = re.compile(r"\w+")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_COMPARE_ROWS = 512


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A document of the corpus.

    Attributes:
        text: The docstring, its common indentation removed.
        label: A key of :data:`SUBJECTS`.
        source: Module and name: "scipy.linalg._basic:solve".
    """

    text: str
    label: str
    split: Literal["train", "test"]
    source: str


def build_demo_corpus() -> list[LabelledText]:
    """Read, clean and split the corpus, in some seconds.

    The documents are in an arbitrary order that never changes, the subjects mixed.

    Raises:
        ModuleNotFoundError: None of a subject's packages is installed.
        OSError: A source file can't be read.
    """
    found = [document for label in SUBJECTS for document in _documents_of(label)]
    found.sort(key=lambda document: (_digest(document.text), document.source))
    taken: Counter[str] = Counter()
    corpus = []
    for index in _without_near_duplicates([document.text for document in found]):
        document = found[index]
        taken[document.label] += 1
        if taken[document.label] <= MAX_DOCUMENTS_PER_SUBJECT:
            corpus.append(document)
    return corpus


def write_demo_corpus(path: Path) -> int:
    """Write the corpus as JSON lines with text, label, split and source: what imports read.

    The directory of ``path`` exists. The number of documents is returned.

    Raises:
        ModuleNotFoundError: None of a subject's packages is installed.
        OSError: A source can't be read or `path` can't be written.
    """
    corpus = build_demo_corpus()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for document in corpus:
            file.write(json.dumps(asdict(document), ensure_ascii=False) + "\n")
    return len(corpus)


def _documents_of(label: str) -> Iterator[LabelledText]:
    roots = [(name, path) for name in SUBJECTS[label] for path in _location(name)]
    if not roots:
        raise ModuleNotFoundError(f"none of {', '.join(SUBJECTS[label])} is installed")
    for name, root in roots:
        for module, path in _modules(name, root):
            for qualified_name, docstring in _docstrings(path):
                text = _CONTROL_CHARACTERS.sub("", docstring).strip()
                if len(text) >= MIN_CHARACTERS and len(text.split()) >= MIN_WORDS:
                    # By the last byte: the order, and so the limit, goes by the first ones.
                    tested = _digest(text)[-1] % _TEST_SHARE == 0
                    yield LabelledText(
                        text, label, "test" if tested else "train", f"{module}:{qualified_name}"
                    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _location(name: str) -> Iterator[Path]:
    """The folder or file of a module: the top package is looked up, nothing is imported."""
    top, *rest = name.split(".")
    spec = find_spec(top)
    if spec is None:
        return
    if spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]).joinpath(*rest)
    else:
        # Beside `ast`: the spec of a frozen module, such as `os`, tells no path.
        path = Path(ast.__file__).with_name(f"{top}.py")
    if path.exists():
        yield path


def _modules(name: str, root: Path) -> Iterator[tuple[str, Path]]:
    if root.is_file():
        yield name, root
        return
    inside = {path.relative_to(root): path for path in root.rglob("*.py")}
    for relative, path in sorted(inside.items(), key=lambda item: item[0].as_posix()):
        parts = relative.with_suffix("").parts
        if not any(_NOT_DOCUMENTS.match(part) for part in parts):
            yield ".".join((name, *(part for part in parts if part != "__init__"))), path


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    with warnings.catch_warnings():
        # Invalid escapes in others' sources, which a strict filter would turn into errors.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        tree = ast.parse(path.read_bytes(), filename=str(path))
    yield from _docstrings_in(tree, "")


def _docstrings_in(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node)
    if docstring is not None:
        yield name or "module", docstring
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return  # what is defined inside a function is seldom documented
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings_in(child, f"{name}.{child.name}" if name else child.name)


def _without_near_duplicates(texts: list[str]) -> list[int]:
    """Indexes of the texts that no earlier kept text nearly equals, in order."""
    triples = _word_triples(texts)
    sizes = np.diff(triples.indptr)
    # A triple of one text only can't be shared: leaving it out makes the products small.
    shared = triples[:, np.asarray(triples.sum(axis=0)).ravel() > 1]
    kept = np.ones(len(texts), dtype=np.bool_)
    transposed = shared.T.tocsr()
    for start in range(0, len(texts), _COMPARE_ROWS):
        common = (shared[start : start + _COMPARE_ROWS] @ transposed).tocoo()
        row, column = common.coords[0] + start, common.coords[1]
        near = common.data >= MAX_SHARED_TRIPLES * np.minimum(sizes[row], sizes[column])
        near &= column < row
        earlier: defaultdict[int, list[int]] = defaultdict(list)
        for later_one, earlier_one in zip(row[near].tolist(), column[near].tolist(), strict=True):
            earlier[later_one].append(earlier_one)
        for later_one in sorted(earlier):
            kept[later_one] = not kept[earlier[later_one]].any()
    return np.flatnonzero(kept).tolist()


def _word_triples(texts: Iterable[str]) -> csr_array[np.int32]:
    """Which three consecutive words each text has: a row a text, ones and zeros."""
    vocabulary: dict[str, int] = {}
    columns: list[NDArray[np.uint64]] = []
    for text in texts:
        words = [
            vocabulary.setdefault(word, len(vocabulary) + 1) for word in _WORD.findall(text.lower())
        ]
        # Twenty-one bits a word: enough for two million words, and a triple is one number.
        numbers = np.asarray([0, 0, *words], dtype=np.uint64)
        packed = (numbers[:-2] << np.uint64(42)) | (numbers[1:-1] << np.uint64(21)) | numbers[2:]
        columns.append(np.unique(packed))
    row_ends = np.cumsum([0, *map(len, columns)]).astype(np.int32)
    names, indices = np.unique(np.concatenate(columns), return_inverse=True)
    ones = np.ones(len(indices), dtype=np.int32)
    return csr_array((ones, indices.astype(np.int32), row_ends), shape=(len(columns), len(names)))
