"""The reference in words: what later comparisons are anchored on, so that its side never drifts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from dqa.calibrate.axes import Axes
from dqa.errors import InputError, InvalidPrompt
from dqa.jsonsafe import parse_json
from dqa.prompt import check_prompt

MAX_BYTES = 256 * 1024
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Reference:
    """A paragraph, and a value for each axis that it says something on."""

    description: str
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def canonical(self) -> str:
        """The paragraph, then one ``axis: value`` a line: the text that :func:`parse_reference` reads back."""
        lines = [f"{name}: {one_line(value)}" for name, value in self.values.items()]
        return "\n".join([one_line(self.description), *lines] if self.description else lines)


def one_line(text: str, limit: int = 10_000) -> str:
    """Text on one line without control characters, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]


def parse_reference(text: str, axes: Axes) -> Reference:
    """A reference from its text.

    Args:
        text: prose; lines ``axis: value`` for axes of ``axes`` are their values. Or the JSON that describe gave.
        axes: the axes there are; what is said on others is left in the description.

    Raises:
        InvalidPrompt: empty, too long, or not text.
        InputError: JSON without a description or axes.
    """
    stripped = text.strip()
    if stripped.startswith("{"):
        return _from_json(parse_json(stripped.encode("utf-8", "replace")), axes)
    values: dict[str, str] = {}
    prose: list[str] = []
    for line in check_prompt(stripped).splitlines():
        name, colon, value = line.partition(":")
        key = name.strip().lower().replace(" ", "_")
        if colon and value.strip() and key in axes:
            values[key] = one_line(value, _LONGEST)
        else:
            prose.append(line)
    return Reference(one_line(" ".join(prose)), _in_order(values, axes))


def load_reference(path: Path, axes: Axes) -> Reference:
    """:func:`parse_reference` of a file in UTF-8.

    Raises:
        InputError: it can't be read, is too large, or says nothing.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = f"the reference can't be read ({(error.strerror or str(error)).lower()})"
        raise InputError(what, fix="check the path", where=str(path)) from None
    if len(data) > MAX_BYTES:
        raise InputError("the reference is too large", fix="give a paragraph and a line an axis", where=str(path))
    try:
        return parse_reference(data.decode("utf-8"), axes)
    except UnicodeDecodeError:
        raise InputError("the reference is not text in UTF-8", fix="save it as UTF-8", where=str(path)) from None
    except InvalidPrompt as error:
        raise InvalidPrompt(error.what.replace("prompt", "reference"), fix=error.fix, where=str(path)) from None
    except InputError as error:
        raise InputError(error.what, fix=error.fix, where=str(path)) from None


def _from_json(data: object, axes: Axes) -> Reference:
    fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    given, description = fields.get("axes"), fields.get("description")
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    kept = {name: one_line(text, _LONGEST) for name, text in values.items() if isinstance(text, str) and name in axes}
    if not kept and not (isinstance(description, str) and description.strip()):
        raise InputError(
            "the reference's JSON has neither a description nor axes", fix="give what dqa calibrate describe printed"
        )
    return Reference(one_line(description) if isinstance(description, str) else "", _in_order(kept, axes))


def _in_order(values: Mapping[str, str], axes: Axes) -> dict[str, str]:
    return {name: values[name] for name in axes.names if values.get(name)}


def as_json(reference: Reference) -> str:
    """The reference as the JSON that :func:`parse_reference` reads."""
    return json.dumps({"description": reference.description, "axes": dict(reference.values)}, ensure_ascii=False)
