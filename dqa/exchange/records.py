"""Records that come in a file: whole, sound, and not too large to be kept."""

from __future__ import annotations

import re

from pydantic import JsonValue, ValidationError

from dqa.errors import InputError
from dqa.record import EvaluationRecord

_ID = re.compile(r"[\x21-\x7e]{1,40}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 2**31
_LONGEST_PROMPT = 900_000


def read_record(value: dict[str, JsonValue]) -> EvaluationRecord:
    """The record that an object is.

    Raises:
        InputError: it is not ``dqa.evaluation/1``, or something in it can't be.
    """
    try:
        record = EvaluationRecord.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        what = f"not a record of dqa.evaluation/1 ({place}: {first['msg']})"
        raise InputError(what, fix="give a record as dqa evaluate --json prints it") from None
    for what, sound in _checks(record).items():
        if not sound:
            raise InputError(f"the record's {what} can't be", fix="give a record as dqa evaluate --json prints it")
    return record


def _checks(record: EvaluationRecord) -> dict[str, bool]:
    media = record.media
    counts = (media.width, media.height, media.frames, media.corrupt_packets)
    return {
        "id": _ID.fullmatch(record.id) is not None,
        "user": _NAME.fullmatch(record.user) is not None,
        "profile": _NAME.fullmatch(record.profile) is not None and len(record.profile) <= 64,
        "created": len(record.created) <= 40 and "\0" not in record.created,
        "prompt": len(record.prompt) <= _LONGEST_PROMPT and "\0" not in record.prompt,
        "media.sha256": _SHA256.fullmatch(media.sha256) is not None,
        "media": all(0 <= count < _MOST for count in counts) and 0 <= media.fps < _MOST and media.duration_s >= 0,
    }
