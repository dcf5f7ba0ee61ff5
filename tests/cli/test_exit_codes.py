"""Every row of the contract's exit codes, and one sentence for each error."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dqa.cli import runtime
from tests.cli.conftest import ROOT, Run, command, sentence

PROMPT = ("--prompt", "a red apple")


def test_done_is_0(shell: Run, clip: Callable[[str], Path]) -> None:
    done = shell("evaluate", clip("a-0.74.mp4"), *PROMPT, "--json", scripted=True)
    assert done.code == 0
    assert done.json["final"] == 0.74


def test_help_and_version_are_0(shell: Run) -> None:
    assert shell("--version").out.startswith("dqa ")
    helped = shell("--help")
    assert helped.code == 0
    for name in ("evaluate", "batch", "reproduce", "serve", "status", "models", "plan", "doctor"):
        assert name in helped.out
        assert "Usage" in shell(name, "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("agents",),
        ("evaluate",),
        ("evaluate", "a.mp4"),
        ("evaluate", "--prompt", "x"),
        ("evaluate", "a.mp4", "--prompt", "x", "--frobnicate"),
        ("evaluate", "a.mp4", "--prompt", "x", "--fail-below", "D"),
        ("evaluate", "a.mp4", "--prompt", "x", "--seed", "many"),
        ("evaluate", "a.mp4", "--prompt", "x", "--seed", "-1"),
        ("evaluate", "a.mp4", "--prompt", "x", "--profile", "nonesuch"),
        ("evaluate", "a.mp4", "--prompt", "x", "--report", "no/such/folder/r.html"),
        ("evaluate", "a.mp4", "--prompt", "x", "--report", "."),
        ("batch", "m.jsonl"),
        ("plan", "--mode", "fast"),
        ("plan", "--profile", "nonesuch"),
        ("plan", "--budget-gb", "0"),
        ("models", "frobnicate"),
        ("serve", "--port", "70000"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_in_one_sentence(arguments: tuple[str, ...], shell: Run) -> None:
    done = shell(*arguments)
    assert done.code == 2, done.err
    assert done.out == ""
    sentence(done)


def test_an_unknown_setting_is_2_with_a_suggestion(shell: Run) -> None:
    done = shell("status", DQA_PROFIL="embedded")
    assert done.code == 2
    assert "did you mean DQA_PROFILE" in sentence(done)


def test_a_misspelt_key_of_the_settings_file_is_2(shell: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("profil = 'embedded'\n")
    done = shell("plan")
    assert done.code == 2
    assert "did you mean" in sentence(done)


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt_is_3(prompt: str, shell: Run, clips: list[object]) -> None:
    done = shell("evaluate", ROOT / "tests/data/clips/wan21_01_base.mp4", "--prompt", prompt, "--quiet")
    assert done.code == 3
    assert "prompt" in sentence(done)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.mp4", None),
        ("empty.mp4", b""),
        ("text.mp4", b"#EXTM3U\nfile:///etc/passwd\n"),
        ("garbage.mp4", b"\0" * 999),
    ],
)
def test_media_that_cannot_be_evaluated_are_3(name: str, content: bytes | None, shell: Run, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = shell("evaluate", path, *PROMPT, "--json")
    assert done.code == 3, done.err
    assert done.out == ""
    assert name in sentence(done)


def test_a_folder_in_place_of_a_clip_is_3(shell: Run, tmp_path: Path) -> None:
    assert shell("evaluate", tmp_path, *PROMPT).code == 3


def test_a_missing_manifest_is_3(shell: Run) -> None:
    done = shell("batch", "no-such-manifest.jsonl", "--output", "o.jsonl")
    assert done.code == 3
    assert "no-such-manifest.jsonl" in sentence(done)


def test_a_missing_model_is_4(cli: Run, clip: Callable[[str], Path]) -> None:
    done = cli("evaluate", clip("nomodel.mp4"), *PROMPT)
    assert done.code == 4
    assert "run make setup" in sentence(done)


def test_ray_that_is_not_installed_is_4(
    cli: Run, clip: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    clip("a-0.7.mp4")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"id": "a", "media": "a-0.7.mp4", "prompt": "p"}', encoding="utf-8")
    done = cli("batch", manifest, "--output", tmp_path / "o.jsonl", "--engine", "ray", "--quiet")
    assert done.code == 4
    assert "pip install 'dqa[cluster]'" in sentence(done)


@pytest.mark.parametrize(
    "flags", [("--engine", "dask"), ("--evaluators", "2"), ("--engine", "ray", "--evaluators", "0")]
)
def test_an_engine_that_there_is_not_is_2(cli: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert cli("batch", tmp_path / "m.jsonl", "--output", tmp_path / "o.jsonl", *flags).code == 2


def test_a_plan_that_does_not_fit_is_4(shell: Run) -> None:
    done = shell("plan", "--budget-gb", "0.01", "--json")
    assert done.code == 4
    assert done.json["fits"] is False
    assert "0.01 GB" in sentence(done)


@pytest.mark.parametrize(
    ("grade", "name", "code"),
    [
        ("B", "a-0.65.mp4", 0), ("B+", "a-0.65.mp4", 1), ("B-", "a-0.65.mp4", 0), ("A", "a-0.95.mp4", 0),
        ("A", "a-0.85.mp4", 1), ("A-", "a-0.85.mp4", 0), ("F", "a-0.1.mp4", 0), ("C", "a-0.1.mp4", 1),
        ("F", "none.mp4", 1),
    ],
)  # fmt: skip
def test_below_the_wanted_grade_is_1(grade: str, name: str, code: int, cli: Run, clip: Callable[[str], Path]) -> None:
    done = cli("evaluate", clip(name), *PROMPT, "--json", "--fail-below", grade)
    assert done.code == code
    assert done.json["schema"] == "dqa.evaluation/1"


def test_an_unexpected_error_is_4_and_its_traceback_is_in_the_log(
    cli: Run, clip: Callable[[str], Path], home: Path
) -> None:
    done = cli("evaluate", clip("crash.mp4"), *PROMPT)
    assert done.code == 4
    assert "Traceback" not in done.err
    assert "secret detail" not in done.err
    log = home / "logs" / "dqa.log"
    assert str(log) in sentence(done)
    assert "secret detail" in log.read_text()


def test_an_unexpected_error_without_a_writable_home_is_still_one_sentence(
    cli: Run, clip: Callable[[str], Path], home: Path
) -> None:
    home.write_text("a file where the folder should be")
    done = cli("evaluate", clip("crash.mp4"), *PROMPT)
    assert done.code == 4
    sentence(done)


def test_an_interrupt_is_130(cli: Run, clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "make_evaluator", interrupted)
    done = cli("evaluate", clip("a-0.5.mp4"), *PROMPT)
    assert done.code == 130
    assert "Traceback" not in done.err


def test_a_reader_that_goes_away_is_no_news(home: Path, clip: Callable[[str], Path]) -> None:
    arguments = command("evaluate", *[clip(f"{i}-0.5.mp4") for i in range(9)], *PROMPT, "--json", scripted=True)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert "Broken" not in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_under_stdout_is_a_sentence(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command("status", "--json"), stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 4
    assert done.stderr == (
        "dqa: stdout can't be written (no space left on device); make room there, or write elsewhere.\n"
    )


@pytest.mark.parametrize(("closed", "code"), [("2>&-", 0), (">&-", 0)])
def test_a_stream_that_is_closed_costs_nothing_else(
    home: Path, clip: Callable[[str], Path], closed: str, code: int
) -> None:
    line = [*command("evaluate", clip("a-0.74.mp4"), *PROMPT, "--json", scripted=True)]
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *line]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == code
    assert ('"final":0.74' in done.stdout) is (closed == "2>&-")
    assert "unexpected" not in done.stderr


def test_help_is_quick_and_loads_no_model_code(home: Path) -> None:
    code = (
        "import sys; from dqa.cli.guard import run; run(['--help']);"
        "print(sorted({'torch', 'numpy', 'cv2', 'av', 'transformers', 'sqlalchemy', 'httpx'} & set(sys.modules)))"
    )
    best = 9.0
    for _ in range(3):  # the least of three: processor time too is noisy on a busy machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done.stdout.splitlines()[-1] == "[]"
    assert best < 4, f"{best:.2f} s of processor time; 0.4 where it was measured"
