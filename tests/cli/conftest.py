"""Running commands: in this process (quick) or in one of their own (as a shell would)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dqa.cli import guard, logs, runtime
from tests.cli.doubles import ScriptedEvaluator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process with the scripted evaluator."""
    monkeypatch.setattr(runtime, "make_evaluator", ScriptedEvaluator)
    monkeypatch.setattr(logs, "_current_home", None)  # a process of its own would know of no other command

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = guard.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def shell(home: Path) -> Run:
    """Runs a command in its own process; ``scripted=True`` with the scripted evaluator."""

    def run(*arguments: object, scripted: bool = False, **environ: str) -> Outcome:
        done = subprocess.run(
            command(*arguments, scripted=scripted),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environ},
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


def command(*arguments: object, scripted: bool = False) -> list[str]:
    return [sys.executable, "-m", "tests.cli.doubles" if scripted else "dqa", *(str(a) for a in arguments)]


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a file that the scripted evaluator takes for a clip; its name says its score."""

    def make(name: str, content: str = "") -> Path:
        path = tmp_path / name
        path.write_text(content or name, encoding="utf-8")
        return path

    return make


def sentence(outcome: Outcome) -> str:
    """The one sentence on stderr; fails if there is more, or a traceback."""
    lines = [line for line in outcome.err.splitlines() if line]
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("dqa: ")
    assert lines[0].endswith(".")
    return lines[0]
