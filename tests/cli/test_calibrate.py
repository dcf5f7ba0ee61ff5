"""``dqa calibrate``, as a user types it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from dqa.cli.guard import run
from tests.calibrate.painter import Painter
from tests.calibrate.pictures import BLUE, WHITE, YELLOW, save, scene
from tests.comfy.standin import serving
from tests.models.vlm_server import ScriptedVlm
from tests.models.vlm_server import serving as serving_vlm

WORKFLOW = Path(__file__).parents[1] / "data" / "workflows" / "fake_t2i_vanilla_api.json"
TINY_AXES = """defaults = false
[[axis]]
name = "hat"
group = "wardrobe"
definition = "The hat."
lever = ["wearing a {value}"]
"""


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return save(scene(BLUE, YELLOW, 110, 10), tmp_path / "reference.png")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return save(scene(BLUE, WHITE, 40, 190), tmp_path / "other.png")


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


pytestmark = pytest.mark.usefixtures("home", "no_log")


@pytest.fixture
def no_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log's file is for a process that ends with its command."""
    monkeypatch.setattr("dqa.cli.logs.configure", lambda _: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def test_describe_then_compare_with_what_it_printed(
    reference: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "describe", "--reference", str(reference)]) == 0
    text = capsys.readouterr().out
    assert "background_colour: blue" in text
    (tmp_path / "ref.txt").write_text(text)
    command = ["calibrate", "compare", "--ref-desc-file", str(tmp_path / "ref.txt"), "--json", "--generated"]
    assert run([*command, str(reference)]) == 0
    same = said(capsys)
    assert (same["overall_score"], same["mismatch_count"]) == (1.0, 0)
    assert run([*command, str(other)]) == 0
    differs = said(capsys)
    assert differs["axes"]["framing"]["verdict"] == "mismatch"
    assert differs["axes"]["background_colour"]["verdict"] == "match"
    assert differs["axes"]["clothing"]["verdict"] == "unjudged"
    assert differs["canonical_reference"] == same["canonical_reference"] == text.strip()


def test_the_json_of_describe_is_a_reference_too(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "describe", "--reference", str(reference), "--json", "--run-tag", "r"]) == 0
    found = said(capsys)
    assert {"mode", "description", "axes", "canonical_reference"} <= found.keys()
    assert found["mode"] == "describe"
    (tmp_path / "ref.json").write_text(json.dumps(found))
    more = ["--ref-desc-file", str(tmp_path / "ref.json"), "--generated", str(reference), "--json"]
    assert run(["calibrate", "compare", *more]) == 0
    assert said(capsys)["overall_score"] == 1.0


def test_a_picture_against_a_picture_for_people(
    reference: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "compare", "--reference", str(reference), "--generated", str(other)]) == 0
    told = capsys.readouterr()
    assert "mismatch framing: large" in told.out
    assert "axes not judged" in told.out
    assert "judged without a model" in told.err


def test_the_flags_of_the_original_bridge_generate_and_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    painter = Painter()
    folder = tmp_path / "analysis"
    words = "background colour: red\nsubject colour: yellow\nframing: small"
    with serving(painter) as url:
        code = run([
            "calibrate", "--workflow", str(WORKFLOW), "--mode", "compare", "--prompt", "a small white square on red",
            "--negative", "grain", "--seed", "7", "--run-tag", "../first try", "--analysis-dir", str(folder),
            "--ref-desc", words, "--url", url, "--json",
        ])  # fmt: skip
    assert code == 0
    report = said(capsys)
    assert painter.prompts == ["a small white square on red"]
    assert painter.seeds == [7]
    assert report["run_tag"] == "first_try"
    assert report["prompt_used"] == "a small white square on red"
    assert report["axes"]["background_colour"]["verdict"] == "mismatch"  # "red background" is what it obeys
    assert report["axes"]["framing"]["verdict"] == "match"
    assert {p.name for p in folder.iterdir()} == {
        "calib_first_try.json", "calib_first_try.md", "calib_first_try.png", "latest.json",
    }  # fmt: skip


def test_original_flags_describe(reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--mode", "describe", "--reference", str(reference), "--analysis-dir", str(tmp_path / "a"), "--json"]
    assert run(["calibrate", *flags, "--run-tag", "d"]) == 0
    assert json.loads((tmp_path / "a" / "latest.json").read_text()) == said(capsys)


def test_a_model_judges_where_the_profile_has_one(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = tmp_path / "axes.toml"
    axes.write_text(TINY_AXES)
    answer = {"axes": {"hat": {"gen": "a blue cap", "verdict": "partial"}}}
    vlm = ScriptedVlm(p_yes=lambda _: 0.1, content=json.dumps(answer))
    command = ["calibrate", "compare", "--ref-desc", "hat: a blue hat", "--generated", str(reference), "--json"]
    command += ["--profile", "remote-vlm", "--axes", str(axes)]
    with serving_vlm(vlm) as url:
        monkeypatch.setenv("DQA_VLM_URL", url)
        monkeypatch.setenv("DQA_VLM_MODEL", "tiny")
        assert run(command) == 0
        report = said(capsys)
        assert report["axes"] == {"hat": {"verdict": "partial", "ref": "a blue hat", "gen": "a blue cap"}}
        assert (report["overall_score"], report["mismatch_count"]) == (0.5, 0)
        assert report["judge"]["id"] == "tiny"
        vlm.content = "I can't help with that."
        assert run(command) == 4
    assert "no usable answer" in capsys.readouterr().err


def test_axes_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "axes"]) == 0
    assert "wardrobe / clothing: " in capsys.readouterr().out
    (tmp_path / "axes.toml").write_text(TINY_AXES)
    assert run(["calibrate", "axes", "--axes", str(tmp_path / "axes.toml"), "--json"]) == 0
    assert said(capsys)["name"] == "hat"
    (tmp_path / "axes.toml").write_text("[[axis]]\nname = 3")
    assert run(["calibrate", "axes", "--axes", str(tmp_path / "axes.toml")]) == 3
    assert "axis 1, name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ([], 2, "--mode"),
        (["--seed", "3", "describe"], 2, "after describe"),
        (["describe"], 2, "--reference"),
        (["describe", "--reference", "none.png"], 3, "no such file"),
        (["--mode", "guess"], 2, "mode"),
        (["compare", "--generated", "x.png"], 2, "one reference"),
        (["compare", "--ref-desc", "framing: large"], 2, "one picture"),
        (["compare", "--ref-desc", "x", "--reference", "y.png", "--generated", "x.png"], 2, "one reference"),
        (["compare", "--ref-desc", "framing: large", "--workflow", str(WORKFLOW)], 2, "--prompt"),
        (["compare", "--ref-desc", "a fox", "--generated", "x.png"], 3, "pixels can tell"),
        (["compare", "--ref-desc", "  ", "--generated", "x.png"], 3, "empty"),
        (["compare", "--ref-desc", "framing: large", "--generated", "none.png"], 3, "no such file"),
        (["compare", "--ref-desc", "framing: large", "--generated", "x.png", "--run-tag", "/"], 2, "run"),
        (["compare", "--ref-desc", "framing: large", "--generated", "x.png", "--profile", "x"], 2, "profile"),
        (["compare", "--ref-desc", "a", "--generated", "x.png", "--profile", "remote-vlm"], 4, "DQA_VLM_URL"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_the_right_code(
    arguments: list[str], code: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", *arguments]) == code
    told = capsys.readouterr()
    assert named in told.err
    assert told.err.count("\n") == 1
    assert not told.out


def test_no_comfyui_is_not_available(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--ref-desc",
        "framing: large",
        "--workflow",
        str(WORKFLOW),
        "--prompt",
        "x",
        "--url",
        "http://127.0.0.1:9",
    ]
    assert run(["calibrate", "compare", *flags]) == 4
    assert "ComfyUI does not answer" in capsys.readouterr().err
