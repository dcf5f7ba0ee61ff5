"""``dqa calibrate run`` against a server: the files it leaves, going on after kill -9, and who edits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from dqa.cli.guard import run
from tests.agenthost.turns import calibrator_host
from tests.calibrate.painter import Painter
from tests.calibrate.pictures import RED, YELLOW, save, scene
from tests.comfy.standin import serving
from tests.models.vlm_server import ScriptedVlm
from tests.models.vlm_server import serving as serving_vlm
from tests.sources import Sources

WORKFLOW = str(Path(__file__).parents[1] / "data" / "workflows" / "fake_t2i_vanilla_api.json")
WRONG = "a small white square on a blue background"


@pytest.fixture
def painter() -> Painter:
    return Painter(seconds=0.01)


@pytest.fixture
def url(painter: Painter) -> Iterator[str]:
    with serving(painter) as address:
        yield address


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return str(save(scene(RED, YELLOW, 110, 10, seed=3), tmp_path / "reference.png"))


@pytest.fixture(autouse=True)
def no_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log's file is for a process that ends with its command."""
    monkeypatch.setattr("dqa.cli.logs.configure", lambda _: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def command(reference: str, url: str, folder: Path, *more: str) -> list[str]:
    flags = ["--workflow", WORKFLOW, "--reference", reference, "--url", url, "--analysis-dir", str(folder)]
    return ["calibrate", "run", *flags, "--run-tag", "t", "--json", "--vary-seeds", "0", *more]


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run_t" / "log.jsonl").read_bytes().splitlines()]


def test_a_run_leaves_its_log_pictures_result_and_page(
    reference: str, url: str, painter: Painter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    full = command(reference, url, folder, "--prompt", WRONG, "--vary-seeds", "1")
    assert run(full) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["reason"], result["target_reached"]) == ("target", True)
    assert result["best"]["overall_score"] >= 0.9
    assert result["best"]["mismatch_count"] == 0
    assert result["iterations"] <= 10
    assert painter.seeds == [42] * (result["iterations"] + 1) + [43]
    assert "red background" in result["best"]["prompt"]
    assert {gain["axis"] for gain in result["attribution"]} >= {"background_colour", "subject_colour"}
    assert json.loads((folder / "run_t" / "result.json").read_text()) == result
    report = json.loads((folder / "latest.json").read_text())
    assert report["prompt_used"] == result["best"]["prompt"]
    assert report["overall_score"] == result["best"]["overall_score"]
    assert (folder / "calib_t.json").is_file()
    assert len(list((folder / "run_t").glob("iter_*.png"))) == len(painter.seeds)
    steps = [event for event in events(folder) if event["event"] == "step"]
    assert all({"iter", "axis", "old", "new", "overall", "mismatch_count"} <= step.keys() for step in steps)
    check_page((folder / "run_t" / "report.html").read_text())
    assert run(full) == 0  # once more: nothing is left to do
    assert json.loads(capsys.readouterr().out) == result
    assert len(painter.prompts) == len(steps)


def check_page(text: str) -> None:
    page = Sources()
    page.feed(text)
    assert len(page.found) >= 5  # reference, first, best, and every step
    assert set(page.found) == {("img", "data:")}
    assert "default-src 'none'" in text


def test_a_hostile_prompt_is_text_in_the_page(reference: str, url: str, tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script> \"><img src=x onerror=alert(1)> '; touch pwned; '"
    assert run(command(reference, url, tmp_path, "--prompt", nasty, "--max-iters", "1")) == 1
    text = (tmp_path / "run_t" / "report.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    check_page(text)


def test_the_description_seeds_the_prompt(
    reference: str, url: str, painter: Painter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(reference, url, tmp_path)) == 0
    assert "red background" in painter.prompts[0]
    assert json.loads(capsys.readouterr().out)["iterations"] == 0


def test_other_inputs_under_the_same_tag_are_refused(
    reference: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(reference, url, tmp_path, "--prompt", WRONG, "--max-iters", "1")) == 1
    assert run(command(reference, url, tmp_path, "--prompt", "a fox", "--max-iters", "1")) == 2
    assert "begun with another prompt" in capsys.readouterr().err
    assert run(command(reference, url, tmp_path, "--prompt", WRONG)) == 0  # limits may change


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_result(
    reference: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Painter(seconds=0.01)) as url:
        assert run(command(reference, url, tmp_path / "whole", "--prompt", WRONG)) == 0
    whole = json.loads(capsys.readouterr().out)
    painter = Painter(seconds=0.01, held_after=2)
    environ = {**os.environ, "DQA_HOME": str(tmp_path / "other home")}
    with serving(painter) as url:
        arguments = command(reference, url, tmp_path / "cut", "--prompt", WRONG)
        process = subprocess.Popen(
            [sys.executable, "-m", "dqa", *arguments],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        log = tmp_path / "cut" / "run_t" / "log.jsonl"
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b'"event": "step"') < 2):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was to be killed before it was done"
        painter.held_after = None
        assert run([*arguments, "--home", str(tmp_path / "other home")]) == 0
    again = json.loads(capsys.readouterr().out)
    paths = {"log", "report"}
    assert {k: v for k, v in again.items() if k not in paths} == {k: v for k, v in whole.items() if k not in paths}
    assert len(painter.prompts) == len(set(painter.prompts)) == whole["iterations"] + 1


def test_any_model_may_edit(reference: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = "a large yellow square at the left on a red background"
    vlm = ScriptedVlm(content=json.dumps({"wording": "large", "prompt": good}), key="canary-key")
    with serving_vlm(vlm) as endpoint:
        llm = ["--editor", "llm", "--editor-url", endpoint, "--editor-model", "m", "--prompt", WRONG]
        vlm.key = None
        assert run(command(reference, url, tmp_path, *llm)) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["best"]["prompt"] == good
        assert result["editor"] == "llm:m"
        asked = vlm.questions()[0]
        assert WRONG in asked
        assert "framing" in asked
        vlm.content = '{"prompt": 3}'
        assert run(command(reference, url, tmp_path / "bad", *llm)) == 4
    assert "no usable prompt" in capsys.readouterr().err
    assert [event["event"] for event in events(tmp_path / "bad")] == ["start", "edit", "step"]


def test_a_letta_agent_may_edit(
    reference: str, url: str, painter: Painter, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    host = calibrator_host(tags=("somebody's",))
    monkeypatch.setattr("dqa.agenthost.letta.LettaHost", lambda url, key: host)
    agent = ["--editor", "agent", "--letta-url", "http://letta.test", "--prompt", WRONG]
    assert run(command(reference, url, tmp_path, *agent)) == 4
    assert "dqa agents deploy" in capsys.readouterr().err
    assert not painter.prompts
    host = calibrator_host()
    assert run(command(reference, url, tmp_path, *agent)) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["editor"], result["target_reached"]) == ("agent:p/model", True)
    assert len(host.sent) >= result["iterations"] > 0


def test_a_person_may_edit_and_stop(
    reference: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [WRONG, "a large white square on a blue background", ""]
    monkeypatch.setattr("sys.stdin", type("Lines", (), {"readline": lambda _: f"{lines.pop(0)}\n" if lines else ""})())
    full = command(reference, url, tmp_path, "--prompt", WRONG, "--editor", "ask")
    assert run(full) == 3
    told = capsys.readouterr().err
    assert "tried already" in told
    assert "--run-tag" in told
    kept = [event for event in events(tmp_path) if event["event"] == "step" and event["kept"]]
    assert kept[-1]["new"] == "a large white square on a blue background"
    lines.extend(["a large yellow square at the left on a red background"])
    assert run(full) == 0


def test_a_program_may_edit_by_files(
    reference: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run_t"
    answers = [None, "a large yellow square at the left on a red background"]
    asked: list[dict[str, Any]] = []

    def answering() -> None:
        while answers:
            try:
                question = json.loads((folder / "ask.json").read_bytes())
            except (OSError, ValueError):
                question = {}
            if question and question not in asked:
                asked.append(question)
                answer = {"ask": question["ask"], "prompt": answers.pop(0), "wording": "all of it"}
                (folder / "answer.tmp").write_text(json.dumps(answer))
                (folder / "answer.tmp").replace(folder / "answer.json")
            time.sleep(0.02)

    thread = threading.Thread(target=answering)
    thread.start()
    try:
        assert run(command(reference, url, tmp_path, "--prompt", WRONG, "--editor", "files")) == 0
    finally:
        answers.clear()
        thread.join()
    assert json.loads(capsys.readouterr().out)["attribution"][0]["wording"] == "all of it"
    assert asked[0]["axes"][0]["axis"] != asked[1]["axes"][0]["axis"]  # null left the first axis


@pytest.mark.parametrize(
    ("more", "code", "named"),
    [
        (["--editor", "agent"], 4, "dqa up"),
        (["--editor", "somebody"], 2, "editor"),
        (["--letta-url", "http://x"], 2, "--editor agent"),
        (["--editor-model", "x"], 2, "--editor llm"),
        (["--editor", "llm"], 4, "--editor-url"),
        (["--target", "2"], 2, "target"),
        (["--patience", "0"], 2, "patience"),
        (["--seed", "-1"], 2, "seed"),
        (["--prompt", " "], 3, "empty"),
        (["--axes", "none.toml"], 3, "no such file"),
    ],
)
def test_what_is_wrong_is_said(
    more: list[str], code: int, named: str, reference: str, url: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(command(reference, url, tmp_path, *more)) == code
    told = capsys.readouterr()
    assert named in told.err
    assert not told.out


def test_without_a_reference(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "run", "--workflow", WORKFLOW, "--url", url]) == 2
    assert "needs a reference" in capsys.readouterr().err
