"""The evaluators of a run, the lines that wait, and what each evaluator has in hand.

An evaluator whose process or machine dies is replaced. What it had in hand is tried once more, each line by itself; a
line under which a second one dies is given up, so that no clip can end a run or keep it for ever.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dqa import __version__
from dqa.cluster.member import Member
from dqa.cluster.messages import Answer, Line, Machine
from dqa.config import Settings
from dqa.errors import ConfigError, DQAError, UnavailableError
from dqa.record import EvaluationRecord
from dqa.taste.taste import Taste

Outcome = EvaluationRecord | Exception

_SLOW_S = 30
"""After which a person is told that the run waits for machines."""

_MOST_FALSE_STARTS = 3
"""Evaluators in a row that end before they are ready, after which more would not help."""


class Poisonous(DQAError):
    """A clip under which evaluators die."""

    type = "worker-died"
    title = "The evaluation process died"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a crew needs to know.

    Attributes:
        settings: of the evaluators.
        factory: see :meth:`dqa.cluster.member.Member.ready`.
        mark: name of the file in the state folder that machines must see.
        taste: finds a user's serving taste.
        say: tells a person something.
    """

    settings: Settings
    factory: str
    mark: str
    taste: Callable[[str], Taste | None]
    say: Callable[[str], None]


@dataclass(slots=True)
class _Hand:
    """An evaluator.

    Attributes:
        handle: Ray's.
        doing: ``machine``, ``ready`` or ``grade``.
        lines: the indices of the lines it has in hand.
        round: how many it takes.
    """

    handle: Any
    doing: str
    lines: Sequence[int] = ()
    round: int = 1


class Crew:
    """Grades lines with a number of evaluators.

    Args:
        ray: the module, connected.
        ask: what for.
        lines: all of them.
        size: evaluators at once.
        resources: what Ray sets aside for each.
    """

    def __init__(self, ray: Any, ask: Ask, lines: Sequence[Line], size: int, resources: dict[str, float]) -> None:
        self._ray, self._ask, self._lines, self._size = ray, ask, lines, size
        self._actor = ray.remote(max_restarts=0, max_task_retries=0, **resources)(Member)
        self._waiting = deque(range(len(lines)))
        self._again: deque[int] = deque()
        self._suspects: set[int] = set()
        self._busy: dict[Any, _Hand] = {}
        self._left = len(lines)
        self._false_starts = 0
        self._begun = False

    def work(self) -> Iterator[tuple[int, Outcome]]:
        """Each line's index and verdict or error, as they are done.

        Raises:
            UnavailableError: no evaluator can be had, or one said that it can't judge.
        """
        for _ in range(self._size):
            self._engage()
        while self._left:
            done, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=None if self._begun else _SLOW_S)
            if not done:
                self._ask.say("waiting until the cluster has room for an evaluator")
                self._begun = True
            for reference in done:
                for outcome in self._told(reference, self._busy.pop(reference)):
                    self._left -= 1
                    yield outcome

    def _engage(self) -> None:
        handle = self._actor.remote()
        reference = handle.machine.remote(str(self._ask.settings.home), self._ask.mark)
        self._busy[reference] = _Hand(handle, "machine")

    def _told(self, reference: Any, hand: _Hand) -> Iterator[tuple[int, Outcome]]:
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            yield from self._lost(hand, error)
            return
        if hand.doing == "machine":
            self._check(answer)
            reference = hand.handle.ready.remote(self._ask.settings, self._ask.factory)
            self._busy[reference] = replace(hand, doing="ready")
            return
        if hand.doing == "ready":
            if isinstance(answer, Answer):
                raise _raised(answer)
            self._begun, self._false_starts = True, 0
            hand = replace(hand, doing="grade", round=answer)
        else:
            for line, one in zip(hand.lines, answer, strict=True):
                yield line, one.outcome()
        self._give(hand)

    def _give(self, hand: _Hand) -> None:
        """The next lines, or its leave."""
        if self._again:
            lines = [self._again.popleft()]
        else:
            fair = math.ceil(len(self._waiting) / self._size)
            lines = [self._waiting.popleft() for _ in range(min(hand.round, fair))]
        if not lines:
            self._ray.kill(hand.handle)
            return
        asked = [self._with_taste(self._lines[line]) for line in lines]
        self._busy[hand.handle.grade.remote(asked)] = replace(hand, lines=lines)

    def _with_taste(self, line: Line) -> Line:
        taste = self._ask.taste(line.user)
        return line if taste is None else replace(line, taste=taste.model_dump_json())

    def _lost(self, hand: _Hand, error: Exception) -> Iterator[tuple[int, Outcome]]:
        self._ray.kill(hand.handle)
        if hand.doing != "grade":
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise _no_start(error)
        for line in hand.lines:
            if line in self._suspects:
                yield (
                    line,
                    Poisonous("the process that evaluated it died twice", fix="look at the clip; see Ray's logs"),
                )
            else:
                self._suspects.add(line)
                self._again.append(line)
        if self._waiting or self._again:
            self._engage()

    def _check(self, machine: Machine) -> None:
        if machine.version != __version__:
            raise ConfigError(
                f"{machine.name} has DQA {machine.version}, this machine {__version__}, and their verdicts may differ",
                fix="install the same version on every machine",
            )
        if not machine.sees_home:
            raise ConfigError(
                f"{machine.name} does not see the state folder {self._ask.settings.home}",
                fix="put it, and the clips, where every machine has them under the same path",
            )


def _raised(answer: Answer) -> Exception:
    outcome = answer.outcome()
    assert isinstance(outcome, Exception)  # noqa: S101 - an evaluator that is not ready has graded nothing
    return outcome


def _no_start(error: Exception) -> UnavailableError:
    if "ModuleNotFoundError" in str(error):
        what, fix = "a machine of the cluster lacks DQA or one of its packages", "install the same on every machine"
    else:
        what, fix = "the evaluators on the cluster end before they are ready", "see Ray's logs, or use --engine local"
    unavailable = UnavailableError(what, fix=fix)
    unavailable.__cause__ = error
    return unavailable
