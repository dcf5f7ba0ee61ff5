"""What ``dqa tuner`` says of steps, versions and tastes, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqa.store.tuner import Output, State
    from dqa.taste.predict import Prediction
    from dqa.taste.taste import Taste


def step(output: Output) -> Iterator[str]:
    """What a step told; patterns are indented."""
    told: dict[str, Any] = output
    yield _summary(told)
    if not told["promoted"] and told["training_step"]:
        yield f"{told.get('gate') or 'rejected'}; {_serving(told['serving'])}"
    if told["unresolved"]:
        reasons = "; ".join(f"{count} because {why}" for why, count in told["unresolved_because"].items())
        yield f"not learned from: {reasons}"
    for pattern in told["patterns"]:
        yield f"  {pattern}"


def history_line(output: Output) -> str:
    """One version: what it told, and whether it serves, was rejected, or is not kept any more."""
    told: dict[str, Any] = output
    marks = [str(told["profile"])] if told.get("profile") else []
    if told["serves"]:
        marks.append("serving")
    if not told.get("promoted", True):
        marks.append(str(told.get("gate") or "rejected"))
    if not told["kept"]:
        marks.append("not kept")
    return f"{told['created']}  {_summary(told)} [{'; '.join(marks)}]"


def status(state: State) -> Iterator[str]:
    """How a taste stands."""
    if not state.versions:
        yield f"{state.user}: nothing learned yet; choose between clips with dqa choose, then dqa tuner step"
        return
    yield serves(state)
    taste = state.taste
    if taste is None:
        return
    yield f"{taste.choices} choices, confidence {taste.confidence:.2f}; {_held_out(taste)}"
    yield from _learning(taste)
    if taste.half_life is not None:
        yield f"taste changes: a choice counts half after {taste.half_life:g} more"
    yield from _sides(taste)
    yield from _position(taste)
    yield from (f"  {pattern}" for pattern in (*taste.patterns, *taste.winning_patterns))


def serves(state: State) -> str:
    """Which version serves, in one line."""
    where = f"{state.user}, profile {state.profile}"
    if state.serving is None:
        return f"{where}: no version serves, and {state.choices} choices are set aside; dqa tuner rollback undoes it"
    if state.taste is None:
        return f"{where}: version {state.serving} can't be read any more; dqa tuner step makes a new one"
    if not state.taste.usable:
        return f"{where}: version {state.serving} is of an earlier version of DQA; dqa tuner step makes it anew"
    return f"{where}: version {state.taste.version} serves"


def unsure(prediction: Prediction) -> str:
    """That a prediction is mostly the prior's, and about how many more choices that takes; empty when it is not."""
    from dqa.taste.enough import learning

    if not prediction.abstained:
        return ""
    more = "" if prediction.more_choices is None else f"{learning(prediction.more_choices)}; "
    return f" (learning: {more}so far mostly the prior)"


def as_data(state: State) -> dict[str, Any]:
    """The state for ``--json``."""
    taste = state.taste
    data: dict[str, Any] = {
        "user": state.user,
        "profile": state.profile,
        "version": state.serving,
        "recorded": state.choices,
        "newest": state.versions[0].version if state.versions else None,
    }
    if taste is None:
        return data
    likes, dislikes = _liked(taste)
    left_out = {"version", "profile", "mean", "covariance", "prior_mean", "prior_precision", "typical", "features"}
    return {
        **data,
        **taste.model_dump(mode="json", exclude=left_out | {"history", "features_version", "style"}),
        "likes": list(likes),
        "dislikes": list(dislikes),
        "usable": taste.usable,
    }


def _summary(told: dict[str, Any]) -> str:
    loss, held_out = told["loss"], told.get("held_out")
    words = [
        "no loss yet" if loss is None else f"loss {loss:.3f}",
        f"confidence {told['model_confidence']:.2f}",
        f"{told['choices_seen']} choices",
    ]
    if held_out is not None:
        words.append(f"held-out accuracy {held_out['accuracy']:.0%}")
    return f"step {told['training_step']}: {', '.join(words)}"


def _serving(version: int | None) -> str:
    return "no version serves" if version is None else f"version {version} serves on"


def _held_out(taste: Taste) -> str:
    found = taste.held_out
    if found is None:
        return "held-out accuracy: too few choices yet"
    return f"held-out accuracy {found.accuracy:.0%} on {found.pairs} pairs (0.5 is guessing; Brier {found.brier:.3f})"


def _learning(taste: Taste) -> Iterator[str]:
    from dqa.taste.enough import LEAST_PAIRS, learning, more_choices

    if taste.pairs < LEAST_PAIRS:
        more = learning(more_choices(taste.confidence, taste.pairs))
        yield f"learning: {more} until it judges a clip, between different pairs ({taste.pairs:.0f} so far)"


def _sides(taste: Taste) -> Iterator[str]:
    likes, dislikes = _liked(taste)
    if likes:
        yield f"likes: {', '.join(likes)}"
    if dislikes:
        yield f"dislikes: {', '.join(dislikes)}"


def _position(taste: Taste) -> Iterator[str]:
    side = taste.position
    if side is None:
        return
    share = f"{side.left} of {side.of} times the left clip (90 % interval {side.low:.0%} to {side.high:.0%})"
    yield f"sides: {'the side biases the choices: ' if side.biased else 'no bias found: '}{share}"


def _liked(taste: Taste) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from dqa.taste.explain import likes_and_dislikes

    return likes_and_dislikes(taste)
