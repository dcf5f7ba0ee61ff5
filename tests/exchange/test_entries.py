"""Files of any size and sort become entries, one at a time, or a reason why not."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.errors import InputError
from dqa.exchange import entries
from dqa.exchange.entries import read_entries

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\[{,', max_size=3), inner, max_size=4),
    max_leaves=20,
)


def read(path: Path, content: bytes) -> list[tuple[str, object]]:
    path.write_bytes(content)
    return [(entry.place, entry.value) for entry in read_entries(path)]


@settings(deadline=None)
@given(values=st.lists(plain, max_size=6), chunk=st.integers(1, 40), indent=st.none() | st.just(2), lines=st.booleans())
def test_whatever_was_written_is_read_wherever_the_chunks_end(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], chunk: int, indent: int | None, lines: bool
) -> None:
    path = tmp_path_factory.mktemp("entries") / "file"
    if lines:
        values = [{"value": value} for value in values]
        text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    else:
        text = json.dumps(values, indent=indent, ensure_ascii=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(entries, "_CHUNK", chunk)
        found = read(path, text.encode())
    kind = "line" if lines else "entry"
    assert found == [(f"{kind} {n}", value) for n, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 4000 + b"}",
        b'{"a": ' + str(2**70).encode() + b"}",
        b'{"a": 1} {"b": 2}',
        b"\x00",
    ],
    ids=lambda line: line[:20].decode("latin-1"),
)
def test_what_can_not_be_used_is_told_and_the_rest_is_read(tmp_path: Path, line: bytes) -> None:
    found = read(tmp_path / "file", b'{"n": 1}\n' + line + b'\n\n{"n": 4}')
    assert [place for place, _ in found] == ["line 1", "line 2", "line 4"]
    assert (found[0][1], found[2][1]) == ({"n": 1}, {"n": 4})
    assert isinstance(found[1][1], InputError)
    assert "docs/how-to" in str(found[1][1]) or "number" in str(found[1][1])


def test_blanks_marks_and_line_ends_of_all_systems(tmp_path: Path) -> None:
    assert read(tmp_path / "a", b'\xef\xbb\xbf{"n": 1}\r\n \t\r\n{"n": 3}\r\n') == [
        ("line 1", {"n": 1}),
        ("line 3", {"n": 3}),
    ]
    assert read(tmp_path / "b", b'\xef\xbb\xbf \n [ {"n": 1} ,\n {"n": 2} ] \n') == [
        ("entry 1", {"n": 1}),
        ("entry 2", {"n": 2}),
    ]
    assert read(tmp_path / "c", b"") == []
    assert read(tmp_path / "d", b"[]") == []
    assert [place for place, _ in read(tmp_path / "e", b'[{"n": 1}, {"n": ')] == ["entry 1", "entry 2"]


def test_an_entry_that_is_too_long_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b'{"n": 1}\n{"long": "')
        for _ in range(100):
            file.write(b"x" * 2**20)
        file.write(b'"}\n{"n": 3}\n')
    tracemalloc.start()
    found = list(read_entries(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [entry.place for entry in found] == ["line 1", "line 2", "line 3"]
    assert "longer than 16 MB" in str(found[1].value)
    assert peak < 60 * 2**20


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        list(read_entries(tmp_path / "none"))
    with pytest.raises(InputError, match="can't be read"):
        list(read_entries(tmp_path))
