"""What the commands are made of, each built in one place: settings, the evaluator, the store.

Tests replace these factories, and nothing else, to run commands without model code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dqa.config import Settings, load_settings
from dqa.errors import UnavailableError
from dqa.record import ChannelName, EvaluationRecord

if TYPE_CHECKING:
    from dqa.evaluator import Evaluation


StageProgress = Callable[[str, float], None]
"""Told of a stage and the share (0 to 1) of the evaluation that is done."""


class EvaluatorLike(Protocol):
    """What the commands ask of an evaluator (:class:`dqa.evaluator.Evaluator`)."""

    def run(  # noqa: PLR0913 - mirrors the evaluator
        self,
        media: Path,
        prompt: str,
        *,
        user: str | None = None,
        seed: int | None = None,
        channels: Sequence[ChannelName] | None = None,
        evaluation_id: str | None = None,
        media_name: str | None = None,
        roots: Sequence[Path] | None = None,
        progress: StageProgress | None = None,
    ) -> Evaluation: ...


class StoreLike(Protocol):
    """What the commands ask of a store (:class:`dqa.store.Store`)."""

    def save_record(self, record: EvaluationRecord, media_path: Path) -> object: ...

    def get_record(self, record_id: str) -> EvaluationRecord: ...

    def find_media(self, sha256: str) -> Path | None: ...


def settings_from(**flags: Any) -> Settings:
    """The settings of this command line; a flag that was not given is None.

    Raises:
        ConfigError: an unknown or malformed setting.
    """
    return load_settings(flags)


def make_evaluator(settings: Settings) -> EvaluatorLike:
    """The evaluator, with its log going to the state folder.

    Raises:
        UnavailableError: a Python package it needs is not installed.
    """
    from dqa.cli.logs import configure

    configure(settings)
    # More threads than one are slower on small, busy machines; must be set before torch is first imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        from dqa.graders import evaluator_with_taste
    except ModuleNotFoundError as error:
        raise _not_installed(error, "embedded") from None
    return evaluator_with_taste(settings)


def media_name(path: Path) -> str:
    """What a record calls a clip: its absolute path, with bytes that are not UTF-8 spelled out, as JSON requires."""
    return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")


def open_store(settings: Settings) -> StoreLike:
    """The store in the state folder."""
    from dqa.store import Store

    return Store.open(settings)


def serve(settings: Settings) -> int:
    """Runs the service until it is stopped; returns its exit code.

    Raises:
        UnavailableError: a Python package it needs is not installed.
    """
    try:
        from dqa.service.server import serve as run_service
    except ModuleNotFoundError as error:
        raise _not_installed(error, "service") from None
    return run_service(settings)


def _not_installed(error: ModuleNotFoundError, extra: str) -> Exception:
    if (error.name or "").partition(".")[0] == "dqa":
        return error  # a fault of ours, not of the installation
    return UnavailableError(
        f"the Python package {error.name} is not installed", fix=f"run make setup, or pip install 'dqa[{extra}]'"
    )
