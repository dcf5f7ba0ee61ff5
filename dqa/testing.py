"""Doubles for tests, of DQA and of what is built on it: no models, no waiting."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import dqa
from dqa.config import Settings
from dqa.errors import ModelUnavailable, Undecodable
from dqa.ids import new_id
from dqa.record import ChannelResult, EvaluationRecord, Media, Reproduce

if TYPE_CHECKING:
    from dqa.evaluator import Options

_STEP_S = 0.02


class ScriptedEvaluator:
    """Stands in for :class:`dqa.evaluator.Evaluator`; words in the prompt say what happens.

    ``sleep:S`` takes S seconds, with progress; ``hang:S`` takes S seconds and listens to nobody; ``fail`` raises
    ``Undecodable``; ``bug`` raises ``ZeroDivisionError``; ``memory`` raises ``MemoryError``; ``exit:N`` ends the
    process; ``kill`` kills it; ``print`` writes to stdout, as careless libraries do. Else: a B+ with semantic 0.7.
    A folder named ``no-models`` in the state folder keeps it from loading, one named ``slow-models`` makes loading
    take a second.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def load(self) -> None:
        if (self.settings.home / "slow-models").exists():
            time.sleep(1)
        if (self.settings.home / "no-models").exists():
            raise ModelUnavailable("the package of the scripted models is not installed", fix="install it")

    def evaluate(self, media: Path, prompt: str, **options: Unpack[Options]) -> EvaluationRecord:
        """Does what the prompt's words say, then returns a record."""
        for word in prompt.split():
            name, _, value = word.partition(":")
            act = _ACTS.get(name)
            if act is not None:
                act(value, options.get("progress") or _silent)
        return scripted_record(
            options.get("evaluation_id") or new_id("ev"),
            prompt,
            options.get("user") or self.settings.user,
            options.get("media_name") or str(media),
            hashlib.sha256(media.read_bytes()).hexdigest() if media.is_file() else "0" * 64,
        )


def scripted_record(
    evaluation_id: str, prompt: str = "a wolf", user: str = "default", media: str = "clip.mp4", sha256: str = "0" * 64
) -> EvaluationRecord:
    """A small but whole record."""
    semantic = ChannelResult(status="ok", score=0.7, confidence=0.5, reason="Scripted.")
    return EvaluationRecord(
        id=evaluation_id,
        created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        prompt=prompt,
        user=user,
        profile="embedded",
        media=Media(
            sha256=sha256, kind="video", width=64, height=48, fps=8.0, frames=16, duration_s=2.0, corrupt_packets=0
        ),
        channels={"semantic": semantic},
        weights={"semantic": 1.0},
        prompt_adherence=0.7,
        final=0.7,
        grade="B+",
        action="accept",
        reasoning="Scripted.",
        advice=(),
        notes=(),
        reproduce=Reproduce(
            dqa_version=dqa.__version__,
            media=media,
            sha256=sha256,
            prompt=prompt,
            user=user,
            profile="embedded",
            profile_sha256="0" * 64,
            channels=("semantic",),
            seed=0,
        ),
        timings_s={"total": 0.0},
        memory={},
    )


def _silent(stage: str, share: float) -> None:
    del stage, share


def _sleep(value: str, progress: Callable[[str, float], None]) -> None:
    seconds = float(value or 1)
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        progress("sleep", min(1.0, spent / seconds))
        time.sleep(_STEP_S)


def _hang(value: str, _progress: object) -> None:
    time.sleep(float(value or 60))


def _fail(_value: str, _progress: object) -> None:
    raise Undecodable("no frame could be decoded", fix="export the clip again", where="/secret/place/clip.mp4")


def _bug(_value: str, _progress: object) -> None:
    raise ZeroDivisionError("a path in a message: /secret/place")


def _memory(_value: str, _progress: object) -> None:
    raise MemoryError


def _exit(value: str, _progress: object) -> None:
    os._exit(int(value or 1))


def _kill(_value: str, _progress: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _print(_value: str, _progress: object) -> None:
    sys.stdout.write("loading weights: 100%\n")
    sys.stdout.flush()


_ACTS: dict[str, Callable[[str, Callable[[str, float], None]], None]] = {
    "sleep": _sleep,
    "hang": _hang,
    "fail": _fail,
    "bug": _bug,
    "memory": _memory,
    "exit": _exit,
    "kill": _kill,
    "print": _print,
}
