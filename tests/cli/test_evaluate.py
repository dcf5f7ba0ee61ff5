"""``dqa evaluate``: the card, the ranking, JSON lines, the report, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqa.cli import runtime
from dqa.config import load_settings
from dqa.record import EvaluationRecord
from tests.cli.conftest import Run, sentence
from tests.report.example import PROMPT as EXAMPLE_PROMPT

PROMPT = ("--prompt", "a red apple")
Clip = Callable[[str], Path]


def test_one_clip_is_a_card_with_everything_a_reader_needs(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("a-0.74.mp4"), *PROMPT)
    assert done.code == 0
    for part in (
        "B+",
        "0.74",
        "accept",
        "a-0.74.mp4",
        "a red apple",
        "abstained",
        "subject consistency",
        "Advice",
        "ev_",
    ):
        assert part in done.out
    assert "Traceback" not in done.err


def test_progress_goes_to_stderr_only(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("a-0.74.mp4"), clip("b-0.5.mp4"), *PROMPT, "--json")
    assert "[1/2] a-0.74.mp4: B+ 0.74" in done.err
    assert [line["schema"] for line in done.lines] == ["dqa.evaluation/1"] * 2


def test_quiet_says_nothing(cli: Run, clip: Clip) -> None:
    assert cli("evaluate", clip("a-0.74.mp4"), *PROMPT, "--quiet").err == ""


def test_several_clips_come_best_first_with_what_sets_them_apart(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("b-0.5.mp4"), clip("none.mp4"), clip("a-0.74.mp4"), *PROMPT)
    assert done.code == 0
    places = [done.out.index(name) for name in ("a-0.74.mp4", "b-0.5.mp4", "none.mp4")]
    assert places == sorted(places)
    assert "a-0.74.mp4 is 0.24 ahead of b-0.5.mp4" in " ".join(done.out.split())
    assert "none.mp4 could not be scored" in " ".join(done.out.split())


def test_json_lines_are_records_best_first(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("none.mp4"), clip("b-0.5.mp4"), clip("a-0.74.mp4"), *PROMPT, "--json", "--quiet")
    records = [EvaluationRecord.from_json(line) for line in done.out.splitlines()]
    assert [r.final for r in records] == [0.74, 0.5, None]
    assert done.err == ""


def test_a_bad_clip_among_good_ones_is_named_and_the_others_go_on(cli: Run, clip: Clip) -> None:
    bad = clip("bad.mp4")
    bad.write_text("not a video at all")
    done = cli(
        "evaluate", clip("a-0.74.mp4"), bad, clip("b-0.5.mp4"), *PROMPT, "--json", "--quiet", "--fail-below", "A"
    )
    assert done.code == 3, "an input that failed outweighs a grade below the wanted one"
    assert [line["final"] for line in done.lines] == [0.74, 0.5]
    assert "bad.mp4" in sentence(done)


def test_an_unexpected_error_on_one_clip_does_not_cost_the_others(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("crash.mp4"), clip("b-0.5.mp4"), *PROMPT, "--json", "--quiet")
    assert done.code == 4
    assert [line["final"] for line in done.lines] == [0.5]


def test_a_missing_model_ends_the_run_with_what_there_is(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("a-0.74.mp4"), clip("nomodel.mp4"), clip("b-0.5.mp4"), *PROMPT, "--json", "--quiet")
    assert done.code == 4
    assert [line["final"] for line in done.lines] == [0.74]


def test_flags_reach_the_evaluation(cli: Run, clip: Clip) -> None:
    done = cli("evaluate", clip("a-0.74.mp4"), *PROMPT, "--json", "--user", "ann", "--seed", "7")
    assert done.json["user"] == "ann"
    assert done.json["reproduce"]["seed"] == 7


def test_flags_outweigh_variables_outweigh_the_file(
    cli: Run, clip: Clip, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("user = 'from-file'\nseed = 5\n")
    monkeypatch.setenv("DQA_USER", "from-env")
    done = cli("evaluate", clip("a-0.74.mp4"), *PROMPT, "--json")
    assert (done.json["user"], done.json["reproduce"]["seed"]) == ("from-env", 5)
    assert cli("evaluate", clip("a-0.74.mp4"), *PROMPT, "--json", "--user", "flag").json["user"] == "flag"


def test_every_verdict_is_kept(cli: Run, clip: Clip, home: Path) -> None:
    path = clip("a-0.74.mp4")
    record = EvaluationRecord.from_json(cli("evaluate", path, *PROMPT, "--json").out)
    store = runtime.open_store(load_settings())
    assert store.get_record(record.id) == record
    assert store.find_media(record.media.sha256) == path


def test_a_store_that_fails_is_a_warning(cli: Run, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runtime, "open_store", broken)
    done = cli("evaluate", clip("a-0.74.mp4"), clip("b-0.5.mp4"), *PROMPT, "--json", "--quiet")
    assert done.code == 0
    assert len(done.lines) == 2
    assert "No space left" in sentence(done), "said once, not once a clip"


def test_the_report_is_written_whole(cli: Run, clip: Clip, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    done = cli("evaluate", clip("a-0.74.mp4"), clip("b-0.5.mp4"), "--prompt", EXAMPLE_PROMPT, "--report", out)
    assert done.code == 0
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "2 clips compared" in page
    assert [p for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_clips_of_one_name_in_two_folders_are_told_apart(cli: Run, tmp_path: Path) -> None:
    for folder, content in (("one", "x"), ("two", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "c-0.5.mp4").write_text(content)
    done = cli("evaluate", tmp_path / "one" / "c-0.5.mp4", tmp_path / "two" / "c-0.5.mp4", *PROMPT)
    text = "".join(done.out.split())
    assert "one/c-0.5.mp4" in text
    assert "two/c-0.5.mp4" in text


@pytest.mark.slow
def test_a_real_clip_from_another_folder(shell: Run, clips: list[object], tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "data" / "clips" / "wan21_01_base.mp4"
    (tmp_path / "clip.mp4").write_bytes(source.read_bytes())
    done = shell("evaluate", tmp_path / "clip.mp4", "--prompt", "two people talking near a big tree", "--json")
    assert done.code == 0, done.err
    record = EvaluationRecord.from_json(done.out)
    assert record.media.width > 0
    assert record.channels["benchmark"].score is not None
