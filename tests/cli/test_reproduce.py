"""``dqa reproduce``: the same verdict, or exactly what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqa.cli import runtime
from tests.cli.conftest import Outcome, Run, sentence
from tests.cli.doubles import ScriptedEvaluator

Clip = Callable[[str], Path]


def judged(cli: Run, path: Path) -> dict[str, Any]:
    return cli("evaluate", path, "--prompt", "a red apple", "--user", "ann", "--seed", "3", "--json").json


def reproduce(cli: Run, *arguments: object) -> Outcome:
    return cli("reproduce", *arguments, "--json", "--quiet")


def test_the_same_again_is_identical(cli: Run, clip: Clip) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    done = reproduce(cli, record["id"])
    assert done.code == 0
    assert done.json["identical"] is True
    assert done.json["differences"] == []
    assert "identical" in cli("reproduce", record["id"], "--quiet").out


def test_it_runs_from_the_records_own_settings(cli: Run, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    made: list[ScriptedEvaluator] = []

    def make(settings: Any) -> ScriptedEvaluator:
        made.append(ScriptedEvaluator(settings))
        return made[-1]

    monkeypatch.setattr(runtime, "make_evaluator", make)
    monkeypatch.setenv("DQA_SEED", "9")
    assert reproduce(cli, record["id"]).code == 0
    asked = made[0].seen[0]
    assert (asked["user"], asked["seed"], asked["media_name"]) == ("ann", 3, record["reproduce"]["media"])


@pytest.mark.parametrize("used", [True, False])
def test_the_weights_are_the_record_s_whatever_the_setting_says_now(
    cli: Run, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    record["reproduce"]["adaptive_weights"] = used
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    allowed: list[bool] = []

    def make(settings: Any) -> ScriptedEvaluator:
        allowed.append(settings.adaptive_weights)
        return ScriptedEvaluator(settings)

    monkeypatch.setattr(runtime, "make_evaluator", make)
    monkeypatch.setenv("DQA_ADAPTIVE_WEIGHTS", str(not used))
    reproduce(cli, file)
    assert allowed == [used]


def test_the_vision_language_model_is_the_record_s(
    cli: Run, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    assert "vlm_component" not in record["reproduce"]
    file = tmp_path / "record.json"
    chosen: list[str | None] = []

    def make(settings: Any) -> ScriptedEvaluator:
        chosen.append(settings.vlm_component)
        return ScriptedEvaluator(settings)

    monkeypatch.setattr(runtime, "make_evaluator", make)
    monkeypatch.setenv("DQA_VLM_COMPONENT", "vlm-qwen3.5-9b")
    for wanted in (None, "vlm-4b"):
        record["reproduce"]["vlm_component"] = wanted
        file.write_text(json.dumps(record))
        reproduce(cli, file)
    assert chosen == [None, "vlm-4b"]


def test_what_differs_is_listed_by_pointer(cli: Run, clip: Clip, tmp_path: Path) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    record["final"] = 0.71
    record["channels"]["benchmark"]["raw"]["a/b~c"] = 1
    record["notes"].append("one more")
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    done = reproduce(cli, file)
    assert done.code == 1
    changes = {c["pointer"]: (c["old"], c["new"]) for c in done.json["differences"]}
    assert changes["/final"] == (0.71, 0.7)
    assert changes["/channels/benchmark/raw/a~1b~0c"] == (1, None)
    assert set(changes) == {"/final", "/channels/benchmark/raw/a~1b~0c", "/notes"}
    assert "/final: 0.71 -> 0.7" in cli("reproduce", file, "--quiet").out


def test_a_line_of_a_batch_can_be_reproduced(cli: Run, clip: Clip, tmp_path: Path) -> None:
    clip("a-0.7.mp4")
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.jsonl"
    manifest.write_text('{"id": "x", "media": "a-0.7.mp4", "prompt": "p"}\n')
    cli("batch", manifest, "--output", out)
    assert reproduce(cli, out).code == 0


def test_another_version_is_named_and_does_not_count_alone(cli: Run, clip: Clip, tmp_path: Path) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    record["reproduce"]["dqa_version"] = "0.0.1"
    record["reproduce"]["profile_sha256"] = "0" * 64
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    done = reproduce(cli, file)
    assert done.code == 0
    assert "0.0.1" in done.json["environment"][0]
    assert "profile" in done.json["environment"][1]


def test_a_clip_that_moved_is_found_where_the_user_says(cli: Run, clip: Clip, tmp_path: Path) -> None:
    path = clip("a-0.7.mp4")
    record = judged(cli, path)
    moved = tmp_path / "b-0.7.mp4"
    path.rename(moved)
    gone = reproduce(cli, record["id"])
    assert gone.code == 3
    assert "--media" in sentence(gone)
    assert reproduce(cli, record["id"], "--media", moved).code == 0


def test_a_clip_that_changed_is_refused(cli: Run, clip: Clip) -> None:
    path = clip("a-0.7.mp4")
    record = judged(cli, path)
    path.write_text("another clip")
    done = reproduce(cli, record["id"])
    assert done.code == 3
    assert "has changed" in sentence(done)
    assert reproduce(cli, record["id"], "--media", path).code == 3


def test_a_clip_that_changed_is_replaced_by_the_copy_the_store_knows(cli: Run, clip: Clip, tmp_path: Path) -> None:
    path = clip("a-0.7.mp4")
    record = judged(cli, path)
    copy = tmp_path / "copy-0.7.mp4"
    copy.write_bytes(path.read_bytes())
    judged(cli, copy)
    path.write_text("another clip")
    done = reproduce(cli, record["id"])
    assert done.code == 0
    assert done.json["media"] == str(copy)


@pytest.mark.parametrize("what", ["ev_01nonesuch", "nonesuch.json"])
def test_an_unknown_evaluation_is_3(what: str, cli: Run) -> None:
    done = reproduce(cli, what)
    assert done.code == 3
    sentence(done)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "[" * 100_000, '{"schema": "dqa.evaluation/2"}'])
def test_a_file_that_is_no_record_is_3(content: str, cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(content)
    done = reproduce(cli, file)
    assert done.code == 3
    assert "not an evaluation record" in sentence(done)


def test_a_missing_media_flag_is_3(cli: Run, clip: Clip, tmp_path: Path) -> None:
    record = judged(cli, clip("a-0.7.mp4"))
    assert reproduce(cli, record["id"], "--media", tmp_path / "none.mp4").code == 3
