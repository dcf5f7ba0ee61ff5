"""A file of choices in whatever format, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from dqa.errors import InputError
from dqa.exchange import label_studio, plain, trl
from dqa.exchange.choice import ToldChoice
from dqa.exchange.entries import read_entries


@dataclass(frozen=True, slots=True)
class Told:
    """What stands at one place of a file: a choice, or what is wrong."""

    place: str
    choice: ToldChoice | InputError


def read_choices(path: Path) -> Iterator[Told]:
    """The choices in a file, in its order; what is none is told with its place.

    Raises:
        InputError: the file can't be read.
    """
    for entry in read_entries(path):
        try:
            if isinstance(entry.value, InputError):
                raise entry.value
            choices = choices_of(entry.value)
        except InputError as error:
            yield Told(entry.place, error)
        else:
            yield from (Told(entry.place, choice) for choice in choices)


def choices_of(value: JsonValue) -> list[ToldChoice]:
    """The choices in one entry; a format is known by its keys.

    Raises:
        InputError: it is no choice in a format that is known.

    >>> [choice.chosen for choice in choices_of({"test_id": "t", "chosen": "ev_1", "rejected": "ev_2"})]
    ['a']
    """
    if not isinstance(value, dict):
        raise InputError("not a JSON object", fix="see docs/how-to/your-data.md")
    if "annotations" in value or isinstance(value.get("data"), dict):
        return label_studio.read(value)
    if "a" in value or "b" in value:
        return [plain.read_line(value)]
    if "variation_a" in value or "variation_b" in value:
        return [plain.read_variations(value)]
    if "rejected" in value:
        listed = isinstance(value.get("chosen"), list) or isinstance(value["rejected"], list)
        return [plain.read_pair(value) if "test_id" in value and not listed else trl.read(value)]
    raise InputError('"a" and "b" are missing', fix="see docs/how-to/your-data.md")
