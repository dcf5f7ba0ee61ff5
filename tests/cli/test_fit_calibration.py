"""``dqa models fit-calibration``: from a file of ratings to calibrated records, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dqa
from dqa.acceptance.apply import fingerprint, in_force
from dqa.acceptance.shelf import calibrations
from dqa.config import Settings
from dqa.models.profiles import load_profile
from dqa.record import UNCALIBRATED, EvaluationRecord
from dqa.store import Store
from tests.acceptance.world import a_map, calibration
from tests.cli.conftest import Outcome, Run, sentence
from tests.conftest import CLIPS
from tests.report.example import example

Rate = Callable[..., Path]


def record(number: int, score: float, **changes: Any) -> EvaluationRecord:
    """An evaluation of its own clip and prompt, whose benchmark gave ``score``."""
    made = _EXAMPLE.model_copy(update={"id": f"ev_{number}", "prompt": f"prompt {number}", **changes})
    channel = made.channels["benchmark"].model_copy(update={"score": score})
    media = made.media.model_copy(update={"sha256": f"{number:064x}"})
    return made.model_copy(update={"channels": {**made.channels, "benchmark": channel}, "media": media})


_EXAMPLE = example().record
JUDGE = fingerprint(_EXAMPLE.channels["benchmark"].model)


@pytest.fixture
def rate(tmp_path: Path, home: Path) -> Rate:
    """Keeps n evaluations with rising scores and a file of ratings that mostly rise with them."""

    def make(n: int = 60, rating: Callable[[int], Any] = lambda i: 5 if i % 60 > 35 else 2, **more: Any) -> Path:
        store = Store.open(Settings(home=home))
        lines: list[str] = []
        for i in range(n):
            made = record(i, 0.3 + 0.6 * i / n)
            store.import_record(made)
            lines.append(json.dumps({"evaluation": made.id, "rating": rating(i), **more}))
        path = tmp_path / "ratings.jsonl"
        path.write_text("\n".join(lines) + "\n")
        return path

    return make


def fit(cli: Run, *arguments: object) -> Outcome:
    return cli("models", "fit-calibration", *arguments)


def test_ratings_become_a_version_in_force(cli: Run, rate: Rate, home: Path) -> None:
    done = fit(cli, rate(), "--channels", "benchmark", "--quiet")
    assert done.code == 0, done.err
    assert "60 ratings of 60 clips, accepted from 0.75; profile embedded." in done.out
    assert "benchmark: calibrated" in done.out
    assert "Version 1 is in force" in done.out
    fits = in_force(home, "embedded")
    assert fits.calibration is not None
    made = fits.calibration.content.channels["benchmark"]
    assert (made.judge, made.clips, made.ratings, made.prompts) == (JUDGE, 60, 60, 60)
    assert made.curve(0.4) < 0.3 < 0.7 < made.curve(0.85)
    assert [anchor.at for anchor in made.anchors] == [0.3, 0.6, 0.9]
    assert made.anchors[2].accepted == 1.0


def test_json_tells_it_all(cli: Run, rate: Rate) -> None:
    data = fit(cli, rate(), "--channels", "benchmark", "--json", "--quiet").json
    assert (data["version"], data["clips"], data["left_out"]) == (1, 60, 0)
    benchmark = data["channels"]["benchmark"]
    assert benchmark["fitted"]
    assert benchmark["figures"]["log_loss"]["after"] < benchmark["figures"]["log_loss"]["before"]
    assert benchmark["figures"]["log_loss"]["low"] > 0
    assert set(benchmark["map"]) == {"0.3", "0.6", "0.9"}


def test_a_dry_run_keeps_nothing(cli: Run, rate: Rate, home: Path) -> None:
    done = fit(cli, rate(), "--dry-run", "--quiet")
    assert "A dry run" in done.out
    assert not (home / "fits").exists()


def test_ratings_that_fall_with_the_score_change_nothing(cli: Run, rate: Rate, home: Path) -> None:
    done = fit(cli, rate(rating=lambda i: "reject" if i > 30 else "accept"), "--quiet")
    assert done.code == 0
    assert "not shown to score higher" in done.out
    assert "Nothing changes." in done.out
    assert calibrations(home, "embedded").numbers() == []


def test_what_is_refused_keeps_the_map_it_had(cli: Run, rate: Rate, home: Path) -> None:
    fit(cli, rate(), "--channels", "benchmark", "--quiet")
    fit(cli, rate(rating=lambda i: i % 2 == 0), "--quiet")
    fits = in_force(home, "embedded")
    assert fits.calibration is not None
    assert fits.calibration.content.version == 1


def test_one_clip_rated_by_several_counts_once(cli: Run, rate: Rate) -> None:
    path = rate(n=60)
    path.write_text(path.read_text() * 3)
    data = fit(cli, path, "--channels", "benchmark", "--json", "--dry-run", "--quiet").json
    assert (data["ratings"], data["clips"], data["channels"]["benchmark"]["ratings"]) == (180, 60, 180)


def test_versions_are_listed_gone_back_to_and_taken_out(cli: Run, rate: Rate, home: Path) -> None:
    path = rate()
    fit(cli, path, "--quiet")
    fit(cli, path, "--threshold", "1", "--quiet")
    listed = fit(cli, "--list")
    assert "* 2: " in listed.out
    assert "Version 2 of the calibration is in force" in listed.out
    assert fit(cli, "--rollback", 1, "--json").json["in_force"] == 1
    reset = fit(cli, "--reset", "--json").json
    assert reset["in_force"] is None
    assert [row["version"] for row in reset["versions"]] == [1, 2]
    gone = fit(cli, "--rollback", 9)
    assert gone.code == 3
    assert "no version 9" in sentence(gone)
    (home / "fits" / "embedded" / "calibration" / "0001.json").write_text("broken")
    damaged = fit(cli, "--rollback", 1)
    assert damaged.code == 3
    assert "damaged" in sentence(damaged)
    assert "is damaged" in fit(cli, "--list").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no file of ratings"),
        (("r.jsonl", "--list"), "commands of their own"),
        (("--reset", "--rollback", "1"), "commands of their own"),
        (("r.jsonl", "--channels", "preference"), "'preference' is not a channel"),
        (("r.jsonl", "--threshold", "0"), "no rating above 0"),
        (("r.jsonl", "--profile", "none"), "no profile"),
    ],
)
def test_wrong_usage_is_one_sentence(cli: Run, arguments: tuple[str, ...], said: str) -> None:
    done = fit(cli, *arguments)
    assert done.code == 2
    assert said in sentence(done)


def test_a_file_that_is_not_there(cli: Run, tmp_path: Path) -> None:
    done = fit(cli, tmp_path / "none.jsonl")
    assert done.code == 3
    assert "can't be read" in sentence(done)


def test_bad_lines_are_named_and_the_others_count(cli: Run, rate: Rate, tmp_path: Path) -> None:
    path = rate()
    good = path.read_text()
    bad = [
        "{", "[1]", '{"rating": 4}', '{"evaluation": "ev_none", "rating": 4}', '{"evaluation": "ev_1", "rating": NaN}',
        '{"evaluation": "ev_1", "rating": 9}', '{"evaluation": "ev_1", "rating": "great"}',
        '{"evaluation": "ev_1", "rating": 4, "scale": "stars"}', '{"media": "gone.mp4", "prompt": "a", "rating": 4}',
        '{"media": "a.mp4", "rating": 4}', '{"media": "a.mp4", "prompt": " ", "rating": 4}', '{"evaluation": "ev_2"}',
    ]  # fmt: skip
    path.write_text("\n".join(bad) + "\n" + good)
    done = fit(cli, path, "--channels", "benchmark", "--quiet")
    assert done.code == 3
    assert "60 ratings of 60 clips" in done.out
    assert "Version 1 is in force" in done.out
    lines = done.err.splitlines()
    numbers = [int(line.split("line ")[1].split(":")[0]) for line in lines]
    assert sorted(numbers) == list(range(1, 12)), "the twelfth has no rating, and is no fault"


def test_another_profiles_evaluation_is_left_out(cli: Run, home: Path, tmp_path: Path) -> None:
    other = record(1, 0.5, profile="rtx3090")
    Store.open(Settings(home=home)).import_record(other)
    path = tmp_path / "r.jsonl"
    path.write_text('{"evaluation": "ev_1", "rating": 4}\n')
    done = fit(cli, path, "--quiet")
    assert done.code == 3
    assert "of profile rtx3090, not embedded" in done.err


def test_records_in_files_and_clips_are_rated_too(cli: Run, clip: Callable[[str], Path], tmp_path: Path) -> None:
    """Clips are graded once each, and kept like any evaluation."""
    clip("clip-0.80.mp4")
    (tmp_path / "kept.json").write_text(record(7, 0.6).to_json())
    lines = [
        {"media": "clip-0.80.mp4", "prompt": "a wolf", "rating": 4},
        {"file": "clip-0.80.mp4", "prompt": "a wolf", "human": {"overall": 1}, "rating": 5},
        {"evaluation": "kept.json", "rating": 2},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = fit(cli, path, "--json", "--quiet")
    assert done.code == 0, done.err
    assert (done.json["ratings"], done.json["clips"]) == (3, 2)
    one = fit(cli, path, "--rating-key", "human.overall", "--json").json
    assert (one["ratings"], one["without_rating"]) == (0, 2)


def test_a_clip_that_was_graded_before_is_not_graded_again(
    cli: Run, clip: Callable[[str], Path], home: Path, tmp_path: Path
) -> None:
    media = clip("clip-0.80.mp4")
    path = tmp_path / "r.jsonl"
    path.write_text('{"media": "clip-0.80.mp4", "prompt": "a wolf", "rating": 4}\n')
    store = Store.open(Settings(home=home))
    fit(cli, path, "--quiet")
    (made,) = store.list_records()
    recipe = {"dqa_version": dqa.__version__, "profile_sha256": load_profile("embedded").sha256}
    as_now = made.model_copy(update={"id": "ev_now", "reproduce": made.reproduce.model_copy(update=recipe)})
    fit(cli, path, "--quiet")
    assert len(store.list_records()) == 2, "the scripted evaluator's records are of another version"
    store.import_record(as_now)
    assert fit(cli, path, "--json", "--quiet").json["ratings"] == 1
    assert len(store.list_records()) == 3
    media.write_text("another clip")
    fit(cli, path, "--quiet")
    assert len(store.list_records()) == 4


@pytest.mark.slow
def test_real_clips_are_rated_and_reproduced_under_their_calibration(
    shell: Run, home: Path, short_clips: Path, tmp_path: Path
) -> None:
    rated = [line for line in (CLIPS / "manifest.jsonl").read_text().splitlines() if '"human"' in line]
    path = tmp_path / "ratings.jsonl"
    path.write_text("\n".join(line.replace('"file": "', f'"file": "{short_clips}/') for line in rated))
    fitted = shell("models", "fit-calibration", path, "--rating-key", "human.overall", "--json", "--quiet")
    assert fitted.code == 0, fitted.err
    assert fitted.json["version"] is None
    assert "at least 3" in fitted.json["channels"]["benchmark"]["refused"]
    shelf = calibrations(home, "embedded")
    plain = next(r for r in Store.open(Settings(home=home)).list_records() if "cogvideox_0" in r.reproduce.media)
    own = plain.channels["benchmark"]
    shelf.add(calibration(benchmark=a_map(fingerprint(own.model))))
    page = tmp_path / "r.html"
    done = shell("evaluate", plain.reproduce.media, "--prompt", plain.prompt, "--json", "--quiet", "--report", page)
    record = done.json
    assert record["reproduce"]["calibration"]["version"] == 1
    assert record["channels"]["benchmark"]["raw"][UNCALIBRATED] == own.score
    assert record["channels"]["benchmark"]["score"] == a_map().curve(own.score or 0.0)
    assert "benchmark (from 50 ratings)" in page.read_text()
    assert "Calibrated scores (version 1)" in page.read_text()
    shell("models", "fit-calibration", "--reset")
    assert "identical" in shell("reproduce", record["id"], "--quiet").out
    (shelf.folder / "0001.json").unlink()
    gone = shell("reproduce", record["id"], "--quiet")
    assert gone.code == 3
    assert "no version 1 of the calibration" in sentence(gone)
