"""Templates: how they are read, and how they write numbers and strangers' text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined
from pydantic import BaseModel

from dqa.report.text import clean, columns, shorten
from dqa.synthesis import final_text


def score(value: float | None) -> str:
    """Two decimals; a dash for what was not judged, never 0."""
    return "–" if value is None else f"{value:.2f}"


def final(value: float | None) -> str:
    """As :func:`dqa.synthesis.final_text` has it; a dash for what was not judged, never 0."""
    return "–" if value is None else final_text(value)


def number(value: float) -> str:
    """``0.0123``, ``12.3``, ``4.57e+04``: three figures that count."""
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as a number from 0 to 100 with one decimal."""
    return f"{100 * value:.1f}"


def pretty(part: BaseModel) -> str:
    """A part of a record as indented JSON."""
    return clean(json.dumps(part.model_dump(mode="json"), indent=2, ensure_ascii=False))


_FILTERS: dict[str, Callable[..., Any]] = {
    "clean": clean,
    "shorten": shorten,
    "columns": columns,
    "score": score,
    "final": final,
    "number": number,
    "percent": percent,
    "pretty": pretty,
}


def templates(loader: BaseLoader) -> Environment:
    """Templates that escape whatever they are given, fail on a name they are not given, and know the filters above."""
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment
