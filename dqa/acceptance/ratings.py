"""A file of ratings: one JSON object a line, each usable or with the reason why not.

A line names a clip (``media`` and ``prompt``, or an ``evaluation``) and what a person made of it (``rating``). Ratings
are 1 to 5 points (``likert``), accepted or not (``binary``: accept/reject, true/false, 1/0) or a mean opinion in [0, 1]
(``mos``); the line's ``scale`` says which, else the form of all the file's numbers does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from dqa.errors import InputError
from dqa.prompt.check import check_prompt

Scale = Literal["likert", "binary", "mos"]
SCALES: tuple[Scale, ...] = get_args(Scale)

THRESHOLD = 0.75
"""The rating in [0, 1] from which a person accepts; 4 of 5 points are 0.75."""

_LONGEST = 2**20
_WORDS = {"accept": 1.0, "accepted": 1.0, "reject": 0.0, "rejected": 0.0}


class UnusableRating(InputError):
    """A line that is no rating; the others go on."""

    type = "unusable-rating"
    title = "Not a rating"


@dataclass(frozen=True, slots=True)
class RatedClip:
    """One line.

    Attributes:
        line: its number, from 1.
        media, prompt: the clip and what it was made from; None when an evaluation is named.
        evaluation: an evaluation's id, or a record's file; None when a clip is named.
        value: the rating in [0, 1]: points p of 5 are ``(p - 1) / 4``.
    """

    line: int
    media: Path | None
    prompt: str | None
    evaluation: str | None
    value: float


@dataclass
class Ratings:
    """A whole file: what can be used, what can't (with its line), and how many lines bear no rating."""

    clips: list[RatedClip] = field(default_factory=list[RatedClip])
    refused: list[UnusableRating] = field(default_factory=list[UnusableRating])
    unrated: int = 0


def read_ratings(path: Path, key: str = "rating") -> Ratings:
    """Reads every line; blank ones are passed over, keys that no rating has are left alone.

    Args:
        path: the file; relative media and records start at its folder.
        key: where a line's rating stands, with dots into objects (``human.overall``).

    Raises:
        InputError: the file can't be read.
    """
    try:
        raw = path.read_bytes().splitlines()
    except OSError as error:
        what = f"can't be read ({(error.strerror or str(error)).lower()})"
        raise InputError(what, fix="give a JSONL file", where=str(path)) from None
    found = Ratings()
    parsed: list[tuple[int, dict[str, Any], Any]] = []
    for number, line in enumerate(raw, start=1):
        if not line.strip(b"\xef\xbb\xbf \t"):
            continue
        try:
            data = _object(line)
            rating = _at(data, key)
        except UnusableRating as error:
            found.refused.append(_placed(error, number))
            continue
        if rating is None:
            found.unrated += 1
        else:
            parsed.append((number, data, rating))
    _fill(found, parsed, path.absolute().parent)
    return found


def _fill(found: Ratings, parsed: Sequence[tuple[int, dict[str, Any], Any]], folder: Path) -> None:
    implied = scale_of(rating for _, data, rating in parsed if "scale" not in data)
    for number, data, rating in parsed:
        try:
            found.clips.append(_clip(number, data, _value(rating, _scale(data, implied)), folder))
        except InputError as error:
            found.refused.append(_placed(error, number))
    found.refused.sort(key=lambda error: int((error.where or "line 0").removeprefix("line ")))


def scale_of(ratings: Iterable[Any]) -> Scale | None:
    """The scale that numbers without one must be of; None when it can't be told.

    Numbers from 1 to 5 with one above 1 are points; numbers in [0, 1] with one between are opinions; zeros and ones
    with a zero are yes and no. What no scale knows (a 7) is a slip, and speaks for none.

    >>> scale_of([2, 5, 3.5]), scale_of([0, 1, 1]), scale_of([0.2, 1]), scale_of([1, 1]), scale_of([0, 4])
    ('likert', 'binary', 'mos', None, None)
    """
    numbers = [float(r) for r in ratings if isinstance(r, int | float) and not isinstance(r, bool) and 0 <= r <= 5]
    if not numbers:
        return None
    if max(numbers) > 1:
        return "likert" if min(numbers) >= 1 else None
    if any(0 < number < 1 for number in numbers):
        return "mos"
    return "binary" if 0.0 in numbers else None


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > _LONGEST:
        raise UnusableRating("longer than 1 MB", fix="shorten it")
    try:
        data = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnusableRating("not JSON in UTF-8", fix="write one JSON object a line") from None
    if not isinstance(data, dict):
        raise UnusableRating("not a JSON object", fix='write {"media": ..., "prompt": ..., "rating": ...}')
    return data


def _at(data: dict[str, Any], key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    value: Any = data
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _scale(data: dict[str, Any], implied: Scale | None) -> Scale | None:
    if "scale" not in data:
        return implied
    if data["scale"] not in SCALES:
        raise UnusableRating(f'"scale" is {data["scale"]!r:.40}', fix=f"use one of {', '.join(SCALES)}")
    return data["scale"]


def _value(rating: Any, scale: Scale | None) -> float:
    if isinstance(rating, bool):
        return float(rating)
    if isinstance(rating, str):
        if rating.strip().casefold() not in _WORDS:
            raise UnusableRating(f"the rating is {rating!r:.40}", fix="write accept, reject or a number")
        return _WORDS[rating.strip().casefold()]
    if not isinstance(rating, int | float) or not _finite(rating):
        raise UnusableRating("the rating is not a number", fix="write accept, reject or a number")
    if scale is None:
        what = "the scale of the ratings can't be told from their numbers"
        raise UnusableRating(what, fix=f'add "scale": {" or ".join(SCALES)} to each line')
    return _from_scale(float(rating), scale)


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # JSON's whole numbers have no end, floats do
        return False


def _from_scale(rating: float, scale: Scale) -> float:
    low, high = (1.0, 5.0) if scale == "likert" else (0.0, 1.0)
    if not low <= rating <= high or (scale == "binary" and rating not in (0.0, 1.0)):
        allowed = "0 or 1" if scale == "binary" else f"from {low:g} to {high:g}"
        raise UnusableRating(f"the rating is {rating:g}, and on the scale {scale} it is {allowed}", fix="correct it")
    return (rating - low) / (high - low)


def _clip(number: int, data: dict[str, Any], value: float, folder: Path) -> RatedClip:
    media, evaluation = data.get("media", data.get("file")), data.get("evaluation")
    if evaluation is not None:
        if media is not None:
            raise UnusableRating("it names a clip and an evaluation", fix="name one of them")
        return RatedClip(number, None, None, _evaluation(evaluation, folder), value)
    if not isinstance(media, str) or not media or "\0" in media:
        raise UnusableRating('neither "media" nor "evaluation" is there as text', fix="name the clip")
    if not isinstance(data.get("prompt"), str):
        raise UnusableRating('"prompt" is missing or not text', fix="add what the clip was made from")
    return RatedClip(number, folder / media, check_prompt(data["prompt"]), None, value)


def _evaluation(name: Any, folder: Path) -> str:
    """An id as it is, a file from the ratings' folder."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise UnusableRating('"evaluation" is not text', fix="give an evaluation's id or a record's file")
    return str(folder / name) if Path(name).suffix else name


def _placed(error: InputError, number: int) -> UnusableRating:
    return UnusableRating(error.what, fix=error.fix, where=f"line {number}")
