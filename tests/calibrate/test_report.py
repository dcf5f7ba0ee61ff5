"""Reports: whole files under safe names, and strangers' text shown as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.calibrate.judge import Comparison, Description
from dqa.calibrate.reference import Reference
from dqa.calibrate.report import Made, comparison_report, description_report, markdown, safe_tag, save_report
from dqa.calibrate.verdicts import Judged, judged
from dqa.calibrate.view import View
from dqa.errors import UnavailableError, UsageError
from dqa.record import ModelIdentity
from tests.calibrate.pictures import scene, seen

JUDGE = ModelIdentity(id="scripted", licence="none")
VIEW = View(Path("a.png"), "0" * 64, seen(scene()))
NASTY = "a | b\n# big <script>alert(1)</script> [x](http://y) `z`\u202e"


def report(tag: str = "t") -> dict[str, object]:
    compared = Comparison(
        (judged("hat", "partial", NASTY, "x"), Judged("mood", None, None, None, "silent")), ("a note",)
    )
    made = Made("a prompt " + NASTY, "blurry", 7, "w.json")
    return comparison_report(compared, Reference("A hat."), JUDGE, tag, VIEW, made)


def test_a_report_has_the_fields_that_others_read() -> None:
    found = report()
    assert found["overall_score"] == 0.5
    assert found["mismatch_count"] == 0
    assert found["run_tag"] == "t"
    assert found["seed"] == 7
    assert str(found["prompt_used"]).startswith("a prompt")
    assert found["axes"]["hat"]["verdict"] == "partial"  # type: ignore[index]
    assert found["axes"]["mood"] == {"verdict": "unjudged", "ref": None, "gen": None, "reason": "silent"}  # type: ignore[index]


def test_a_description_has_the_fields_of_the_original() -> None:
    described = Description(Reference("A hat.", {"hat": "red"}), {"mood": "silent"}, tampered=True)
    found = description_report(described, JUDGE, "t", VIEW)
    assert found["mode"] == "describe"
    assert found["axes"] == {"hat": "red"}
    assert found["canonical_reference"] == "A hat.\nhat: red"
    assert found["judge_tamper_suspected"] is True
    assert "not judged: silent" in markdown(found)


def test_files_are_kept_per_run_and_as_latest(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    save_report(report("one"), folder)
    path = save_report(report("two"), folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "calib_one.json", "calib_one.md", "calib_two.json", "calib_two.md", "latest.json",
    ]  # fmt: skip
    assert path.read_bytes() == (folder / "latest.json").read_bytes()
    assert json.loads(path.read_text())["run_tag"] == "two"


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match="analysis-dir"):
        save_report(report(), tmp_path / "file" / "sub")


def test_markdown_shows_strangers_text_as_text() -> None:
    text = markdown(report())
    assert "<script>" not in text
    assert "[x]" not in text
    assert "\u202e" not in text
    rows = [line for line in text.splitlines() if line.startswith("| hat")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5


@given(st.text(min_size=1, max_size=120))
def test_no_tag_leaves_the_folder(tag: str) -> None:
    try:
        plain = safe_tag(tag)
    except UsageError:
        return
    assert plain == Path(plain).name
    assert not plain.startswith(".")
    assert len(plain) <= 80


@pytest.mark.parametrize("tag", ["", "..", "/", "\x00", "///..."])
def test_a_tag_of_nothing_is_refused(tag: str) -> None:
    with pytest.raises(UsageError):
        safe_tag(tag)
