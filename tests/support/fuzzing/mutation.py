"""Random changes of bytes and JSON values, determined by a random generator."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MAX_BYTES = 200_000
"""Length after which a changed input is cut."""

MAX_CHANGES = 4
"""Changes of one input. More changes rarely pass the first check of a parser."""

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)
"""Values at which counts and lengths overflow."""

PIECES = (
    b"\0", b"\xff" * 8, b"\x1b[2J\x1b]0;x\x07", "\u202e\u2066".encode(), b"\xed\xa0\x80", b"\xc3",
    b"\r\n\r\n", b"\n",
    b"%n%s%00%0a", b"../../../etc/passwd", b"-1", b"99999999999999999999", b"1e999", b"NaN", b"'\";`",
    b"&#0;&amp;",
    b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 2_000, b"{" * 500, b"<![CDATA[", b"A" * 5_000, b" " * 5_000,
    "\u0663".encode(),
    b"file:///etc/passwd", b"concat:a|b", b"http://[", b"=HYPERLINK(1)", b"<script>", b"C:\\a", b"#EXT-X-",
)  # fmt: skip
"""Bytes that some parser, terminal, page or file system could treat in a special way."""

_ADDRESS = re.compile(rb"/[\t\r\n]*/[^/?#\r\n]*")


def mutate(content: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Change some bytes of an input, and sometimes insert a part of another input."""
    data = bytearray(content)
    for _ in range(random.randint(1, MAX_CHANGES)):
        change = random.choice(_CHANGES)
        change(data, random)
        if others and random.random() < 0.1:
            other = random.choice(others)
            start = random.randrange(len(other) + 1)
            at = random.randrange(len(data) + 1)
            data[at:at] = other[start : start + random.randint(1, 2_000)]
    return bytes(data[:MAX_BYTES])


def keep_on_this_machine(content: bytes, host: bytes) -> bytes:
    """Replace the host of every address, so that a changed text leads to no foreign host."""
    return _ADDRESS.sub(b"//" + host, content)


def mutate_json(text: bytes, random: Random) -> bytes:
    """Replace one value or key of a JSON text by an odd value. Other texts stay."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    odd: Any = random.choice(
        (None, True, -1, 2**70, 1e308, float("nan"), "", "\0", "\ud800", "x" * 900, [], {}, [[[[]]]] * 3)
    )
    return json.dumps(_replace_value(document, odd, random)).encode()


def _replace_value(value: Any, odd: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        if random.random() < 0.2:
            return {("x" if name == key else name): each for name, each in value.items()}
        return value | {key: _replace_value(value[key], odd, random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], _replace_value(value[at], odd, random), *value[at + 1 :]]
    return odd


def _span(data: bytearray, random: Random, longest: int) -> slice:
    start = random.randrange(len(data) + 1)
    return slice(start, start + random.randint(1, longest))


def _flip_bits(data: bytearray, random: Random) -> None:
    for _ in range(random.randint(1, 8) if data else 0):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _truncate(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data) + 1) :]


def _delete(data: bytearray, random: Random) -> None:
    del data[_span(data, random, 64)]


def _repeat(data: bytearray, random: Random) -> None:
    span = _span(data, random, 64)
    data[span] = data[span] * random.choice((2, 3, 50))


def _insert(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice(PIECES)


def _write_number(data: bytearray, random: Random) -> None:
    form = random.choice("<B <H >H <I >I <Q >Q".split())
    size = struct.calcsize(form)
    number = struct.pack(form, random.choice(NUMBERS) & (256**size - 1))
    # Most lengths and counts stand in the head.
    limit = len(data) if random.random() < 0.5 else min(len(data), 256)
    at = random.randrange(limit + 1)
    data[at : at + size] = number


def _write_decimal(data: bytearray, random: Random) -> None:
    found = list(re.finditer(rb"-?\d+", bytes(data)))
    if found:
        match = random.choice(found)
        data[match.start() : match.end()] = str(random.choice((-1, *NUMBERS, 10**30))).encode()


def _move_line(data: bytearray, random: Random) -> None:
    lines = bytes(data).split(b"\n")
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(random.randrange(len(lines) + 1), line)
    data[:] = b"\n".join(lines)


_CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip_bits, _flip_bits, _truncate, _delete, _repeat, _insert, _insert, _write_number, _write_number,
    _write_decimal, _move_line,
)  # fmt: skip
