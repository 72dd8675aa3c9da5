"""What bytes are read as: Unicode first, then Windows-1252 unless there is better evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import DocumentUnreadable, LabelledText, read_corpus
from lexiclass.decoding import MARK_BYTES, Decoded, decode, replace_marks, unmark

WESTERN = {
    "French": "Considérant qu'il est essentiel que les droits de l'homme soient protégés",
    "Italian": "Considerato che è indispensabile che i diritti dell'uomo siano protetti; perché",
    "Danish": "da det er af afgørende betydning, at menneskerettighederne beskyttes af loven på",
    "Finnish": "koska on välttämätöntä, että ihmisoikeudet turvataan oikeusjärjestyksellä",
    "German": "da es notwendig ist, die Menschenrechte durch das Recht zu schützen",
    "Spanish": "Considerando esencial que los derechos humanos sean protegidos por un régimen",
    "Portuguese": "Considerando que é essencial a proteção dos direitos do homem por um regime",
    "Swedish": "Enär det är väsentligt för att icke människan skall tvingas att såsom en sista",
    "quotes": "\u201cdon\u2019t\u201d \u2014 20 \u20ac and 5 \u00b0C",
    "one letter": "a caf\u00e9 table with two chairs",
}
OTHERS = [
    (
        "cp1250",
        "Zważywszy, że istotne jest, aby prawa człowieka były chronione przez przepisy prawa",
    ),
    (
        "iso8859-2",
        "Vzhledem k tomu, že je nutné, aby lidská práva byla chráněna zákonem, nemá-li být",
    ),
    ("cp1251", "принимая во внимание, что необходимо, чтобы права человека охранялись законом"),
    ("koi8-r", "принимая во внимание, что необходимо, чтобы права человека охранялись законом"),
    ("cp1253", "Επειδή έχει ουσιαστική σημασία να προστατεύονται τα ανθρώπινα δικαιώματα"),
    ("cp1254", "İnsanın zulüm ve baskıya karşı son çare olarak ayaklanmaya mecbur kalmaması için"),
    ("shift_jis", "人間が専制と圧迫とに対する最後の手段として反逆に訴えることがないようにする"),
    ("euc_jp", "人間が専制と圧迫とに対する最後の手段として反逆に訴えることがないようにする"),
    ("iso2022_jp", "人間が専制と圧迫とに対する最後の手段として"),
    ("gb18030", "鉴于为使人类不致迫不得已铤而走险对暴政和压迫进行反叛"),
    ("hz", "鉴于为使人类不致迫不得已铤而走险对暴政和压迫进行反叛"),
    ("big5", "鑑於為使人類不致迫不得已鋌而走險以抗專橫與壓迫"),
    ("euc_kr", "사람들이 폭정과 억압에 대항하는 마지막 수단으로서 반란에 호소하도록"),
]


@pytest.mark.parametrize("text", WESTERN.values(), ids=WESTERN)
def test_short_western_texts_are_read_as_windows_1252(text: str) -> None:
    assert decode(text.encode("cp1252")) == Decoded(text, "cp1252")


@pytest.mark.parametrize(("encoding", "text"), OTHERS, ids=[encoding for encoding, _ in OTHERS])
def test_other_code_pages_are_read_where_the_evidence_is_good(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_need_no_mark(encoding: str) -> None:
    text = "The door is open; die grüne Tür ist zu.\n上の階\n" * 3
    assert decode(text.encode(encoding)) == Decoded(text, encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [text for _, text in OTHERS]
    + [
        "今日は天気がいい", "今天天气很好", "Привет", "ราคาดีมาก", "날씨가좋다",
        "چونکہ یہ بہت ضروری ہے",
        "चूंकि मानव अधिकारों की रक्षा", "Привет, мир! 2024", "今日は天気がいい。\r\n東京は雨です。\r\n",
    ],
)  # fmt: skip
def test_utf16_without_a_mark_is_told_by_its_script(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text, encoding)


@pytest.mark.parametrize("text", WESTERN.values(), ids=WESTERN)
@pytest.mark.parametrize("size", [8, 10, 12, 20, 40])
def test_pairs_of_latin_letters_are_no_utf16(text: str, size: int) -> None:
    data = text.encode("cp1252")
    pieces = [data[at : at + size] for at in range(len(data) - size)]
    assert {decode(piece).encoding for piece in pieces}.isdisjoint({"utf-16-le", "utf-16-be"})


def test_a_few_bad_bytes_in_utf8_are_replaced_and_counted() -> None:
    data = "die grüne Tür öffnet sich ".encode() + b"\xff here \xe9 there"
    found = decode(data)
    assert found == Decoded("die grüne Tür öffnet sich \ufffd here \ufffd there", "utf-8", 2)


def test_a_character_that_is_cut_costs_itself() -> None:
    assert decode("die grüne Tür ü".encode()[:-1]).num_replaced == 1


@pytest.mark.parametrize("text", ["if (x) ~{ y ~}", "\x1b[1mbold\x1b[0m", "a ~ b ~{~} c", "~~"])
def test_plain_ascii_stays_so(text: str) -> None:
    assert decode(text.encode()) == Decoded(text, "utf-8")


def test_a_short_text_is_read_as_those_beside_it() -> None:
    data = "źródło".encode("cp1250")
    assert decode(data, code_page="cp1250") == Decoded("źródło", "cp1250")
    russian = "Сегодня утром в городе".encode("cp1251")
    assert decode(russian, code_page="cp1250").encoding == "cp1251"


@pytest.mark.parametrize("data", [b"a\0b", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)) * 4])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable):
        decode(data)


@given(data=st.binary(max_size=60), encoding=st.sampled_from(["utf-8", "cp1252", "gb18030"]))
def test_bytes_that_were_marked_come_back(data: bytes, encoding: str) -> None:
    marked = data.decode(encoding, errors=MARK_BYTES)
    replace_marks(marked).encode()
    if encoding != "gb18030":  # which has several byte sequences for a character
        assert unmark(marked, encoding) == data


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_text_that_can_be_stored_or_are_refused(data: bytes) -> None:
    try:
        found = decode(data)
    except DocumentUnreadable:
        return
    found.text.encode()


SENTENCES = {
    "gb18030": "股票市场今天上涨了很多，投资者都很高兴。",
    "big5hkscs": "股票市場今天上漲了很多，投資者都很高興。",
    "cp932": "今日は店が開きました。とても良い天気です。",
    "euc_jis_2004": "今日は店が開きました。とても良い天気です。",
    "cp949": "오늘 주식 시장이 많이 올랐습니다. 모두 기뻐합니다.",
    "cp1251": "Сегодня рынок вырос и все очень рады этому.",
    "cp1253": "Σήμερα η αγορά ανέβηκε και όλοι χαίρονται.",
    "cp1255": "היום השוק עלה וכולם שמחים מאוד.",
    "cp874": "วันนี้ตลาดหุ้นขึ้นมากทุกคนดีใจ",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy a všichni jsou rádi.",
}  # fmt: skip


@pytest.mark.parametrize("stray", [b"x \xff y", b"caf\xe9", None])
@pytest.mark.parametrize("encoding", SENTENCES)
def test_a_stray_byte_changes_nothing_of_the_rows_around_it(
    encoding: str, stray: bytes | None, tmp_path: Path
) -> None:
    rows = [f"{SENTENCES[encoding]} {number}" for number in range(200)]
    lines = [row.encode(encoding) + b",a" for row in rows]
    # None is half of a character.
    lines.insert(100, (lines[0][:-6] if stray is None else stray) + b",a")
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,label\n" + b"\n".join(lines) + b"\n")
    texts = [record.text for record in read_corpus(path) if isinstance(record, LabelledText)]
    assert sum(text in rows for text in texts) == 200


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "euc_jis_2004"])
def test_a_file_larger_than_what_is_looked_at_is_read_as_a_small_one(
    encoding: str, cut: int, tmp_path: Path
) -> None:
    row = f"{'x' * cut} {SENTENCES[encoding]}"
    path = tmp_path / "rows.csv"
    line = row.encode(encoding)
    path.write_bytes(b"text,label\n" + (line + b",a\n") * (300_000 // len(line)))
    record = next(read_corpus(path))
    assert isinstance(record, LabelledText)
    assert record.text == row


@pytest.mark.slow_variants
@pytest.mark.parametrize("encoding", ["gb18030", "cp932", "big5hkscs", "euc_jis_2004"])
def test_long_files_of_a_folder_are_sampled_though_characters_are_cut(
    encoding: str, tmp_path: Path
) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            text = f"A{number}{SENTENCES[encoding]}" * 400
            (tmp_path / label / f"{number}.txt").write_bytes(text.encode(encoding))
    records = list(read_corpus(tmp_path))
    assert all(isinstance(r, LabelledText) and SENTENCES[encoding] in r.text for r in records)


@pytest.mark.parametrize("text", ["The cost\xa0is £5", "a\xa0b", "AT\xa9T and R\xae, at 5\xa0%"])
def test_signs_that_stand_in_western_texts_are_no_letters_of_another(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


OLDER = {
    "French": "Considérant qu'il est essentiel que les droits de l'homme soient protégés, à même",
    "Italian": "Considerato che è indispensabile che la libertà è protetta; perché ciò è più",
    "German": "da es nötig ist, die Würde des Menschen überall für alle zu schützen",
    "Spanish": "Considerando que la nación y la razón son también así de pequeñas según el año",
}


@pytest.mark.parametrize("encoding", ["cp850", "mac-roman"])
@pytest.mark.parametrize("text", OLDER.values(), ids=OLDER)
def test_western_texts_of_older_systems_are_read_where_letters_would_be_odd_signs(
    text: str, encoding: str
) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize(
    "text",
    [
        "He said—well—nothing at all of it—that the house was sold",
        "the years 1990–1995, the Paris–Nice race and the London–Leeds line",
        "He waited… and waited…then left",
        "a matrix A×B is of size m×n; ±5 °C, 50°F–60°F",
        "a †note and another‡ here, snow•ice•rain",
        "10‰ of it, ¥300, 5¢ each and £m, 5µg",
        "‘rock’ ’n’ roll, “don‘t”, Hawai‘i and ‚so‘",
        "yes—no",
        "Microsoft®Word™ is here, §5, x²+y³, ½cup",
    ],
)
def test_typography_makes_no_letters_of_older_systems(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


ALONE = {
    "Albanian": "nga frika e skamja është proklamuar si dëshira më e lartë e çdo njeriu",
    "Sango": "mbâgë tî müngö terê, amû ngangü, lêgë ôko na kôlï na wâlï na yâ tî dutïngö",
    "Wichi": "'nohàànkye' 'imak tà t'uunkye' tà tok toot'ayejía' kyek",
    "Siriono": "re. Abae rã sii chóõ nande re, abae ndua rã siichõ nande nonde",
    "Arpitan": "la rèkònyichinhi è l’aplikachon pè tu è partòte, òche byin pè lè pòpulachon",
}


@pytest.mark.parametrize("text", ALONE.values(), ids=ALONE)
def test_letters_that_no_language_of_a_code_page_has_together_are_not_in_it(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text
