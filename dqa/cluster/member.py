"""An evaluator on the cluster: what runs in each of Ray's processes. Nothing here knows of Ray."""

from __future__ import annotations

import importlib
import platform
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import dqa
from dqa.cluster.messages import Answer, Line, Machine
from dqa.config import Settings
from dqa.evaluation.request import Evaluation, Item, TasteSource
from dqa.taste.taste import Taste

MARK = "cluster"
"""Folder in the state folder, in which the asker leaves a file for as long as it asks."""


class EvaluatorLike(Protocol):
    """What is asked of an evaluator here (:class:`dqa.evaluator.Evaluator`)."""

    @property
    def at_once(self) -> int: ...

    def run_many(self, items: Iterator[Item]) -> Iterator[Evaluation | Exception]: ...


class Member:
    """One evaluator. Its methods are called in the order in which they stand here; none raises."""

    def __init__(self) -> None:
        self._evaluator: EvaluatorLike | None = None
        self._tastes: Mapping[str, Taste | None] = {}

    def machine(self, home: str, mark: str) -> Machine:
        """Where this runs.

        Args:
            home: the asker's state folder.
            mark: name of the file that the asker has left there.
        """
        return Machine(platform.node(), dqa.__version__, (Path(home) / MARK / mark).is_file())

    def ready(self, settings: Settings, factory: str) -> int | Answer:
        """Makes the evaluator; how many clips may go through it together, or why there is none.

        Args:
            settings: of the evaluator.
            factory: ``module:function`` that makes one of settings and a :class:`TasteSource`.
        """
        module, _, name = factory.partition(":")
        try:
            make: Callable[[Settings, TasteSource], EvaluatorLike] = getattr(importlib.import_module(module), name)
            self._evaluator = make(settings, self._taste)
        except Exception as error:  # noqa: BLE001 - the asker hears of it, whatever it is
            return Answer.of_error(error, traceback.format_exc())
        return self._evaluator.at_once

    def grade(self, lines: Sequence[Line]) -> list[Answer]:
        """Each line's verdict, or why there is none."""
        assert self._evaluator is not None, "ready comes first"  # noqa: S101
        self._tastes = {line.user: _taste(line.taste) for line in lines}
        items = (Item(Path(line.media), line.prompt, {"user": line.user}) for line in lines)
        try:
            return [_answer(outcome) for outcome in self._evaluator.run_many(items)]
        except Exception as error:  # noqa: BLE001 - as above
            return [Answer.of_error(error, traceback.format_exc())] * len(lines)

    def _taste(self, user: str, profile: str, version: int | None) -> Taste | None:
        del profile, version  # the asker has found the right one
        return self._tastes.get(user)


def _taste(text: str | None) -> Taste | None:
    return None if text is None else Taste.model_validate_json(text)


def _answer(outcome: Evaluation | Exception) -> Answer:
    if isinstance(outcome, Exception):
        return Answer.of_error(outcome, "".join(traceback.format_exception(outcome)))
    return Answer(record=outcome.record.to_json())
