"""What a crew does with its lines when machines differ, die or are busy; Ray itself is in tests/cluster/test_ray.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

import dqa
from dqa.cluster.crew import Ask, Crew, Outcome, Poisonous
from dqa.cluster.engine import _room
from dqa.cluster.messages import Answer, Line, Machine, MemberFault
from dqa.config import Settings, load_settings
from dqa.errors import ConfigError, MediaNotFound, ModelUnavailable, UnavailableError
from dqa.record import EvaluationRecord
from dqa.taste.taste import Taste
from tests.taste.test_predict import taste as learned
from tests.test_record import record


class RayError(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Reference:
    method: str
    arguments: tuple[Any, ...]


@dataclass
class Ray:
    """Ray as far as a crew knows it; ``wait`` gives what was asked for first, unless nothing can be had yet.

    Attributes:
        rounds: clips that an evaluator takes.
        machine: what each evaluator says of where it is.
        dies: whether an evaluator dies of what it is asked: the method and its lines.
        busy: how many times nothing is ready.
    """

    rounds: int = 1
    machine: Machine = field(default_factory=lambda: Machine("m", dqa.__version__, sees_home=True))
    refusal: Answer | None = None
    dies: Callable[[str, list[str]], bool] = lambda method, media: False
    busy: int = 0
    engaged: int = 0
    killed: int = 0
    graded: list[list[Line]] = field(default_factory=list[list[Line]])
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayError=RayError))

    def remote(self, **options: Any) -> Callable[[type], Any]:
        assert (options["max_restarts"], options["max_task_retries"]) == (0, 0)
        return lambda _: SimpleNamespace(remote=self._engage)

    def _engage(self) -> Any:
        self.engaged += 1
        methods = {
            name: SimpleNamespace(remote=lambda *a, name=name: Reference(name, a))
            for name in ("machine", "ready", "grade")
        }
        return SimpleNamespace(**methods)

    def wait(self, references: list[Any], *, num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        assert num_returns == 1
        if self.busy:
            self.busy -= 1
            assert timeout
            return [], references
        return references[:1], references[1:]

    def get(self, reference: Any) -> Any:
        method, arguments = reference.method, reference.arguments
        lines: list[Line] = arguments[0] if method == "grade" else []
        if self.dies(method, [line.media for line in lines]):
            raise RayError("The actor died: ModuleNotFoundError" if method == "machine" else "The actor died")
        if method == "machine":
            return self.machine
        if method == "ready":
            return self.refusal or self.rounds
        self.graded.append(lines)
        return [_graded(line) for line in lines]

    def kill(self, handle: Any) -> None:
        del handle
        self.killed += 1


def _graded(line: Line) -> Answer:
    if line.media == "gone":
        return Answer.of_error(MediaNotFound("no such file", fix="check the path", where="gone"), "")
    if line.media == "crash":
        return Answer.of_error(ZeroDivisionError("secret"), "Traceback: secret")
    return Answer(record=record().model_copy(update={"id": f"ev_{line.media}"}).to_json())


def grade(
    ray: Ray, *media: str, size: int = 2, taste: Taste | None = None, said: list[str] | None = None
) -> dict[str, Outcome]:
    settings = load_settings({})
    say = (said if said is not None else []).append
    ask = Ask(settings, "module:function", "mark", lambda user: taste if user == "ann" else None, say)
    lines = [Line(name, "a red apple", "ann" if name == "ann's" else "ben") for name in media]
    done = [(media[index], outcome) for index, outcome in Crew(ray, ask, lines, size, {"num_cpus": 1}).work()]
    assert len(done) == len(media), "each once"
    return dict(done)


@pytest.mark.parametrize("rounds", [1, 3, 16])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_line_is_graded_once_and_shared_out_fairly(rounds: int, size: int) -> None:
    ray, names = Ray(rounds=rounds), [f"c{n}" for n in range(7)]
    done = grade(ray, *names, size=size)
    assert {name: outcome.id for name, outcome in done.items() if isinstance(outcome, EvaluationRecord)} == {
        name: f"ev_{name}" for name in names
    }
    assert max(len(lines) for lines in ray.graded) == min(rounds, -(-7 // size))
    assert ray.engaged == size


def test_errors_come_back_as_what_they_were() -> None:
    done = grade(Ray(), "gone", "crash")
    gone, crash = done["gone"], done["crash"]
    assert isinstance(gone, MediaNotFound)
    assert gone.sentence() == "gone: no such file; check the path."
    assert isinstance(crash, MemberFault)
    assert (type(crash).__name__, str(crash)) == ("ZeroDivisionError", "Traceback: secret")


def test_a_clip_that_kills_is_given_up_and_those_beside_it_are_not() -> None:
    ray = Ray(rounds=3, dies=lambda _, media: "poison" in media)
    done = grade(ray, "c0", "poison", "c1", "c2", "c3", "c4")
    assert isinstance(done.pop("poison"), Poisonous)
    assert all(isinstance(outcome, EvaluationRecord) for outcome in done.values())
    assert ray.engaged == 4, "each that died was replaced"
    assert ray.killed >= 2


def test_a_machine_that_dies_once_costs_no_line() -> None:
    deaths = iter([True])
    ray = Ray(rounds=2, dies=lambda method, _: method == "grade" and next(deaths, False))
    assert all(isinstance(outcome, EvaluationRecord) for outcome in grade(ray, "c0", "c1", "c2").values())


def test_evaluators_that_never_begin_end_the_run() -> None:
    with pytest.raises(UnavailableError, match="end before they are ready"):
        grade(Ray(dies=lambda method, _: method == "ready"), "c0")
    with pytest.raises(UnavailableError, match="lacks DQA or one of its packages"):
        grade(Ray(dies=lambda method, _: method == "machine"), "c0")


def test_an_evaluator_that_can_not_judge_says_why() -> None:
    refusal = Answer.of_error(ModelUnavailable("the weights are gone", fix="run make setup"), "")
    with pytest.raises(ModelUnavailable, match="the weights are gone; run make setup"):
        grade(Ray(refusal=refusal), "c0")


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine("far", "0.0.1", sees_home=True), "far has DQA 0.0.1"),
        (Machine("far", dqa.__version__, sees_home=False), "far does not see the state folder"),
    ],
)
def test_a_machine_whose_verdicts_could_differ_is_refused(machine: Machine, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        grade(Ray(machine=machine), "c0")


def test_a_full_cluster_is_waited_for_and_said() -> None:
    said: list[str] = []
    grade(Ray(busy=1), "c0", said=said)
    assert said == ["waiting until the cluster has room for an evaluator"]


def test_each_line_goes_with_the_taste_of_its_user() -> None:
    ray, taste = Ray(), learned(12)
    grade(ray, "ann's", "c1", taste=taste)
    sent = {line.media: line.taste for lines in ray.graded for line in lines}
    assert sent["c1"] is None
    assert sent["ann's"]
    assert Taste.model_validate_json(sent["ann's"]) == taste


def _settings(profile: str) -> Settings:
    return load_settings({"profile": profile})


def test_there_are_as_many_evaluators_as_there_is_room_for() -> None:
    resources = {"CPU": 8.0, "memory": 64e9, "GPU": 3.0}
    assert _room(resources, "cpu", _settings("embedded")) == 8
    assert _room({**resources, "memory": 4e9}, "cpu", _settings("embedded")) == 2
    assert _room({"CPU": 1.0, "memory": 1e9}, "cpu", _settings("embedded")) == 1
    assert _room(resources, "cuda", _settings("rtx3090")) == 3
    with pytest.raises(UnavailableError, match="the cluster has none"):
        _room({"CPU": 8.0}, "cuda", _settings("rtx3090"))
