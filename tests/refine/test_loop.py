"""The loop: every way it ends, its limits, what it leaves, and going on after a stop."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.errors import Cancelled, ServiceUnavailable
from dqa.journal import Journal
from dqa.refine.by_hand import AskWriter
from dqa.refine.record import Refinement
from dqa.refine.rule import ACCEPTABLE, BEST_FIRST, Standards
from dqa.refine.variations import vary
from tests.refine.worlds import BRIEF, LOST, Got, World, refined, run_in


@pytest.mark.parametrize(
    ("gets", "standards", "outcome", "clips"),
    [
        ([0.6], Standards("B", 3), "accepted", 1),
        ([0.59], Standards("B", 3), "review", 1),
        ([0.49, 0.6], Standards("B", 3), "accepted", 2),
        ([0.5], Standards("B", 3), "review", 1),
        ([0.3, 0.2, 0.49, 0.1], Standards("B", 3), "exhausted", 4),
        ([0.3, 0.2, 0.49, 0.95], Standards("B", 3), "accepted", 4),
        ([0.3], Standards("B", 0), "exhausted", 1),
        ([0.79, 0.8], Standards("A-", 1), "accepted", 2),
        ([0.79, 0.7], Standards("A-", 1), "exhausted", 2),
        (["review 0.95"], Standards("B", 3), "review", 1),
        ([None], Standards("B", 3), "review", 1),
        (["broken"], Standards("B", 3), "failed", 1),
        ([0.3, "broken"], Standards("B", 3), "failed", 2),
    ],
)
def test_how_a_run_ends(gets: list[Got], standards: Standards, outcome: str, clips: int, tmp_path: Path) -> None:
    world = World(gets)
    told: list[str] = []
    ended = refined(world, tmp_path, told, standards=standards)
    record = ended.record
    assert (record.outcome, len(record.cycles), len(told)) == (outcome, clips, clips)
    assert [seed for _, seed in world.made] == [7 + n for n in range(clips)]
    assert (record.accepted is not None) == (outcome == "accepted")
    assert [cycle.attempt for cycle in record.cycles] == list(range(1, clips + 1))
    finals = [cycle.final for cycle in record.cycles if cycle.final is not None]
    best = next((cycle for cycle in record.cycles if cycle.evaluation == record.best), None)
    if finals:
        assert best is not None
        assert best.final == max(finals)
    if outcome in ("review", "failed"):
        assert len(ended.reason) > len("a person has to look at it: "), "why is said"
    assert Refinement.model_validate_json(record.model_dump_json()) == record
    assert json.loads(record.model_dump_json())["schema"] == "dqa.refinement/1"


def test_a_clip_without_a_grade_is_still_named(tmp_path: Path) -> None:
    record = refined(World([None]), tmp_path).record
    assert record.best == record.cycles[0].evaluation is not None


def test_clips_are_judged_against_the_brief_whatever_was_written(tmp_path: Path) -> None:
    world = World([0.3, 0.7], advice=(LOST,))
    record = refined(world, tmp_path / "a").record
    assert set(world.against) == {BRIEF}
    assert record.cycles[1].prompt == f"moonlit forest, {BRIEF}"
    other = World([0.3, 0.7], advice=(LOST,))
    refined(other, tmp_path / "b", against="prompt")
    assert other.against == [BRIEF, f"moonlit forest, {BRIEF}"]


def test_a_generator_without_a_seed_gets_none(tmp_path: Path) -> None:
    world = World([0.3, 0.7])
    assert [cycle.seed for cycle in refined(world, tmp_path, seed=None).record.cycles] == [None, None]


def test_the_last_seed_is_followed_by_the_first(tmp_path: Path) -> None:
    world = World([0.3, 0.7])
    assert [cycle.seed for cycle in refined(world, tmp_path, seed=2**64 - 1).record.cycles] == [2**64 - 1, 0]


def test_a_generator_that_goes_away_costs_nothing_that_was_made(tmp_path: Path) -> None:
    world = World([0.3, 0.4, 0.8], down_at={"attempt_01", "attempt_03"})
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            refined(world, tmp_path)
    record = refined(world, tmp_path).record
    whole = refined(World([0.3, 0.4, 0.8]), tmp_path / "whole").record
    assert without_ids(record) == without_ids(whole)
    assert len(world.made) == 3


@pytest.mark.parametrize("lines", range(1, 8))
def test_cut_anywhere_it_goes_on_to_the_same_record(lines: int, tmp_path: Path) -> None:
    world = World([0.3, 0.4, 0.8])
    whole = refined(world, tmp_path)
    log = tmp_path / "log.jsonl"
    there = log.read_bytes().splitlines(keepends=True)
    assert len(there) == 8
    log.write_bytes(b"".join(there[:lines]) + b'{"event": "cyc')
    again = refined(world, tmp_path)
    if lines >= 6:  # the last prompt was written, and with it the id of its verdict
        assert again == whole
    assert without_ids(again.record) == without_ids(whole.record)
    assert len(world.made) == 3, "a clip that is there is not made again"
    refined(world, tmp_path)
    assert sum(b'"stop"' in line for line in log.read_bytes().splitlines()) == 1


def without_ids(record: Refinement) -> Any:
    data = record.model_dump(mode="json")
    for name in ("accepted", "best"):
        attempts = [cycle["attempt"] for cycle in data["cycles"] if cycle["evaluation"] == data[name]]
        data[name] = attempts if data[name] else None
    for cycle in data["cycles"]:
        cycle["evaluation"] = cycle["evaluation"] is not None
        cycle["media"] = Path(cycle["media"]).name
    return data


def test_a_person_may_stop_and_go_on(tmp_path: Path) -> None:
    world = World([0.3, 0.8])
    lines: list[str] = [""]
    writer = AskWriter(lambda _: None, lambda: lines.pop(0) if lines else None)
    with pytest.raises(Cancelled, match="--out"):
        refined(world, tmp_path, writer=writer)
    lines += ["\x00", "a wolf, seen from the side"]
    record = refined(world, tmp_path, writer=writer).record
    assert [cycle.prompt for cycle in record.cycles] == [BRIEF, "a wolf, seen from the side"]
    assert record.outcome == "accepted"


@settings(max_examples=40, deadline=None)
@given(
    gets=st.lists(
        st.one_of(st.floats(0, 1), st.none(), st.sampled_from(["broken", "review 0.9", "review 0.1"])),
        min_size=1, max_size=13,
    ),
    min_grade=st.sampled_from(ACCEPTABLE),
    retries=st.integers(0, 10),
)  # fmt: skip
def test_what_always_holds(gets: list[Got], min_grade: Any, retries: int) -> None:
    world = World(gets)
    with tempfile.TemporaryDirectory() as folder:
        record = refined(world, Path(folder), standards=Standards(min_grade, retries)).record
    assert len(world.made) == len(record.cycles) <= retries + 1
    finals = [cycle.final for cycle in record.cycles if cycle.final is not None]
    best = next((cycle for cycle in record.cycles if cycle.evaluation and cycle.evaluation == record.best), None)
    assert (best is None) == all(cycle.evaluation is None for cycle in record.cycles)
    assert best is None or best.final == max(finals, default=None)
    accepted = [cycle for cycle in record.cycles if cycle.evaluation and cycle.evaluation == record.accepted]
    assert (record.outcome == "accepted") == bool(accepted)
    for cycle in accepted:
        assert cycle is record.cycles[-1]
        assert cycle.grade is not None
        assert BEST_FIRST.index(cycle.grade) <= BEST_FIRST.index(min_grade)
        assert cycle.action == "accept"
    assert (record.outcome == "exhausted") <= (len(record.cycles) == retries + 1)


def test_variations_are_of_the_best_prompt_with_seeds_of_their_own(tmp_path: Path) -> None:
    world = World([0.3, 0.8, 0.6], down_at={"variation_03"})
    cycles = refined(world, tmp_path).record.cycles
    run = run_in(world, tmp_path)
    with Journal(tmp_path / "log.jsonl") as journal, pytest.raises(ServiceUnavailable):
        vary(run, journal, cycles, 3, lambda _: None)
    with Journal(tmp_path / "log.jsonl") as journal:
        made = vary(run, journal, cycles, 3, lambda _: None)
        assert vary(run, journal, cycles, 3, lambda _: None) == made
    assert [cycle.attempt for cycle in made] == [1, 2, 3]
    assert {cycle.prompt for cycle in made} == {cycles[1].prompt}
    assert [cycle.seed for cycle in made] == [8, 9, 10]
    assert len({cycle.evaluation for cycle in made}) == 3
    assert len(world.made) == 4
    assert set(world.against) == {BRIEF}
