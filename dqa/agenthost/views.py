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
    patterns = step.get("patterns")
    return {
        key: patterns[:MAX_PATTERNS] if isinstance(patterns, list) else [],
        "MODEL_CONFIDENCE": _short(step.get("model_confidence")),
        "LOSS_TREND": _trend(step),
    }


def _session_state(block: blocks.Block, step: Step) -> dict[str, JsonValue]:
    del block
    return {
        "TRAINING_METRICS": {
            "training_step": step.get("training_step"),
            "loss": _short(step.get("loss")),
            "model_confidence": _short(step.get("model_confidence")),
            "choices_seen": step.get("choices_seen"),
        }
    }


def _trend(step: Step) -> list[JsonValue]:
    trend = step.get("loss_trend")
    return [_short(loss) for loss in trend[-_TREND:]] if isinstance(trend, list) else []


def _short(value: JsonValue) -> JsonValue:
    """Three digits for the eye; the worker keeps the whole number."""
    return round(value, 3) if isinstance(value, float) else value


_VIEWS: dict[str, Callable[[blocks.Block, Step], dict[str, JsonValue]]] = {
    "quality_standards": _quality_standards,
    "session_state": _session_state,
}
