"""Axes: what a picture is compared on, as data. A default set comes with DQA; a file of one's own changes it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from dqa.calibrate.pixels import Measure
from dqa.errors import InputError

MAX_AXES = 100
_DEFAULTS = Path(__file__).parent / "data" / "axes.toml"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One text, or a list of them."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Data):
    """One value of an axis with a fixed choice.

    Attributes:
        upto: where it ends on the measured scale; None for the last one, and on axes that are named, not counted.
        near: values close enough to be a partial match, where the values have no order.
        words: how it is said in a word or two.
        say: how it is said as a phrase, best first.
    """

    name: str = Field(min_length=1, max_length=60)
    upto: float | None = None
    near: Texts = ()
    words: Texts = ()
    say: Texts = ()


class Axis(_Data):
    """One axis.

    Attributes:
        lever: templates with ``{value}``: how a prompt can say it, best first.
        words: likewise as a word or two that can stand in for another value's inside a sentence.
        values: the fixed choice, in order; empty where any words will do.
        measure: what of the pixels tells it; None for an axis that only a model can judge.
        tolerance, partial: largest difference of two measured numbers that is a match, and a partial match.
        depends: axes that this one may change.
    """

    name: str
    group: str = Field(min_length=1, max_length=40)
    definition: str = Field(min_length=1, max_length=300)
    lever: Texts = Field(min_length=1)
    words: Texts = ()
    values: tuple[Value, ...] = ()
    measure: Measure | None = None
    tolerance: float = Field(0.0, ge=0)
    partial: float = Field(0.0, ge=0)
    depends: Texts = ()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("use lower-case letters, digits and _, 40 at most")
        return name

    @field_validator("definition")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if "\n" in text.strip():
            raise ValueError("give it in one line")
        return text.strip()

    @field_validator("lever", "words")
    @classmethod
    def _templates(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if "{value}" not in text or set(re.findall(r"\{[^}]*\}?", text)) != {"{value}"}:
                raise ValueError(f"{text!r} needs {{value}}, and no other braces")
        return texts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [value.name for value in self.values]
        if len(names) != len(set(names)):
            raise ValueError("two values have the same name")
        strangers = {near for value in self.values for near in value.near} - set(names)
        if strangers:
            raise ValueError(f"near names {min(strangers)!r}, which is no value of it")
        self._check_scale()
        return self

    def _check_scale(self) -> None:
        ends = [value.upto for value in self.values]
        inner = [end for end in ends[:-1] if end is not None]
        if self.measure is not None and not self.values:
            raise ValueError("an axis that is measured needs values")
        if inner and (len(inner) != len(ends) - 1 or ends[-1] is not None or inner != sorted(inner)):
            raise ValueError("upto must rise from value to value, and only the last has none")

    @property
    def scaled(self) -> bool:
        """Whether its values are stretches of a measured scale."""
        return len(self.values) > 1 and self.values[0].upto is not None

    def value(self, name: str) -> Value | None:
        """Its value of that name."""
        return next((value for value in self.values if value.name == name), None)


@dataclass(frozen=True, slots=True)
class Axes:
    """A set of axes in order; the order decides between equally bad ones."""

    all: tuple[Axis, ...]

    def __iter__(self) -> Iterator[Axis]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __contains__(self, name: object) -> bool:
        return any(axis.name == name for axis in self.all)

    def __getitem__(self, name: str) -> Axis:
        return next(axis for axis in self.all if axis.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.all)


@cache
def default_axes() -> Axes:
    """The neutral set that comes with DQA.

    >>> sorted({axis.group for axis in default_axes()})
    ['action/pose', 'affect', 'body', 'camera', 'identity', 'render', 'wardrobe']
    """
    return load_axes(_DEFAULTS, base=Axes(()))


def load_axes(path: Path, base: Axes | None = None) -> Axes:
    """The default axes as a file changes them.

    The file is TOML: ``[[axis]]`` tables add an axis or replace the one of that name in its place; ``drop = ["hair"]``
    drops axes, ``drop_groups = ["wardrobe"]`` whole groups, and ``defaults = false`` begins with none.

    Args:
        path: the file.
        base: what it changes; default :func:`default_axes`.

    Raises:
        InputError: it can't be read, or is malformed; the sentence names the line or the axis and key.
    """
    data = _read(path)
    strange = data.keys() - {"axis", "drop", "drop_groups", "defaults"}
    if strange:
        raise _malformed(path, f"{min(strange)!r} is no key of an axes file", "use axis, drop, drop_groups, defaults")
    begin = (default_axes() if base is None else base) if _flag(path, data) else Axes(())
    kept = _without(path, begin, _names(path, data, "drop"), _names(path, data, "drop_groups"))
    merged = {axis.name: axis for axis in kept}
    for axis in _own(path, data.get("axis", [])):
        merged[axis.name] = axis
    if not merged:
        raise _malformed(path, "no axis is left", "keep at least one")
    if len(merged) > MAX_AXES:
        raise _malformed(path, f"there are more than {MAX_AXES} axes", "drop some")
    return Axes(tuple(merged.values()))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"the axes can't be read ({(error.strerror or str(error)).lower()})"
        raise InputError(what, fix="check the path", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(path, f"not TOML ({error})", "correct that line") from None


def _flag(path: Path, data: dict[str, Any]) -> bool:
    value = data.get("defaults", True)
    if not isinstance(value, bool):
        raise _malformed(path, "defaults is neither true nor false", "write defaults = false")
    return value


def _names(path: Path, data: dict[str, Any], key: str) -> list[str]:
    value: object = data.get(key, [])
    listed = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(name, str) for name in listed):
        raise _malformed(path, f"{key} is no list of names", f'write {key} = ["..."]')
    return cast("list[str]", listed)


def _without(path: Path, axes: Axes, names: list[str], groups: list[str]) -> list[Axis]:
    for key, given, known in (("drop", names, axes.names), ("drop_groups", groups, [axis.group for axis in axes])):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise _malformed(path, f"{key} names {unknown[0]!r}, which is not there", "see dqa calibrate axes")
    return [axis for axis in axes if axis.name not in names and axis.group not in groups]


def _own(path: Path, tables: object) -> Iterator[Axis]:
    if not isinstance(tables, list):
        raise _malformed(path, "axis is no list of tables", "write [[axis]]")
    seen: set[str] = set()
    for place, table in enumerate(cast("list[object]", tables), 1):
        axis = _axis(path, place, table)
        if axis.name in seen:
            raise _malformed(path, f"axis {place} has the name {axis.name!r} for the second time", "rename one")
        seen.add(axis.name)
        yield axis


def _axis(path: Path, place: int, table: object) -> Axis:
    name = cast("dict[str, Any]", table).get("name") if isinstance(table, dict) else None
    called = f"axis {place}" + (f" ({name})" if isinstance(name, str) else "")
    try:
        return Axis.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        hint = f"; one of {', '.join(get_args(Measure))}" if key == "measure" else ""
        said = f"{called}, {key}: {what[:1].lower()}{what[1:]}{hint}" if key else f"{called}: {what}"
        raise _malformed(path, said, "correct it") from None


def _malformed(path: Path, what: str, fix: str) -> InputError:
    return InputError(what, fix=fix, where=str(path))
