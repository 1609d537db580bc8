"""ICY metadata in streams."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.text import clean_text, decode_text
from realtime.network.icy import (
    IcyParser,
    format_tag_title,
    parse_stream_title,
)
from tests.support.waiting import computes_at_most


def block(text: bytes) -> bytes:
    """Return a metadata block of a stream: its length in units of 16 bytes, and text padded with zeros."""
    steps = -(-len(text) // 16)
    return bytes([steps]) + text.ljust(16 * steps, b"\0")


def parsed(interval: int, chunks: list[bytes]) -> tuple[bytes, list[tuple[int, str]]]:
    """Return the audio, and each title with the number of audio bytes before it."""
    parser = IcyParser(interval)
    audio = bytearray()
    titles = []
    for chunk in chunks:
        for piece in parser.push(chunk):
            if isinstance(piece, str):
                titles.append((len(audio), piece))
            else:
                assert piece
                audio += piece
    return bytes(audio), titles


def test_titles_are_cut_out_of_the_audio() -> None:
    body = (
        b"abcd"
        + block(b"StreamTitle='One';")
        + b"efgh"
        + block(b"")
        + b"ijkl"
        + block(b"StreamTitle='';")
        + b"m"
    )
    assert parsed(4, [body]) == (b"abcdefghijklm", [(4, "One"), (12, "")])


@given(
    interval=st.integers(1, 40),
    parts=st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=120)), max_size=6),
    tail=st.binary(max_size=50),
    cuts=st.lists(st.integers(0, 600), max_size=20),
)
def test_any_chunking_gives_the_same(
    interval: int, parts: list[tuple[bytes, bytes]], tail: bytes, cuts: list[int]
) -> None:
    """The network may split a body anywhere, even within a metadata block."""
    body = b"".join(audio.ljust(interval, b"\1")[:interval] + block(text) for audio, text in parts) + tail
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[start:end] for start, end in pairwise(places)]
    assert parsed(interval, chunks) == parsed(interval, [body])
    assert parsed(interval, [bytes([byte]) for byte in body]) == parsed(interval, [body])


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="'&\ufeff"), max_size=40)),
    st.integers(1, 9),
)
def test_audio_and_titles_come_out_as_they_went_in(texts: list[str], interval: int) -> None:
    blocks = [block(f"StreamTitle='{text}';".encode()) for text in texts]
    audio, titles = parsed(interval, [b"".join(b"x" * interval + one for one in blocks)])
    assert audio == b"x" * interval * len(texts)
    assert [title for _, title in titles] == [clean_text(text) for text in texts]


@given(st.integers(1, 64), st.binary(max_size=300))
def test_no_bytes_break_the_parser(interval: int, body: bytes) -> None:
    audio, titles = parsed(interval, [body])
    assert len(audio) + len(titles) <= len(body)


def test_an_interval_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="icy-metaint is 0; it must be at least 1"):
        IcyParser(0)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (b"StreamTitle='Band - Song';StreamUrl='http://a/';", "Band - Song"),
        (b"StreamTitle='Don't Stop 'til You Get Enough';StreamUrl='';", "Don't Stop 'til You Get Enough"),
        (b"StreamTitle='a='b';", "a='b"),
        (b"StreamTitle='Rock; Roll';", "Rock; Roll"),
        (b"StreamTitle='';StreamUrl='';", ""),
        (b"StreamTitle='no end", "no end"),
        (b"StreamTitle='no semicolon'", "no semicolon"),
        (b"streamtitle='small';", "small"),
        (b"StreamUrl='x';StreamTitle='second';\0\0\0", "second"),
        ("StreamTitle='Björk - Jóga';".encode(), "Björk - Jóga"),
        ("StreamTitle='Björk';".encode("latin-1"), "Björk"),
        (b"StreamTitle='two\r\nlines\x1b[31m  red';", "two lines [31m red"),
        ("StreamTitle='It\u2019s \u2013 \u201cx\u201d';".encode("cp1252"), "It\u2019s \u2013 \u201cx\u201d"),
        ("StreamTitle='Бя".encode()[:-1], "Б"),
        ("StreamTitle='Бя".encode()[:-1] + b"';StreamUrl='';", "Б"),
        (b"StreamTitle='" + "Ab - Cd".encode("utf-16") + b"';", "Ab - Cd"),
        (b"StreamTitle='Simon &amp; Garfunkel - It&#39;s &#27;[2J';", "Simon & Garfunkel - It's [2J"),
        (b"StreamTitle='" + b"a" * 4000 + b"';", "a" * 199 + "…"),
        (b"StreamTitle='a';  StreamUrl='b'", "a"),
        (b"StreamUrl='x';", None),
        (b"nothing of the kind", None),
        (b"", None),
    ],
)
def test_titles_as_stations_write_them(text: bytes, title: str | None) -> None:
    assert parse_stream_title(text) == title


def test_text_is_utf_8_where_it_can_be() -> None:
    assert decode_text("é".encode()) == decode_text("é".encode("latin-1")) == "é"


@pytest.mark.parametrize(
    "piece", [b"StreamTitle='", b"';", b"'; ", b"';a", b"'", b";", b" ", b"a=", b"&", b"&#"]
)
def test_a_hostile_title_takes_no_time(piece: bytes) -> None:
    """A block has at most 4080 bytes, but tags of Ogg streams have no limit."""
    with computes_at_most(1):
        parse_stream_title(b"StreamTitle='" + piece * (1_000_000 // len(piece)))
        format_tag_title({"title": piece.decode() * 1_000_000})


@pytest.mark.parametrize(
    ("tags", "title"),
    [
        ({"title": "a" * 1_500_000}, "a" * 199 + "…"),
        ({"title": "a" * 150, "artist": "b" * 150}, "b" * 150 + " - " + "a" * 46 + "…"),
        ({"title": "two\x1b]0;x\x07\nlines"}, "two ]0;x lines"),
        ({"TITLE": "Song", "ARTIST": "Band"}, "Band - Song"),
        ({"title": "Song"}, "Song"),
        ({"artist": "Band", "title": ""}, "Band"),
        ({"encoder": "x"}, ""),
    ],
)
def test_titles_of_tags(tags: dict[str, str], title: str) -> None:
    assert format_tag_title(tags) == title
