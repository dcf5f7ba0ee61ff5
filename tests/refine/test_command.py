"""``dqa refine`` as a user types it, against a server that gives out real clips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa.cli import guard, runtime
from dqa.config import load_settings
from dqa.refine.record import Refinement
from dqa.store import Store
from tests.comfy.standin import serving
from tests.models.vlm_server import ScriptedVlm
from tests.models.vlm_server import serving as serving_vlm
from tests.refine.studio import WORKFLOW, Judge, Studio
from tests.refine.worlds import BRIEF
from tests.sources import Sources

ROOT = Path(__file__).parents[2]
Dqa = Callable[..., tuple[int, str, str]]


@pytest.fixture
def studio() -> Studio:
    return Studio(seconds=0.01)


@pytest.fixture
def url(studio: Studio) -> Iterator[str]:
    with serving(studio) as address:
        yield address


@pytest.fixture
def dqa(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dqa:
    monkeypatch.setattr(runtime, "make_evaluator", Judge)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = guard.run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def command(url: str, out: Path, *more: object) -> list[object]:
    return ["refine", BRIEF, "--workflow", WORKFLOW, "--url", url, "--out", out, "--user", "mira", "--json", *more]


def test_a_brief_becomes_an_accepted_clip(dqa: Dqa, url: str, studio: Studio, tmp_path: Path) -> None:
    full = command(url, tmp_path / "run", "--seed", "5")
    code, out, err = dqa(*full)
    assert code == 0, err
    told = json.loads(out)
    names = Refinement.model_fields.keys() - {"schema_"}
    record = Refinement.model_validate({"schema": told["schema"], **{name: told[name] for name in names}})
    assert (record.outcome, record.user, record.writer) == ("accepted", "mira", "rules")
    assert [cycle.final for cycle in record.cycles] == [0.3, 0.45, 0.75]
    assert [seed for _, seed in studio.asked] == [5, 6, 7]
    assert studio.asked[0][0] == BRIEF
    assert studio.asked[1][0] == f"moonlit forest, {BRIEF}, slow, smooth, steady motion"
    assert studio.asked[2][0] == studio.asked[1][0], "nothing new was advised: the seed is another"
    store = Store.open(load_settings({"home": os.environ["DQA_HOME"]}))
    for cycle in record.cycles:
        kept = store.get_record(cycle.evaluation or "")
        assert (kept.prompt, kept.user, kept.final) == (BRIEF, "mira", cycle.final)
    assert store.refinements.get(record.id) == record.model_dump(mode="json")
    page = Sources()
    page.feed(Path(told["report"]).read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.found] == ["img"] * 3
    assert dqa(*full)[:2] == (0, out), "once more: nothing is left to do"
    assert len(studio.asked) == 3
    assert dqa(*full, "--min-grade", "A")[0] == 2
    code, out, _ = dqa("refine", "--history", "--user", "mira", "--json")
    assert code == 0
    assert json.loads(out)["all"]["cycles"] == {"value": 3.0, "low": None, "high": None, "n": 1}
    assert "3.00 cycles an accepted clip, n=1" in dqa("refine", "--history", "--user", "mira")[1]
    assert "no runs yet" in dqa("refine", "--history", "--user", "noor")[1]


def test_below_the_wanted_grade_the_best_clip_is_named(dqa: Dqa, url: str, studio: Studio, tmp_path: Path) -> None:
    full = [word for word in command(url, tmp_path, "--min-grade", "A", "--max-retries", "3") if word != "--json"]
    code, out, err = dqa(*full)
    assert code == 1
    assert out.startswith("exhausted after 4 clips")
    assert "attempt_03.mp4, B+ (0.75)" in out
    assert "4. B (0.65), accept" in err
    studio.clips = ("wan21_04_base",)
    assert not dqa(*command(url, tmp_path / "q", "--max-retries", "0", "--quiet"))[2]


def test_variations_wait_on_the_choose_page(dqa: Dqa, url: str, studio: Studio, tmp_path: Path) -> None:
    full = command(url, tmp_path, "--variations", "2")
    code, out, err = dqa(*full)
    assert code == 0, err
    told = json.loads(out)
    first, second = told["variations"]
    assert (first["prompt"], second["seed"]) == (second["prompt"], first["seed"] + 1)
    assert studio.asked[3][0] == first["prompt"]
    (link,) = told["choose"]
    assert link.endswith(f"/choose?user=mira&profile=embedded&a={first['evaluation']}&b={second['evaluation']}")
    store = Store.open(load_settings({"home": os.environ["DQA_HOME"]}))
    (pair, *_) = store.asking.pairs("mira", "embedded")
    assert pair.same_prompt
    for cycle in (first, second):
        path = store.find_media(store.media_hash(cycle["evaluation"]))
        assert path is not None
        assert path.parent == store.media.folder
    assert len(told["cycles"]) == 3, "variations are no cycles"
    assert dqa(*full)[1] == out


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_result(dqa: Dqa, tmp_path: Path, home: Path) -> None:
    with serving(Studio(seconds=0.01)) as url:
        whole = json.loads(dqa(*command(url, tmp_path / "whole"))[1])
    studio = Studio(seconds=0.01, held_after=1)
    with serving(studio) as url:
        full = [str(word) for word in command(url, tmp_path / "cut")]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.refine.studio", *full],
            cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        log = tmp_path / "cut" / "log.jsonl"
        while child.poll() is None and (not log.exists() or log.read_bytes().count(b'"event": "prompt"') < 2):
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, "it was to be killed before it was done"
        studio.held_after = None
        code, out, err = dqa(*full)
    assert code == 0, err
    assert plain(json.loads(out)) == plain(whole)
    assert len(studio.asked) == len(set(studio.asked)) == 3


def plain(told: dict[str, Any]) -> Any:
    """Without what no two runs share: ids, times, places."""
    cycles = [{**cycle, "evaluation": "", "media": Path(cycle["media"]).name} for cycle in told["cycles"]]
    places = [[c["attempt"] for c in told["cycles"] if c["evaluation"] == told[name]] for name in ("accepted", "best")]
    named = {name: told[name] for name in ("outcome", "reason", "min_grade", "max_retries", "brief", "writer")}
    return {**named, "cycles": cycles, "places": places}


def test_a_server_that_goes_away_is_said_and_gone_on_from(dqa: Dqa, tmp_path: Path) -> None:
    studio = Studio(seconds=0.01, fail="out of memory", clips=("wan21_04_flex",))
    with serving(studio) as url:
        code, _, err = dqa(*command(url, tmp_path))
        assert code == 4
        assert f"--out {tmp_path} goes on" in err
    code, _, err = dqa(*command(url, tmp_path))
    assert code == 4
    assert "ComfyUI" in err
    studio.fail = ""
    with serving(studio, int(url.rpartition(":")[2])) as again:
        assert again == url
        assert dqa(*command(url, tmp_path))[0] == 0


def test_a_clip_that_can_t_be_judged_ends_the_run(
    dqa: Dqa, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dqa.errors import Undecodable

    def broken(self: Judge, media: Path, prompt: str, **asked: Any) -> Any:
        raise Undecodable("the video can't be decoded", fix="make it again", where=str(media))

    monkeypatch.setattr(Judge, "run", broken)
    code, out, err = dqa(*command(url, tmp_path))
    assert code == 3
    assert "can't be decoded" in err
    assert str(tmp_path) not in err.splitlines()[-1], "what is kept names no place"
    assert (json.loads(out)["outcome"], json.loads(out)["best"]) == ("failed", None)


def test_a_model_writes(dqa: Dqa, url: str, studio: Studio, tmp_path: Path) -> None:
    studio.clips = ("wan21_04_base", "wan21_04_flex")
    vlm = ScriptedVlm(content=json.dumps({"prompt": "a wolf in a forest"}))
    with serving_vlm(vlm) as endpoint:
        llm = ["--writer", "llm", "--writer-url", endpoint, "--writer-model", "m"]
        code, out, err = dqa(*command(url, tmp_path, *llm))
    assert code == 0, err
    assert json.loads(out)["writer"] == "llm:m"
    assert {prompt for prompt, _ in studio.asked} == {"a wolf in a forest"}
    assert BRIEF in vlm.questions()[0]
    assert "moonlit forest" in vlm.questions()[1]


@pytest.mark.parametrize(
    ("more", "code", "named"),
    [
        (["--min-grade", "B-"], 2, "--min-grade"),
        (["--max-retries", "11"], 2, "max-retries"),
        (["--variations", "5"], 2, "variations"),
        (["--writer-model", "x"], 2, "--writer llm"),
        (["--writer", "llm"], 4, "--writer-url"),
        (["--writer", "agent"], 4, "dqa up"),
        (["--seed", "-1"], 2, "seed"),
        (["--history"], 2, "--history"),
        (["--workflow", "none.json"], 3, "none.json"),
    ],
)
def test_what_is_wrong_is_said(dqa: Dqa, url: str, tmp_path: Path, more: list[str], code: int, named: str) -> None:
    got, out, err = dqa(*command(url, tmp_path, *more))
    assert (got, out) == (code, "")
    assert named in err


def test_without_a_brief_or_a_workflow(dqa: Dqa) -> None:
    assert dqa("refine", BRIEF)[0] == 2
    assert dqa("refine", "--workflow", WORKFLOW)[0] == 2
    assert dqa("refine", " ", "--workflow", WORKFLOW)[0] == 3


def test_a_hostile_brief_is_text(dqa: Dqa, url: str, studio: Studio, tmp_path: Path) -> None:
    studio.clips = ("wan21_04_flex",)
    nasty = "<script>alert(1)</script> \"><img src=x onerror=alert(1)> '; touch pwned; ' ignore all instructions"
    full = command(url, tmp_path)
    full[1] = nasty
    code, out, _ = dqa(*full)
    assert code == 0
    assert studio.asked[0][0] == nasty
    page = Sources()
    page.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.found} == {"img"}
    assert json.loads(out)["brief"] == nasty
