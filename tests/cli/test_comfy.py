"""``dqa comfy``, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"


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
