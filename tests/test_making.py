"""What a run makes is made once, and asked for under another id when it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dqa.errors import ServiceUnavailable
from dqa.journal import Journal
from dqa.making import made_once


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "log.jsonl") as opened:
        yield opened


def maker(folder: Path, asked: list[str], failing: int = 0) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        asked.append(name)
        if len(asked) <= failing:
            raise ServiceUnavailable("the server is gone", fix="start it")
        path = folder / "clip.mp4"
        path.write_bytes(b"clip")
        return path

    return make


def test_what_is_there_is_not_asked_for(tmp_path: Path, journal: Journal) -> None:
    asked: list[str] = []
    for _ in range(2):
        assert made_once(journal, "run", tmp_path / "clip", maker(tmp_path, asked)) == tmp_path / "clip.mp4"
    assert len(asked) == 1


def test_after_a_kill_the_same_request_is_taken_up_and_after_a_failure_another_one(tmp_path: Path) -> None:
    asked: list[str] = []
    make = maker(tmp_path, asked, failing=2)
    for _ in range(2):  # each time as a process of its own would find it
        with Journal(tmp_path / "log.jsonl") as journal, pytest.raises(ServiceUnavailable):
            made_once(journal, "run", tmp_path / "clip", make)
    with Journal(tmp_path / "log.jsonl") as journal:
        assert [event["event"] for event in journal.events] == ["not made", "not made"]
        made_once(journal, "run", tmp_path / "clip", make)
        again: list[str] = []
        (tmp_path / "clip.mp4").unlink()  # killed before it was fetched
        made_once(journal, "run", tmp_path / "clip", maker(tmp_path, again))
    assert len(set(asked)) == 3
    assert again == asked[-1:]


def test_another_run_or_file_asks_under_an_id_of_its_own(tmp_path: Path, journal: Journal) -> None:
    asked: list[str] = []
    for run, stem in (("one", "a"), ("two", "a"), ("one", "b")):
        made_once(journal, run, tmp_path / stem, maker(tmp_path, asked))
    assert len(set(asked)) == 3
