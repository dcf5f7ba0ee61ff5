"""``dqa batch``: a line per input, whatever happens, and never two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.cli import batch
from dqa.cli.manifest import Refused, read_manifest
from tests.cli.conftest import ROOT, Run, command, sentence

Clip = Callable[[str], Path]


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: Any) -> Path:
        path = tmp_path / "manifest.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return path

    return write


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "media": f"{name}.mp4", "prompt": "a red apple", **more}


def read(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_per_input_with_its_id(cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("a-0.7.mp4", "b-0.5.mp4"):
        clip(name)
    out = tmp_path / "out.jsonl"
    done = cli("batch", manifest(row("a-0.7", user="ann"), row("b-0.5", id=7)), "--output", out, "--json")
    assert done.code == 0
    lines = read(out)
    assert [line["request_id"] for line in lines] == ["a-0.7", 7]
    assert [line["user"] for line in lines] == ["ann", "default"]
    assert all(line["schema"] == "dqa.evaluation/1" for line in lines)
    assert (done.json["graded"], done.json["failed"]) == (2, 0)


def test_lines_that_fail_are_in_the_output_and_the_run_goes_on(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    clip("crash.mp4")
    out = tmp_path / "out.jsonl"
    path = manifest(
        row("gone"), "{not json", "[1, 2]", {"media": "a-0.7.mp4", "prompt": "x"}, "", row("a-0.7", prompt=""),
        {"id": "nomedia", "prompt": "x"}, row("crash"), row("nul", media="a\0.mp4"), row("line:3"), "[" * 100_000,
        row("a-0.7b", media="a-0.7.mp4"), row("a-0.7b", media="a-0.7.mp4"), row("user", user=5),
    )  # fmt: skip
    done = cli("batch", path, "--output", out, "--quiet")
    assert done.code == 3
    lines = {line["request_id"]: line for line in read(out)}
    types = {key: line["error"]["type"] for key, line in lines.items() if "error" in line}
    assert types == {
        "gone": "media-not-found", "line:2": "malformed-line", "line:3": "malformed-line", "line:4": "malformed-line",
        "a-0.7": "invalid-prompt", "nomedia": "malformed-line", "crash": "internal", "nul": "malformed-line",
        "line:10": "malformed-line", "line:11": "malformed-line", "line:13": "malformed-line", "user": "malformed-line",
    }  # fmt: skip
    assert lines["a-0.7b"]["final"] == 0.7
    assert "line 12 already" in lines["line:13"]["error"]["detail"]
    assert all(set(line) == {"request_id", "error"} for line in lines.values() if "error" in line)


def test_models_that_are_missing_stop_the_run_and_no_line_counts_as_done(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip("a-0.7.mp4")
    out = tmp_path / "out.jsonl"
    monkeypatch.setattr(batch, "without_models", lambda _: True)
    done = cli("batch", manifest(row("a-0.7")), "--output", out, "--quiet")
    assert done.code == 4
    assert "whether the prompt was obeyed can't be judged" in sentence(done)
    assert out.read_text() == ""


def test_a_name_that_no_file_can_have_costs_its_own_line(
    shell: Run, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    path = manifest('{"id": "half", "media": "\\ud800.mp4", "prompt": "dog"}', row("gone"))
    assert shell("batch", path, "--output", out, "--quiet").code == 3
    assert {line["request_id"]: line["error"]["type"] for line in read(out)} == {
        "half": "media-not-found",
        "gone": "media-not-found",
    }


def test_a_second_run_does_nothing_twice_and_still_tells_of_failures(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    out = tmp_path / "out.jsonl"
    arguments = ("batch", manifest(row("a-0.7"), row("gone")), "--output", out, "--json", "--quiet")
    assert cli(*arguments).code == 3
    before = out.read_bytes()
    again = cli(*arguments)
    assert again.code == 3
    assert out.read_bytes() == before
    assert (again.json["graded"], again.json["graded_before"], again.json["failed_before"]) == (0, 1, 1)


def test_another_file_of_the_same_name_and_another_seed_are_said(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    for folder in ("one", "two", "moved"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a-0.7.mp4").write_text("other" if folder == "two" else "same", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    assert cli("batch", manifest(row("k", media="one/a-0.7.mp4")), "--output", out).code == 0
    moved = cli("batch", manifest(row("k", media="moved/a-0.7.mp4")), "--output", out, "--json", "--quiet")
    assert (moved.code, moved.json["graded_before"], moved.json["changed"]) == (0, 1, 0)
    other = cli("batch", manifest(row("k", media="two/a-0.7.mp4")), "--output", out, "--quiet")
    assert other.code == 3
    assert "its media has changed since it was graded" in sentence(other)
    seed = cli("batch", manifest(row("k", media="one/a-0.7.mp4")), "--output", out, "--quiet", "--seed", "9")
    assert seed.code == 3
    assert "its seed has changed since it was graded" in sentence(seed)


@pytest.mark.parametrize(
    "torn", [b'{"request_id":"b-0', b'{"requ', b'{"request_id":"b-0.5","schema":"dqa.eval', b"\0\0\0"]
)
def test_a_torn_last_line_is_done_again(
    torn: bytes, cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    clip("b-0.5.mp4")
    out = tmp_path / "out.jsonl"
    path = manifest(row("a-0.7"), row("b-0.5"))
    assert cli("batch", path, "--output", out).code == 0
    first = out.read_bytes().splitlines(keepends=True)[0]
    out.write_bytes(first + torn)
    assert cli("batch", path, "--output", out).code == 0
    assert out.read_bytes().startswith(first)
    assert [line["request_id"] for line in read(out)] == ["a-0.7", "b-0.5"]


def test_a_line_that_lacks_only_its_end_is_kept(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    clip("b-0.5.mp4")
    out = tmp_path / "out.jsonl"
    path = manifest(row("a-0.7"), row("b-0.5"))
    cli("batch", manifest(row("a-0.7")), "--output", out)
    out.write_bytes(out.read_bytes().rstrip(b"\n"))
    manifest(row("a-0.7"), row("b-0.5"))
    assert cli("batch", path, "--output", out).code == 0
    assert [line["request_id"] for line in read(out)] == ["a-0.7", "b-0.5"]


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"id": "a", "media": "b", "prompt": "c"}\n', "[]"])
def test_a_file_that_is_no_output_is_left_alone(
    content: str, cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    out = tmp_path / "out.jsonl"
    out.write_text(content)
    done = cli("batch", manifest(row("a-0.7")), "--output", out)
    assert done.code == 2
    assert out.read_text() == content
    sentence(done)


def test_the_manifest_is_not_taken_for_the_output(cli: Run, manifest: Callable[..., Path]) -> None:
    path = manifest(row("a-0.7"))
    before = path.read_bytes()
    assert cli("batch", path, "--output", path).code == 2
    assert path.read_bytes() == before


def test_a_request_that_changed_is_named_not_graded_twice(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    out = tmp_path / "out.jsonl"
    cli("batch", manifest(row("a-0.7")), "--output", out)
    done = cli("batch", manifest(row("a-0.7", prompt="a green apple")), "--output", out, "--quiet")
    assert done.code == 3
    assert "its prompt has changed" in sentence(done)
    assert len(read(out)) == 1


def test_results_of_another_profile_are_not_mixed(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    out = tmp_path / "out.jsonl"
    path = manifest(row("a-0.7"))
    cli("batch", path, "--output", out)
    done = cli("batch", path, "--output", out, "--profile", "other")
    assert done.code == 2
    assert "not comparable" in sentence(done)


def test_a_missing_model_stops_the_run_and_nothing_is_spoilt(
    cli: Run, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    clip("nomodel.mp4")
    out = tmp_path / "out.jsonl"
    done = cli("batch", manifest(row("a-0.7"), row("nomodel"), row("b-0.5")), "--output", out, "--quiet")
    assert done.code == 4
    assert [line["request_id"] for line in read(out)] == ["a-0.7"]


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_where_it_was(
    home: Path, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    names = [f"slow{i}-0.5" for i in range(8)]
    for name in names:
        clip(f"{name}.mp4")
    out = tmp_path / "out.jsonl"
    arguments = command("batch", manifest(*map(row, names)), "--output", out, scripted=True)
    environ = {**os.environ, "DQA_TEST_SLOW_S": "0.15"}
    for pause in (0.9, 1.3, 1.1, 1.7):
        process = subprocess.Popen(arguments, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(arguments, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
    assert done.returncode == 0
    assert [line["request_id"] for line in read(out)] == names


def test_two_runs_at_once_on_one_output_are_refused(
    cli: Run, home: Path, clip: Clip, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    clip("slow-0.5.mp4")
    out = tmp_path / "out.jsonl"
    path = manifest(row("slow-0.5"))
    environ = {**os.environ, "DQA_TEST_SLOW_S": "250"}
    first = subprocess.Popen(command("batch", path, "--output", out, scripted=True), cwd=ROOT, env=environ)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "underway").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = cli("batch", path, "--output", out)
        assert done.code == 2
        assert "another batch is writing this file" in sentence(done)
    finally:
        first.kill()
        first.wait()


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_manifest_can_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("m") / "m.jsonl"
    path.write_bytes(b"\n".join(lines))
    read_lines = read_manifest(path)
    ids = [str(line.id) for line in read_lines]
    assert len(set(ids)) == len(ids)


def test_an_overlong_line_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"id": "' + b"x" * 3 * 2**20 + b'"}\n' + json.dumps(row("b")).encode())
    first, second = read_manifest(path)
    assert isinstance(first, Refused)
    assert (first.id, second.id, second.line) == ("line:1", "b", 2)
