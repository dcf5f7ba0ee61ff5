"""The loop's rules, in a world where it is known what helps: what is tried, kept, taken back, and when it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dqa.calibrate.axes import Axes
from dqa.calibrate.climb import Rules, independent
from dqa.calibrate.editor import Edit, EditRequest
from dqa.calibrate.learned import load_gains, save_gains
from dqa.calibrate.reference import Reference
from dqa.calibrate.rules import RuleEditor
from dqa.calibrate.run_summary import attribution, best_seed
from dqa.errors import Busy, InputError, UnavailableError
from dqa.journal import Journal
from tests.calibrate.worlds import AXES, REFERENCE, World, axis, climbed


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def steps(folder: Path) -> list[dict[str, Any]]:
    return [event for event in log(folder) if event["event"] == "step"]


def test_it_climbs_one_axis_a_step_to_the_target(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World())
    assert outcome.reason == "target"
    assert outcome.best.prompt == "a person, calm mood, red hat, blue coat"
    assert [step["axis"] for step in steps(tmp_path)] == [None, "mood", "hat", "coat"]
    assert [step["overall"] for step in steps(tmp_path)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [step["mismatch_count"] for step in steps(tmp_path)] == [3, 2, 1, 0]
    assert log(tmp_path)[-1] == {"event": "stop", "reason": "target", "best_iter": 3}


def test_a_mismatch_goes_before_a_partial_match(tmp_path: Path) -> None:
    climbed(tmp_path, World(otherwise={"mood": "partial"}))
    assert [step["axis"] for step in steps(tmp_path)] == [None, "hat", "coat", "mood"]


def test_no_mismatch_and_the_target_are_both_needed(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World(otherwise={"mood": "partial"}), Rules(target=0.8))
    assert outcome.best.prompt == "a person, red hat, blue coat"
    assert outcome.climb.standing(outcome.best).overall == pytest.approx(5 / 6)
    outcome = climbed(tmp_path / "b", World(obeyed={"mood": "calm mood", "hat": "red hat"}), Rules(target=0.5))
    assert outcome.reason != "target"  # two of three are over 0.5, but the coat is a mismatch


def test_another_wording_is_tried_before_an_axis_is_left(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World(obeyed={"mood": "calm air", "hat": "red hat", "coat": "blue coat"}))
    told = [(step["axis"], step["wordings"], step["kept"]) for step in steps(tmp_path)[1:3]]
    assert told == [("mood", ["calm mood"], False), ("mood", ["calm air"], True)]
    assert "calm mood" not in outcome.best.prompt


def test_it_stops_when_nothing_helps_and_goes_back_each_time(tmp_path: Path) -> None:
    world = World(obeyed={})
    outcome = climbed(tmp_path, world, Rules(patience=3))
    assert outcome.reason == "patience"
    assert outcome.best.number == 0
    assert [step["axis"] for step in steps(tmp_path)] == [None, "mood", "mood", "hat"]
    assert all(step["old"] == "a person" and not step["kept"] for step in steps(tmp_path)[1:])


def test_it_stops_after_the_most_corrections(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World(), Rules(max_iters=2))
    assert outcome.reason == "max_iters"
    assert outcome.best.number == 2
    assert climbed(tmp_path / "none", World(), Rules(max_iters=0)).best.number == 0


def test_it_stops_when_nothing_is_left_to_try(tmp_path: Path) -> None:
    axes = Axes((axis("hat", "{value} hat"),))
    outcome = climbed(tmp_path, World(obeyed={}), axes=axes, reference=Reference("", {"hat": "red"}))
    assert outcome.reason == "exhausted"
    assert len(steps(tmp_path)) == 2


def test_patience_begins_anew_with_every_gain(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World(obeyed={"mood": "calm air", "hat": "red hat"}), Rules(patience=2))
    assert outcome.best.prompt == "a person, calm air, red hat"
    assert outcome.reason in ("patience", "exhausted")


def test_what_spoils_another_axis_is_taken_back(tmp_path: Path) -> None:
    world = World(otherwise={"mood": "partial", "hat": "partial"}, spoils={"red hat": "mood"})
    outcome = climbed(tmp_path, world, Rules(patience=9))
    assert outcome.best.prompt == "a person, blue coat, calm mood"
    assert any("red hat" in step["new"] and not step["kept"] for step in steps(tmp_path))


def test_the_seed_is_kept_while_searching_and_varied_after(tmp_path: Path) -> None:
    world = World()
    outcome = climbed(tmp_path, world, vary=2)
    assert [seed for _, seed in world.made] == [7, 7, 7, 7, 8, 9]
    assert {prompt for prompt, _ in world.made[3:]} == {outcome.best.prompt}
    assert [step.seed for step in outcome.seeds] == [8, 9]
    assert best_seed(outcome) == 7
    assert len({step["file"] for step in steps(tmp_path)}) == 6


def test_the_seed_is_not_varied_where_the_target_was_not_reached(tmp_path: Path) -> None:
    world = World(obeyed={})
    climbed(tmp_path, world, vary=3)
    assert {seed for _, seed in world.made} == {7}


def test_a_picture_with_text_for_the_judge_is_never_kept(tmp_path: Path) -> None:
    outcome = climbed(tmp_path, World(tampers="calm"), Rules(patience=9))
    assert "calm" not in outcome.best.prompt
    assert outcome.best.prompt == "a person, red hat, blue coat"


def test_an_axis_that_is_no_longer_judged_is_no_gain(tmp_path: Path) -> None:
    class Forgetful(World):
        def _judged(self, name: str, ref: str, prompt: str) -> Any:
            found = super()._judged(name, ref, prompt)
            blind = name == "coat" and "red hat" in prompt
            return type(found)(name, None, ref, None, "not seen") if blind else found

    outcome = climbed(tmp_path, Forgetful(otherwise={"coat": "match"}), Rules(patience=9))
    assert outcome.best.prompt == "a person, calm mood"
    assert any("red hat" in step["new"] and not step["kept"] for step in steps(tmp_path))


def test_a_first_picture_that_can_not_be_judged_is_refused(tmp_path: Path) -> None:
    world = World(obeyed={}, otherwise=dict.fromkeys(REFERENCE.values))
    with pytest.raises(InputError, match="not seen"):
        climbed(tmp_path, world)


def test_two_axes_at_once_only_where_allowed_and_independent(tmp_path: Path) -> None:
    climbed(tmp_path / "alone", World())
    assert not any("+" in (step["axis"] or "") for step in steps(tmp_path / "alone"))
    climbed(tmp_path / "pairs", World(), Rules(pairs=True))
    assert [step["axis"] for step in steps(tmp_path / "pairs")] == [None, "mood+hat", "coat"]
    tied = Axes((axis("mood", depends=("hat",)), axis("hat", "{value} hat"), axis("coat", group="hat")))
    assert not independent(tied["mood"], tied["hat"])
    assert not independent(tied["hat"], tied["coat"])
    assert independent(tied["mood"], tied["coat"])


def test_a_pair_that_does_not_help_is_tried_one_by_one(tmp_path: Path) -> None:
    world = World(obeyed={"mood": "calm mood"}, spoils={"red hat": "mood"}, otherwise={"coat": "partial"})
    climbed(tmp_path, world, Rules(pairs=True, patience=9))
    assert [step["axis"] for step in steps(tmp_path)][:3] == [None, "mood+hat", "mood"]
    assert steps(tmp_path)[2]["kept"]


def test_an_editor_that_repeats_itself_generates_nothing(tmp_path: Path) -> None:
    class Stuck:
        name = "stuck"

        def propose(self, request: EditRequest) -> Edit:
            return Edit("a person", ("x",))

    world = World()
    assert climbed(tmp_path, world, editor=Stuck()).reason == "exhausted"
    assert len(world.made) == 1


def test_from_wherever_it_was_killed_it_ends_the_same(tmp_path: Path) -> None:
    def world() -> World:
        return World(obeyed={"mood": "calm air", "hat": "red hat", "coat": "blue coat"})

    whole = tmp_path / "whole"
    climbed(whole, world(), vary=1)
    lines = (whole / "log.jsonl").read_bytes().splitlines(keepends=True)
    files = {path.name: path.read_bytes() for path in whole.glob("iter_*")}
    for count in range(1, len(lines) + 1):
        for torn in (b"", lines[count][: len(lines[count]) // 2] if count < len(lines) else b""):
            folder = tmp_path / f"cut_{count}_{len(torn)}"
            folder.mkdir(exist_ok=True)
            (folder / "log.jsonl").write_bytes(b"".join(lines[:count]) + torn)
            done = [json.loads(line) for line in lines[:count]]
            for event in done:
                if event["event"] == "step":
                    (folder / event["file"]).write_bytes(files[event["file"]])
            again = world()
            climbed(folder, again, vary=1)
            assert (folder / "log.jsonl").read_bytes() == b"".join(lines)
            assert len(again.made) == len(files) - sum(event["event"] == "step" for event in done)


def test_a_picture_that_is_there_is_not_generated_again(tmp_path: Path) -> None:
    class Dies(World):
        def compare(self, reference: Reference, picture: Any) -> Any:
            if len(self.made) == 2:
                raise UnavailableError("the judge is away")
            return super().compare(reference, picture)

    with pytest.raises(UnavailableError):
        climbed(tmp_path, Dies())
    assert log(tmp_path)[-1]["event"] == "edit"
    again = World()
    climbed(tmp_path, again)
    assert len(again.made) == 2  # of four pictures two were there


def test_where_the_generator_failed_it_goes_on_and_asks_anew(tmp_path: Path) -> None:
    whole = climbed(tmp_path / "whole", World(), seed=7, vary=2)
    world = World(failing=frozenset({1, 3, 4, 8}))
    for _ in world.failing:
        with pytest.raises(UnavailableError):
            climbed(tmp_path / "cut", world, seed=7, vary=2)
    outcome = climbed(tmp_path / "cut", world, seed=7, vary=2)
    assert steps(tmp_path / "cut") == steps(tmp_path / "whole")
    assert (outcome.reason, outcome.best) == (whole.reason, whole.best)
    assert len(set(world.names)) == len(world.names), "what failed under an id is not asked for under it again"


def test_limits_may_change_from_call_to_call(tmp_path: Path) -> None:
    assert climbed(tmp_path, World(), Rules(max_iters=1)).reason == "max_iters"
    world = World()
    assert climbed(tmp_path, world, Rules()).reason == "target"
    assert len(world.made) == 2
    assert [event["reason"] for event in log(tmp_path) if event["event"] == "stop"] == ["max_iters", "target"]


def test_one_process_at_a_time_and_no_strange_log(tmp_path: Path) -> None:
    with Journal(tmp_path / "log.jsonl"), pytest.raises(Busy), Journal(tmp_path / "log.jsonl"):
        pass
    (tmp_path / "log.jsonl").write_text('{"event": "start"}\nhello\n')
    with pytest.raises(InputError, match="line 2"), Journal(tmp_path / "log.jsonl"):
        pass


def test_what_helped_is_told_and_kept_for_the_next_run(tmp_path: Path) -> None:
    world = World(obeyed={"mood": "calm air", "hat": "red hat", "coat": "blue coat"})
    outcome = climbed(tmp_path / "run", world)
    told = list(attribution(outcome.climb))
    assert [(gain["axis"], gain["wording"], gain["delta_mismatches"]) for gain in told] == [
        ("mood", "calm air", -1), ("hat", "red hat", -1), ("coat", "blue coat", -1),
    ]  # fmt: skip
    assert sum(gain["delta_overall"] for gain in told) == pytest.approx(1.0)
    save_gains(tmp_path, "one", outcome.climb)
    save_gains(tmp_path, "one", outcome.climb)  # the same run once more teaches nothing new
    gains = load_gains(tmp_path)
    assert gains["mood", "calm", "calm air"] == pytest.approx(1 / 3)
    assert gains["mood", "calm", "calm mood"] < 0
    wiser = World(obeyed=world.obeyed)
    climbed(tmp_path / "next", wiser, editor=RuleEditor(AXES, gains))
    assert len(wiser.made) == len(world.made) - 1


def test_what_can_not_be_read_teaches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "calibrate" / "wordings"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('[["mood", "calm", 3, 4], ["mood", "calm", "calm air", 0.5], 7]')
    assert load_gains(tmp_path) == {("mood", "calm", "calm air"): 0.5}
