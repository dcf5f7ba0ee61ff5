"""``dqa comfy``, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.comfy.standin import StandIn, serving

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"


TINY = str(WORKFLOWS / "tiny_ksampler_t2v_api.json")


def dqa(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dqa", "comfy", *arguments], capture_output=True, text=True, check=False
    )


def test_slots_as_json() -> None:
    done = dqa("slots", str(WORKFLOWS / "tpl_ltxv_text_to_video.json"), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "positive": ["6.text"],
        "negative": ["7.text"],
        "seed": ["72.noise_seed"],
        "outputs": ["79"],
        "problems": [],
    }


def test_slots_for_people_say_problems_on_stderr() -> None:
    done = dqa("slots", str(WORKFLOWS / "tpl_sdxl_simple_example.json"))
    assert "positive: 6.text, 15.text" in done.stdout
    assert "several positive slots" in done.stderr


def test_a_binding_is_believed() -> None:
    done = dqa("slots", str(WORKFLOWS / "tpl_sdxl_simple_example.json"), "--bind", "positive=15.text", "--json")
    assert json.loads(done.stdout)["positive"] == ["15.text"]
    assert dqa("slots", str(WORKFLOWS / "tpl_default.json"), "--bind", "positive").returncode == 2


def test_what_is_no_workflow_ends_with_three_and_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "editor.json"
    path.write_text('{"nodes": [], "links": []}')
    for wrong in (path, tmp_path / "missing.json"):
        done = dqa("slots", str(wrong))
        assert done.returncode == 3
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1


def test_run_writes_what_the_prompt_asks_for(tmp_path: Path) -> None:
    hostile = '"; touch pwned; "'
    asked = ("run", TINY, "--prompt", hostile, "--seed", "7", "--out", str(tmp_path / "out"))
    with serving(StandIn()) as url:
        first = dqa(*asked, "--url", url, "--home", str(tmp_path), "--json")
        again = dqa(*asked, "--url", url, "--home", str(tmp_path), "--json", "--free", "--quiet")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    said, repeated = json.loads(first.stdout), json.loads(again.stdout)
    graph = json.loads(Path(said["files"][0]).read_bytes())
    assert graph["6"]["inputs"]["text"] == hostile
    assert graph["3"]["inputs"]["seed"] == 7
    assert (said["cached"], repeated["cached"]) == (False, True)
    assert again.stderr == ""


def test_run_says_what_is_wrong_with_the_right_exit_code(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path), "-q")
    nobody = dqa("run", TINY, "--url", "http://127.0.0.1:9", *home)
    assert nobody.returncode == 4
    assert "does not answer at http://127.0.0.1:9" in nobody.stderr
    endless = dqa("run", TINY, "--timeout", "inf", *home)
    assert (endless.returncode, endless.stderr) == (2, "dqa: --timeout: input should be a finite number; correct it.\n")
    refusing = StandIn(missing_model="tiny_random_sd15.safetensors")
    with serving(refusing) as url:
        missing = dqa("run", TINY, "--url", url, *home)
        nowhere = dqa("run", str(WORKFLOWS / "load_scale_save_api.json"), "--prompt", "x", "--url", url, *home)
        empty = dqa("run", TINY, "--prompt", "  ", "--url", url, *home)
    for done in (missing, nowhere, empty):
        assert done.returncode == 3
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
    assert "tiny_random_sd15" in missing.stderr
    assert not refusing.submitted
