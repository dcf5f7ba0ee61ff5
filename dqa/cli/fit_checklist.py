"""``dqa models fit-checklist``: the weights of VisionReward's questions, by the choices that people made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

import dqa
from dqa.cli import runtime
from dqa.cli.fits import DryRun, Listed, Reset, Rollback, only_one, upkeep
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings
from dqa.errors import RecordNotFound
from dqa.models.profiles import load_profile

if TYPE_CHECKING:
    from dqa.acceptance.content import ChecklistWeights, Figure
    from dqa.channels.visionreward.answers import Answers
    from dqa.channels.visionreward.checklist import Kind
    from dqa.channels.visionreward.refit import AnsweredChoice, Refit
    from dqa.store import Store
    from dqa.store.selections import Selection

_PAGE = 500


@dataclass
class _Known:
    """The choices that can be fitted to, by medium; ``left_out`` counts the others by reason."""

    choices: dict[Kind, list[AnsweredChoice]] = field(default_factory=lambda: {})
    left_out: Counter[str] = field(default_factory=Counter[str])
    judge: str = ""


def command(
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Whose choices. [everybody's]", show_default=False)
    ] = None,
    dry_run: DryRun = False,
    listed: Listed = False,
    rollback: Rollback = None,
    reset: Reset = False,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Fit the weights of VisionReward's checklist to the choices between clips whose answers are known.

    For profiles whose VisionReward asks a vision-language model. The fitted weights serve everybody who grades with
    the profile here. They are taken only if they predict choices of unseen prompts better than the published ones do.
    """
    settings = runtime.settings_from(profile=profile, home=home)
    load_profile(settings.profile)
    only_one(listed, rollback is not None, reset)
    from dqa.acceptance.shelf import checklists

    shelf = checklists(settings.home, settings.profile)
    if listed or reset or rollback is not None:
        return upkeep(shelf, told, rollback=rollback, reset=reset, as_json=as_json)
    from dqa.channels.visionreward.refit import refit

    known = _known(settings, user)
    outcomes: dict[Kind, Refit] = {kind: refit(kind, made) for kind, made in known.choices.items()}
    version = None
    if not dry_run and any(outcome.weights for outcome in outcomes.values()):
        version = shelf.add(_content(settings, known.judge, user, outcomes)).content.version
    facts = {"profile": settings.profile, "user": user, "left_out": dict(known.left_out), "dry_run": dry_run}
    if as_json:
        kinds = {kind: _as_dict(outcome) for kind, outcome in outcomes.items()}
        emit_json({**facts, "version": version, "kinds": kinds})
    else:
        _show(facts, outcomes, version)
    return 0


def told(content: ChecklistWeights) -> str:
    """A version in a line."""
    each = ", ".join(f"{kind} ({weights.pairs} choices)" for kind, weights in content.kinds.items())
    return f"{content.created[:10]}, choices of {content.users}: {each}"


def _known(settings: Settings, user: str | None) -> _Known:
    from dqa.channels.visionreward.refit import AnsweredChoice
    from dqa.store import Store

    store, found = Store.open(settings), _Known()
    source = _Answered(store, settings.profile)
    pairs = [(selection, source.get(selection.a), source.get(selection.b)) for selection in _selections(store, user)]
    judges = [a.answers.judge for _, a, _ in pairs if isinstance(a, _Clip)]
    found.judge = judges[-1] if judges else ""  # what judges now, when the model has changed
    for selection, a, b in pairs:
        if not isinstance(a, _Clip) or not isinstance(b, _Clip):
            found.left_out[str(b if isinstance(a, _Clip) else a)] += 1
        elif a.answers.kind != b.answers.kind:
            found.left_out["a video against an image"] += 1
        elif {a.answers.judge, b.answers.judge} != {found.judge}:
            found.left_out["answered by another model"] += 1
        else:
            made = AnsweredChoice(a.answers, b.answers, selection.chosen, (a.prompt, b.prompt), (a.sha256, b.sha256))
            found.choices.setdefault(a.answers.kind, []).append(made)
    return found


@dataclass(frozen=True, slots=True)
class _Clip:
    answers: Answers
    prompt: str
    sha256: str


class _Answered:
    """Evaluations as far as their answers go, each read once; a string says why there are none."""

    def __init__(self, store: Store, profile: str) -> None:
        self._store, self._profile = store, profile
        self._read: dict[str, _Clip | str] = {}

    def get(self, evaluation: str) -> _Clip | str:
        if evaluation not in self._read:
            self._read[evaluation] = self._find(evaluation)
        return self._read[evaluation]

    def _find(self, evaluation: str) -> _Clip | str:
        from dqa.channels.visionreward.answers import answers_of

        try:
            record = self._store.get_record(evaluation)
        except (RecordNotFound, ValueError):  # pydantic's errors are ValueErrors: a damaged record has no answers
            return "a clip has no evaluation here"
        if record.profile != self._profile:
            return "judged by another profile"
        answers = answers_of(record.channels.get("visionreward"))
        return (
            "without answers to the checklist"
            if answers is None
            else _Clip(answers, record.prompt, record.media.sha256)
        )


def _selections(store: Store, user: str | None) -> Iterator[Selection]:
    after = 0
    while page := store.selections.page(user, _PAGE, after):
        yield from page
        after = page[-1].seq


def _content(settings: Settings, judge: str, user: str | None, outcomes: Mapping[Kind, Refit]) -> ChecklistWeights:
    from dqa.acceptance.content import ChecklistWeights

    return ChecklistWeights(
        profile=settings.profile,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        dqa_version=dqa.__version__,
        judge=judge,
        users="everybody" if user is None else user,
        kinds={kind: outcome.weights for kind, outcome in outcomes.items() if outcome.weights is not None},
    )


def _as_dict(outcome: Refit) -> dict[str, Any]:
    def plain(figure: Figure | None) -> dict[str, float] | None:
        return None if figure is None else figure.model_dump()

    return {
        "fitted": outcome.weights is not None,
        "refused": outcome.refused or None,
        "pairs": outcome.pairs,
        "prompts": outcome.prompts,
        "wrong": plain(outcome.wrong),
        "log_loss": plain(outcome.log_loss),
    }


def _show(facts: Mapping[str, Any], outcomes: Mapping[Kind, Refit], version: int | None) -> None:
    for kind, outcome in outcomes.items():
        emit(one_line(f"{kind}: {_decision(outcome)} ({outcome.pairs} choices, {outcome.prompts} groups of prompts)"))
    for reason, count in facts["left_out"].items():
        emit(f"{count} choices left out: {reason}.")
    if not outcomes:
        emit(f"No choice between clips whose answers are known, for profile {facts['profile']}: the weights stay.")
    elif version:
        emit(f"Version {version} is in force; dqa models fit-checklist --reset takes it out.")
        emit("A calibration of visionreward was for the weights before: fit it again.")
    else:
        emit("A dry run: nothing was kept." if facts["dry_run"] else "Nothing changes.")


def _decision(outcome: Refit) -> str:
    if outcome.weights is None or outcome.wrong is None or outcome.log_loss is None:
        return f"the published weights stay, since {outcome.refused}"
    wrong, loss = outcome.wrong, outcome.log_loss
    return (
        f"fitted; of unseen choices {100 * wrong.after:.0f} % are predicted wrongly, {100 * wrong.before:.0f} % by the "
        f"published weights; log loss {loss.before:.3f} -> {loss.after:.3f} (90 % interval of the gain "
        f"{loss.low:+.3f} to {loss.high:+.3f})"
    )
