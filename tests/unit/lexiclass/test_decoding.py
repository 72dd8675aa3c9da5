"""What bytes are read as: Unicode first, then Windows-1252 unless there is better evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import DocumentUnreadable
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
def test_short_western_texts_are_read_as_windows_1252(text):
    assert decode(text.encode("cp1252")) == Decoded(text, "cp1252")


@pytest.mark.parametrize(("encoding", "text"), OTHERS, ids=[encoding for encoding, _ in OTHERS])
def test_other_code_pages_are_read_where_the_evidence_is_good(encoding, text):
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_need_no_mark(encoding):
    text = "The door is open; die grüne Tür ist zu.\n上の階\n" * 3
    assert decode(text.encode(encoding)) == Decoded(text, encoding)


def test_a_few_bad_bytes_in_utf8_are_replaced_and_counted():
    data = "die grüne Tür öffnet sich ".encode() + b"\xff here \xe9 there"
    found = decode(data)
    assert found == Decoded("die grüne Tür öffnet sich \ufffd here \ufffd there", "utf-8", 2)


def test_a_character_that_is_cut_costs_itself():
    assert decode("die grüne Tür ü".encode()[:-1]).num_replaced == 1


@pytest.mark.parametrize("text", ["if (x) ~{ y ~}", "\x1b[1mbold\x1b[0m", "a ~ b ~{~} c", "~~"])
def test_plain_ascii_stays_so(text):
    assert decode(text.encode()) == Decoded(text, "utf-8")


def test_a_short_text_is_read_as_those_beside_it():
    data = "źródło".encode("cp1250")
    assert decode(data, code_page="cp1250") == Decoded("źródło", "cp1250")
    russian = "Сегодня утром в городе".encode("cp1251")
    assert decode(russian, code_page="cp1250").encoding == "cp1251"


@pytest.mark.parametrize("data", [b"a\0b", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)) * 4])
def test_what_is_no_text_is_refused(data):
    with pytest.raises(DocumentUnreadable):
        decode(data)


@given(data=st.binary(max_size=60), encoding=st.sampled_from(["utf-8", "cp1252", "gb18030"]))
def test_bytes_that_were_marked_come_back(data, encoding):
    marked = data.decode(encoding, errors=MARK_BYTES)
    replace_marks(marked).encode()
    if encoding != "gb18030":  # which has several byte sequences for a character
        assert unmark(marked, encoding) == data


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_text_that_can_be_stored_or_are_refused(data):
    try:
        found = decode(data)
    except DocumentUnreadable:
        return
    found.text.encode()
