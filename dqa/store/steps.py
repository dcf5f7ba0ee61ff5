"""One training step: what it sees of the database, and what it makes of that. Nothing is written here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.store import styles
from dqa.store.choices import Clips, Matched, match
from dqa.store.heads import Head, heads_of, now
from dqa.store.population import Population, Populations
from dqa.store.rewards import evidence_of
from dqa.store.selections import Selection, newest_choice, read
from dqa.store.tables import selections, tuner_steps
from dqa.store.versions import Output, Version, find_version, list_versions, read_taste
from dqa.taste.choice import Choice
from dqa.taste.gate import Gate, gate
from dqa.taste.learn import learn
from dqa.taste.patterns import key_of
from dqa.taste.resolve import resolve
from dqa.taste.style import Style
from dqa.taste.taste import Taste

_TREND = 20

Token = tuple[object, ...]
"""Everything that a step rests on; while it is the same, what was computed holds."""


@dataclass(frozen=True, slots=True)
class Due:
    """A profile whose taste has to be learned.

    Attributes:
        profile: whose scores.
        new: how many choices no version of it has seen.
        head: what serves it, and what is set aside.
        before: its last versions, newest first.
        serving: the version that serves it; None without one.
        anew: why it is learned without a gate; empty when the gate decides.
        population: what is believed before its choices.
    """

    profile: str
    new: int
    head: Head
    before: tuple[Version, ...]
    serving: Version | None
    anew: str
    population: Population


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step saw."""

    user: str
    newest: int
    token: Token
    version: int
    matched: Matched
    style: Style
    due: tuple[Due, ...]
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])
    """By profile: the language-model adapter whose rewards the clips carry."""


@dataclass(frozen=True, slots=True)
class Made:
    """A version that was learned, not yet kept."""

    version: Version
    taste: Taste | None
    head: Head


def token(connection: sa.Connection, user: str, newest: int) -> Token:
    """What a step up to the choice ``newest`` rests on: the versions, the heads, and that no choice has gone."""
    steps, chosen = tuner_steps.c, selections.c
    latest = connection.scalar(sa.select(sa.func.max(steps.version)).where(steps.user == user))
    count = sa.select(sa.func.count()).select_from(selections).where(chosen.user == user, chosen.seq <= newest)
    heads = heads_of(connection, user)
    return (latest, connection.scalar(count), *sorted(heads.items()))


def look(connection: sa.Connection, user: str, clips: Clips, populations: Populations, *, again: bool) -> Seen:
    """Which profiles have something to learn, and from what.

    Args:
        connection: of the database. What changes while this looks makes the token differ: it is taken first.
        user: whose choices.
        clips: evaluations read before.
        populations: priors made before.
        again: learn anew from the choices there are.
    """
    newest = newest_choice(connection, user)
    before = token(connection, user, newest)
    query = sa.select(selections).where(selections.c.user == user, selections.c.seq <= newest)
    chosen = read(connection, query.order_by(selections.c.seq))
    heads, consumed = heads_of(connection, user), _consumed(connection, user)
    known = {profile: found for profile in heads if (found := evidence_of(connection, user, profile)) is not None}
    rewards = {key: found.for_clip(key) for found in known.values() for key in found.rewards}
    honest = {key: reward for key, reward in rewards.items() if math.isfinite(reward)}
    matched = match(chosen, clips.load(connection, _named(chosen)), honest)
    adapters = {profile: found.adapter for profile, found in known.items()}
    style = styles.read(connection, user).style
    due: list[tuple[int, Due]] = []
    for profile, pairs in matched.pairs.items():
        head = heads.get(profile) or Head(profile, None)
        seen = consumed.get(profile, 0)
        new = [meta.seq for _, _, meta in pairs if meta.seq > seen and not head.sets_aside(meta.seq)]
        anew = _anew(connection, user, head, style)
        if new or anew or (again and head.version is not None):
            prior = populations.of(connection, user, profile)
            due.append((max(new, default=0), _due(connection, user, head, len(new), anew, prior)))
    ordered = tuple(each for _, each in sorted(due, key=lambda item: (item[0], item[1].profile)))
    version = connection.scalar(sa.select(sa.func.max(tuner_steps.c.version)).where(tuner_steps.c.user == user)) or 0
    return Seen(user, newest, before, version, matched, style, ordered, adapters)


def _named(chosen: Sequence[Selection]) -> set[str]:
    return {clip for selection in chosen for clip in (selection.a, selection.b)}


def _consumed(connection: sa.Connection, user: str) -> Mapping[str, int]:
    """The last choice that a version of each profile has seen."""
    steps = tuner_steps.c
    query = sa.select(steps.profile, sa.func.max(steps.consumed).label("seq")).where(steps.user == user)
    return {row.profile: row.seq for row in connection.execute(query.group_by(steps.profile))}


def _anew(connection: sa.Connection, user: str, head: Head, style: Style) -> str:
    if head.version is None:
        return ""
    taste = read_taste(connection, user, head.version)
    if taste is None:
        return "made anew: the serving version could not be read"
    if not taste.usable:
        return "made anew: the serving version has features of an earlier version of DQA"
    return "" if taste.style == style else "made anew: what the user says they like has changed"


def _due(connection: sa.Connection, user: str, head: Head, new: int, anew: str, population: Population) -> Due:
    before = list_versions(connection, user, head.profile, _TREND)
    serving = None if head.version is None else find_version(connection, user, head.version)
    return Due(head.profile, new, head, tuple(before), serving, anew, population)


def make(seen: Seen) -> list[Made]:
    """Learns every version that is due; what comes out is the same for the same view."""
    return [_make(seen, due, seen.version + number) for number, due in enumerate(seen.due, 1)]


def _make(seen: Seen, due: Due, version: int) -> Made:
    pairs = [pair for pair in seen.matched.pairs[due.profile] if not due.head.sets_aside(pair[2].seq)]
    choices, history = resolve(pairs, seen.style)
    try:
        taste = learn(
            choices,
            version,
            profile=due.profile,
            style=seen.style,
            history=history,
            population=due.population,
            adapter=seen.adapters.get(due.profile),
        )
    except ValueError:  # a fit that is not finite can't be written down; numpy's and pydantic's errors are both this
        taste, decided = None, Gate(False, "rejected: the fit did not come out finite")
    else:
        decided = _decide(due, choices, adapter=taste.adapter is not None)
    head = Head(due.profile, version, due.head.excluded) if decided.promoted else due.head
    output = _told(seen, due, taste, decided, (version, len(choices), head.version))
    made = Version(
        version, due.profile, now(), seen.newest, decided.promoted, due.head.excluded, output, taste is not None
    )
    return Made(made, taste, head)


def _decide(due: Due, choices: Sequence[Choice], *, adapter: bool) -> Gate:
    if due.serving is None:
        return Gate(True, "nothing serves yet: promoted")
    if due.anew:
        return Gate(True, due.anew)
    consumed = due.serving.consumed
    known = [choice for choice in choices if choice.seq <= consumed]
    return gate(choices, known, population=due.population, adapter=adapter)


def _told(seen: Seen, due: Due, taste: Taste | None, decided: Gate, facts: tuple[int, int, int | None]) -> Output:
    version, choices, serving = facts
    last = due.before[0].output if due.before else {}
    known = last.get("patterns")
    before = {key_of(str(p)) for p in known} if isinstance(known, list) else set[str]()
    patterns = list(taste.patterns) if taste is not None else []
    losses = [v.output.get("loss") for v in reversed(due.before)]
    loss = taste.loss if taste is not None else None
    return {
        "training_step": version,
        "loss": loss,
        "new_patterns": [p for p in patterns if key_of(p) not in before],
        "model_confidence": taste.confidence if taste is not None else 0.0,
        "choices_seen": choices,
        "new_choices": due.new,
        "unresolved": list[JsonValue](seen.matched.named()),
        "unresolved_because": dict[str, JsonValue](seen.matched.reasons()),
        "patterns": list[JsonValue](patterns),
        "winning_patterns": list[JsonValue](taste.winning_patterns) if taste is not None else [],
        "loss_trend": [*losses, loss],
        "held_out": taste.held_out.model_dump() if taste is not None and taste.held_out is not None else None,
        "promoted": decided.promoted,
        "serving": serving,
        "profile": due.profile,
        "gate": decided.reason,
    }
