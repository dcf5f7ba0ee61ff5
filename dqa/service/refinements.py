"""A refinement that a client reports, checked against the evaluations that it names."""

from __future__ import annotations

from datetime import UTC, datetime

from dqa.errors import InputError
from dqa.ids import new_id
from dqa.record import EvaluationRecord
from dqa.refine.record import Cycle, Refinement, best_of
from dqa.refine.rule import Standards, ending
from dqa.service.context import Service
from dqa.service.refinement_schemas import CycleRequest, RefinementRequest


def new_refinement(service: Service, asked: RefinementRequest) -> Refinement:
    """The record of a run: what its clips got is read from their evaluations, never taken from who reports it.

    Raises:
        RecordNotFound: an evaluation is not there.
        InputError: one is another user's, they are of two profiles, or the outcome is not what they say.
    """
    user = asked.user or service.settings.user
    judged = [None if c.evaluation is None else _own(service, c.evaluation, user) for c in asked.cycles]
    profiles = {record.profile for record in judged if record is not None}
    if len(profiles) > 1:
        raise InputError("the evaluations are of two profiles, which are never compared", fix="evaluate with one")
    pairs = zip(asked.cycles, judged, strict=True)
    cycles = tuple(_cycle(service, number, cycle, record) for number, (cycle, record) in enumerate(pairs, 1))
    _check(asked, cycles)
    best = best_of(cycles)
    return Refinement(
        id=new_id("rf"),
        created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        brief=asked.brief,
        user=user,
        profile=next(iter(profiles), service.settings.profile),
        writer=asked.writer,
        generator=asked.generator,
        min_grade=asked.min_grade,
        max_retries=asked.max_retries,
        outcome=asked.outcome,
        cycles=cycles,
        accepted=cycles[-1].evaluation if asked.outcome == "accepted" else None,
        best=None if best is None else best.evaluation,
    )


def _own(service: Service, evaluation: str, user: str) -> EvaluationRecord:
    record = service.store.get_record(evaluation)
    if record.user != user:
        raise InputError(f"{evaluation} is not an evaluation of this user", fix="send the run's own evaluations")
    return record


def _cycle(service: Service, number: int, asked: CycleRequest, record: EvaluationRecord | None) -> Cycle:
    media = asked.media or (record.reproduce.media if record is not None else "")
    seed = asked.seed
    if seed is None and record is not None:
        seed = service.store.generations.seed_of(media, record.user)
    return Cycle(
        attempt=number,
        prompt=asked.prompt,
        seed=seed,
        media=media,
        evaluation=asked.evaluation,
        grade=None if record is None else record.grade,
        action=None if record is None else record.action,
        final=None if record is None else record.final,
        advice=() if record is None else tuple(record.advice),
    )


def _check(asked: RefinementRequest, cycles: tuple[Cycle, ...]) -> None:
    """The outcome must be what the rule makes of the evaluations; a run that just stopped has failed."""
    standards = Standards(min_grade=asked.min_grade, max_retries=asked.max_retries)
    expected = ending(cycles, standards) or "failed"
    if any(ending(cycles[:n], standards) for n in range(1, len(cycles))):
        raise InputError("the run went on after it had ended", fix="send it as it was, up to its end")
    if asked.outcome != expected:
        raise InputError(
            f"by its evaluations and standards this run is {expected}, not {asked.outcome}",
            fix=f"send outcome {expected}, or the cycles that are missing",
        )
