"""What the commands are made of, each built in one place: settings, the evaluator, the store.

Tests replace these factories, and nothing else, to run commands without model code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack, runtime_checkable

from dqa.config import Settings, load_settings
from dqa.errors import UnavailableError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.evaluator import Evaluation, Item, Options, TasteSource
    from dqa.store import Store


CLUSTER_EVALUATOR = "dqa.cli.runtime:make_evaluator"
"""What the evaluators on a cluster are made by, in their own processes."""

StageProgress = Callable[[str, float], None]
"""Told of a stage and the share (0 to 1) of the evaluation that is done."""


class EvaluatorLike(Protocol):
    """What the commands ask of an evaluator (:class:`dqa.evaluator.Evaluator`)."""

    def run(self, media: Path, prompt: str, **options: Unpack[Options]) -> Evaluation: ...


@runtime_checkable
class ManyLike(Protocol):
    """An evaluator that takes many clips at once, so that models load less often."""

    def run_many(self, items: Iterable[Item]) -> Iterator[Evaluation | Exception]: ...


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


def make_evaluator(settings: Settings, taste: TasteSource | None = None) -> EvaluatorLike:
    """The evaluator, with its log going to the state folder.

    Args:
        settings: of the evaluator.
        taste: finds a user's taste; default the store does.

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
    return evaluator_with_taste(settings, taste)


def open_store(settings: Settings) -> Store:
    """The store in the state folder, with what it logs going there too: stdout is for data."""
    from dqa.cli.logs import configure
    from dqa.store import Store

    configure(settings)
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
