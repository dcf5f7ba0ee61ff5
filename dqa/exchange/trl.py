"""TRL's preference data: ``{"prompt", "chosen", "rejected"}``.

Read, ``chosen`` and ``rejected`` are evaluation ids or records. Written, they are the text a language model is trained
on (:mod:`dqa.taste.heavy.rendering`), for DPOTrainer as it is.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.exchange.choice import Clip, Row, ToldChoice, clip, name, timestamp, user
from dqa.record import EvaluationRecord
from dqa.taste.style import NO_STYLE, Style

_LONGEST_NAME = 200


def read(row: Row) -> ToldChoice:
    """A preference as a choice. Without a ``test_id`` it is named after its clips, so that it counts once."""
    for key in ("chosen", "rejected"):
        if isinstance(row.get(key), list):
            what = f'"{key}" is a conversation'
            raise InputError(what, fix="give an evaluation's id or record; what was said can't be graded")
        if isinstance(row.get(key), str) and _is_text(str(row[key])):
            what = f'"{key}" is a text, and texts can\'t be matched to clips'
            raise InputError(
                what, fix="give an evaluation's id or record; dqa choose --export --format jsonl keeps them"
            )
    a, b = clip(row, "chosen"), clip(row, "rejected")
    test_id = name(row, "test_id") if "test_id" in row else _named_after(a, b)
    return ToldChoice(test_id, a, b, "a", user(row), timestamp(row.get("timestamp")))


def write(chosen: EvaluationRecord, rejected: EvaluationRecord, style: Style = NO_STYLE) -> dict[str, JsonValue]:
    """A choice between two clips of one prompt as TRL takes it."""
    from dqa.taste.features import Judged
    from dqa.taste.heavy.rendering import render_clip, render_prompt

    return {
        "prompt": render_prompt(chosen.prompt, style),
        "chosen": render_clip(Judged.of(chosen)),
        "rejected": render_clip(Judged.of(rejected)),
    }


def _is_text(found: str) -> bool:
    """Whether it is what a language model reads or writes, as our own export has it, and not the name of a clip."""
    return len(found) > _LONGEST_NAME or "\n" in found


def _named_after(chosen: Clip, rejected: Clip) -> str:
    names = [found if isinstance(found, str) else found.get("id") for found in (chosen, rejected)]
    return f"trl-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:24]}"
