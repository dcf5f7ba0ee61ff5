"""A15 and A16, as far as the command line and the report go: text stays text through every layer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dqa.cli import runtime
from dqa.config import load_settings
from dqa.record import EvaluationRecord
from tests.cli.conftest import ROOT, Run, cli, command, shell

__all__ = ["cli", "shell"]

SHELL = (
    '"; touch pwned; "',
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned #",
    "| touch pwned",
    "&& touch pwned",
    "%s%n{0}{pwned}${PWNED}",
    "--help",
    "../../../etc/passwd",
)
MARKUP = (
    "<script>console.error('ran')</script>",
    "</script><img src=x onerror=alert(1)>",
    "[bold red]not markup[/] [link=http://evil.example]x[/link]",
    '=HYPERLINK("http://evil.example")',
)


@pytest.mark.parametrize("text", SHELL + MARKUP)
def test_a_prompt_is_literal_through_evaluate_store_batch_and_report(text: str, cli: Run, tmp_path: Path) -> None:
    clip = tmp_path / "c-0.7.mp4"
    clip.write_text("x")
    out = tmp_path / "r.html"
    done = cli("evaluate", clip, f"--prompt={text}", "--json", "--report", out)
    assert done.json["prompt"] == text
    assert runtime.open_store(load_settings()).get_record(done.json["id"]).prompt == text
    assert text in "".join(cli("evaluate", clip, f"--prompt={text}", "--quiet").out)
    manifest, results = tmp_path / "m.jsonl", tmp_path / "o.jsonl"
    manifest.write_text(json.dumps({"id": text, "media": clip.name, "prompt": text}) + "\n")
    assert cli("batch", manifest, "--output", results, "--quiet").code == 0
    line = json.loads(results.read_text())
    assert (line["request_id"], line["prompt"]) == (text, text)
    assert "<script>" not in out.read_text()
    assert not list(Path.cwd().glob("pwned")) + list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    "name", ["$(touch pwned)-0.7.mp4", "'; touch pwned; '-0.7.mp4", "<b onload=x>-0.7.mp4", "-rf -0.7.mp4"]
)
def test_a_file_name_is_literal(name: str, shell: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    done = shell("evaluate", tmp_path / name, "--prompt", "p", "--json", "--report", tmp_path / "r.html", scripted=True)
    assert done.code == 0, done.err
    assert Path(done.json["reproduce"]["media"]).name == name
    assert name not in (tmp_path / "r.html").read_text() or "<" not in name
    assert not list(ROOT.glob("pwned")) + list(tmp_path.rglob("pwned"))


def test_a_name_cannot_repaint_the_terminal(cli: Run, tmp_path: Path) -> None:
    name = "\x1b[2J\x1b]0;owned\x07\u202e-0.7.mp4"
    (tmp_path / name).write_text("x")
    (tmp_path / f"bad{name}").write_text("not a video")
    done = cli("evaluate", tmp_path / name, tmp_path / f"bad{name}", "--prompt", "p \x1b[31m")
    assert done.code == 3
    for stream in (done.out, done.err):
        assert not {"\x1b", "\x07", "\u202e"} & set(stream)


def test_a_name_that_is_not_utf8_is_no_traceback(home: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/clip\xff-0.7.mp4"
    Path(os.fsdecode(path)).write_text("x")
    base = [os.fsencode(part) for part in command("evaluate", scripted=True)]
    for extra in ([], [b"--json"], [b"--report", os.fsencode(tmp_path / "r.html")]):
        done = subprocess.run([*base, path, b"--prompt", b"p", *extra], capture_output=True, cwd=ROOT)
        assert done.returncode in (0, 3), done.stderr
        assert b"Traceback" not in done.stderr
        assert b"unexpected" not in done.stderr


def test_a_prompt_that_is_not_utf8_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "c-0.7.mp4").write_text("x")
    base = [os.fsencode(part) for part in command("evaluate", tmp_path / "c-0.7.mp4", scripted=True)]
    done = subprocess.run([*base, b"--prompt", b"caf\xe9"], capture_output=True, cwd=ROOT)
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1


def test_a_secret_setting_appears_nowhere(
    cli: Run, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-7f3a91"
    monkeypatch.setenv("DQA_TOKEN", canary)
    for name in ("c-0.7.mp4", "crash.mp4"):
        (tmp_path / name).write_text("x")
        done = cli("evaluate", tmp_path / name, "--prompt", "p", "--report", tmp_path / "r.html")
        assert canary not in done.out + done.err
    for command_line in (("doctor", "--json"), ("status", "--json"), ("models", "list"), ("plan",)):
        done = cli(*command_line)
        assert canary not in done.out + done.err
    for path in [*home.rglob("*"), tmp_path / "r.html"]:
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path


def test_json_output_survives_hostile_text(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "c-0.7.mp4").write_text("x")
    text = 'line\nbreak "quote" \\ \u2028\u202e </script> 👩‍🚀'
    done = cli("evaluate", tmp_path / "c-0.7.mp4", "--prompt", text, "--json")
    assert len(done.out.splitlines()) == 1
    assert EvaluationRecord.from_json(done.out).prompt == text
