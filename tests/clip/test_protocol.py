from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.clip.protocol import (
    CONTROL_BYTES,
    HEADER,
    MAGIC,
    Code,
    End,
    Head,
    Header,
    Kind,
    ProtocolError,
    Request,
    parse_end,
    parse_error,
    parse_head,
)


def test_what_is_packed_is_read_back() -> None:
    header = Header(Kind.FRAME, 7, 6 * 2**20, 0.25)
    assert Header.unpack(header.pack()) == header
    request = Request("mp4", 1, 2, 3, 4, 5, 6, 7, 8)
    assert Request.from_argument(request.to_argument()) == request


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_garbage_is_no_header(data: bytes) -> None:
    if data[:4] != MAGIC:
        with pytest.raises(ProtocolError):
            Header.unpack(data)


def test_an_unknown_kind_or_an_endless_control_message_is_refused() -> None:
    for kind, length in [(0, 1), (99, 1), (Kind.END, CONTROL_BYTES + 1), (Kind.HEAD, 2**60)]:
        with pytest.raises(ProtocolError):
            Header.unpack(HEADER.pack(MAGIC, kind, 0, length, 0.0))


HEAD = {"width": 96, "height": 64, "sent_width": 48, "sent_height": 32}
END = {"corrupt_packets": 0, "rate": 10.0, "tail_s": 0.1}


def test_control_messages() -> None:
    assert parse_head(json.dumps(HEAD).encode()) == Head(96, 64, 48, 32)
    assert parse_end(json.dumps(END).encode()) == End(0, 10.0, 0.1)
    assert parse_error(b'{"code": "broken"}') is Code.BROKEN


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": -1},
        {"width": True},
        {"width": "96"},
        {"width": 96.0},
        {"width": None},
        {"width": 2**40},
        {"sent_width": 97},
        {"sent_height": 0},
        {"extra": 1},
    ],
)
def test_a_head_out_of_range_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        parse_head(json.dumps({**HEAD, **change}).encode())


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"code": "rm -rf"}', "[" * 4000, "\\ud800", "{}"])
def test_control_payloads_of_the_wrong_form_are_refused(text: str) -> None:
    for parse in (parse_head, parse_end, parse_error):
        with pytest.raises(ProtocolError):
            parse(text.encode())


@pytest.mark.parametrize("change", ['"rate": NaN', '"rate": Infinity', '"rate": -1', '"tail_s": "1"', '"rate": false'])
def test_an_end_out_of_range_is_refused(change: str) -> None:
    name = change.partition(":")[0].strip('"')
    rest = ", ".join(f'"{key}": {value}' for key, value in END.items() if key != name)
    with pytest.raises(ProtocolError):
        parse_end(f"{{{rest}, {change}}}".encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_head, parse_end, parse_error):
        with pytest.raises(ProtocolError):
            parse(data)
