"""What DQA writes into memory blocks: views on what the worker knows, for agents and people to read.

Only these keys are written; every other key of a block, its comments, order and form stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from dqa.agenthost import blocks

MAX_PATTERNS = 12
"""Patterns written at most: a block is read by a language model in every turn."""

_TREND = 8

Step = Mapping[str, JsonValue]
"""What a training step told (mission 1.4), newest one."""


def render(label: str, text: str, step: Step | None) -> tuple[str, list[str]]:
    """A block's text with DQA's keys as they stand now, and the names of these keys.

    Args:
        label: which block; one that DQA does not write comes back as it is.
        text: the block as it is.
        step: the last step; None before the first, when nothing is written.

    Raises:
        BlockError: the text is broken JSON, where nothing can be placed safely.
    """
    values = _VIEWS[label](blocks.parse(text), step) if label in _VIEWS and step is not None else {}
    return (blocks.update(text, values) if values else text), list(values)


def _quality_standards(block: blocks.Block, step: Step) -> dict[str, JsonValue]:
    names = block.names()
    older = "FAILURE_PATTERNS_TO_AVOID"
    key = older if older in names and "FAILURE_PATTERNS" not in names else "FAILURE_PATTERNS"
    return {
        key: _newest_first(step),
        "MODEL_CONFIDENCE": _short(step.get("model_confidence")),
        "LOSS_TREND": _trend(step),
    }


def _ab_testing(block: blocks.Block, step: Step) -> dict[str, JsonValue]:
    """People and agents write in this block, too: with nothing learned to say, what they wrote stands.

    After a reset what was learned before is taken back.
    """
    patterns = _listed(step, "winning_patterns")[:MAX_PATTERNS]
    key = "WINNING_PATTERNS"
    taken_back = step.get("serving", 0) is None and bool(block.raw(key))
    return {key: patterns} if patterns or taken_back else {}


def _session_state(block: blocks.Block, step: Step) -> dict[str, JsonValue]:
    del block
    metrics: dict[str, JsonValue] = {
        "training_step": step.get("training_step"),
        "loss": _short(step.get("loss")),
        "model_confidence": _short(step.get("model_confidence")),
        "choices_seen": step.get("choices_seen"),
    }
    held_out = step.get("held_out")
    if isinstance(held_out, Mapping):
        metrics["held_out_accuracy"] = _short(held_out.get("accuracy"))
        metrics["held_out_pairs"] = held_out.get("pairs")
    return {"TRAINING_METRICS": metrics}


def _newest_first(step: Step) -> list[JsonValue]:
    """The patterns that came with this step, then the others, each strongest first."""
    patterns, new = _listed(step, "patterns"), _listed(step, "new_patterns")
    return [*(p for p in patterns if p in new), *(p for p in patterns if p not in new)][:MAX_PATTERNS]


def _listed(step: Step, name: str) -> list[JsonValue]:
    found = step.get(name)
    return found if isinstance(found, list) else []


def _trend(step: Step) -> list[JsonValue]:
    trend = step.get("loss_trend")
    return [_short(loss) for loss in trend[-_TREND:]] if isinstance(trend, list) else []


def _short(value: JsonValue) -> JsonValue:
    """Three digits for the eye; the worker keeps the whole number."""
    return round(value, 3) if isinstance(value, float) else value


_VIEWS: dict[str, Callable[[blocks.Block, Step], dict[str, JsonValue]]] = {
    "ab_testing": _ab_testing,
    "quality_standards": _quality_standards,
    "session_state": _session_state,
}
