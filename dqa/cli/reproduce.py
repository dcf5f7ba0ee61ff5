"""``dqa reproduce``: runs an evaluation again from its record, and says whether the verdict is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

import dqa
from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, Quiet
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.cli.progress import make_progress
from dqa.config import Settings
from dqa.errors import InputError, MediaNotFound, RecordNotFound
from dqa.record import MEASURED, EvaluationRecord

DIFFERENT = 1

_OWN = ("id", "created", "timings_s")
"""What two runs never share."""

_ABSENT = object()


class MediaChanged(InputError):
    """The clip is not the one the record is on."""

    type = "media-changed"
    title = "Not the same media"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; ``pointer`` is a JSON pointer (RFC 6901). A side that lacks it is None."""

    pointer: str
    old: Any
    new: Any


def command(
    evaluation: Annotated[
        str, typer.Argument(metavar="EVALUATION_ID", help="An evaluation's id, or a record's JSON file.")
    ],
    media: Annotated[
        Path | None, typer.Option("--media", metavar="PATH", help="Where the clip lies now.", readable=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run an evaluation again from its record and compare everything but id, date and timings.

    Exit code 0: identical. 1: the differing fields are listed. 3: the record, the very same clip,
    the taste that judged it or the calibration it was judged under is not there any more.
    A different version of DQA or of the profile's file is named, and counts only if the verdict differs too.
    """
    settings = runtime.settings_from(home=home)
    old = find_record(evaluation, settings)
    weights = old.reproduce.adaptive_weights
    chosen = {"benchmark_backend": old.reproduce.benchmark_backend, "vlm_component": old.reproduce.vlm_component}
    settings = settings.model_copy(update={"profile": old.profile, "adaptive_weights": weights, **chosen})
    path = _locate(old, media, settings)
    new = _again(old, path, settings, quiet=quiet)
    changes = list(compare(old, new))
    environment = _environment(old, new)
    _show(old, path, changes, environment, as_json=as_json)
    return DIFFERENT if changes else 0


def compare(old: EvaluationRecord, new: EvaluationRecord) -> Iterator[Change]:
    """The fields that differ, apart from what two runs never share and what :func:`_environment` names."""
    before, after = json.loads(old.to_json()), json.loads(new.to_json())
    for record in (before, after):
        for key in _OWN:
            record.pop(key)
        record["reproduce"].pop("dqa_version")
        record["reproduce"].pop("profile_sha256")
        record["memory"].pop(MEASURED, None)
    return _walk("", before, after)


def _walk(pointer: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from _walk(f"{pointer}/{escaped}", old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, two) in enumerate(zip(old, new, strict=True)):
            yield from _walk(f"{pointer}/{index}", one, two)
    elif type(old) is not type(new) or old != new:
        yield Change(pointer, None if old is _ABSENT else old, None if new is _ABSENT else new)


def find_record(evaluation: str, settings: Settings) -> EvaluationRecord:
    """The record with that id, or in that file; raises ``RecordNotFound``."""
    path = Path(evaluation)
    if path.suffix or path.is_file():
        return _read(path)
    return runtime.open_store(settings).get_record(evaluation)


def _read(path: Path) -> EvaluationRecord:
    try:
        data = json.loads(path.read_bytes())
        if isinstance(data, dict):
            data.pop("request_id", None)  # a line of a batch is a record with its request's id
        return EvaluationRecord.model_validate(data)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise RecordNotFound(
            f"can't be read ({what})", fix="give an evaluation's id or file", where=str(path)
        ) from None
    except (ValueError, ValidationError, RecursionError):
        fix = "give a file holding one record, as dqa evaluate --json prints it"
        raise RecordNotFound("not an evaluation record", fix=fix, where=str(path)) from None


def _locate(record: EvaluationRecord, given: Path | None, settings: Settings) -> Path:
    """The very clip that was judged: where the user says, where it was, or where the store knows it.

    Raises:
        MediaNotFound: it is at none of these places.
        MediaChanged: what the user named, or all that is left, has other content.
    """
    sha256 = record.reproduce.sha256
    if given is not None:
        if not given.is_file():
            raise MediaNotFound("no such file", fix="give the clip's path", where=str(given))
        candidates = [given]
    else:
        stored = _stored(sha256, settings)
        candidates = [p for p in (Path(record.reproduce.media), stored) if p is not None and p.is_file()]
    for path in candidates:
        if file_sha256(path) == sha256:
            return path
    if not candidates:
        what = f"the clip of this evaluation ({record.reproduce.media}) is not there any more"
        raise MediaNotFound(what, fix="say where it lies with --media PATH")
    what = f"its content has changed since the evaluation (SHA-256 is not {sha256[:12]}...)"
    raise MediaChanged(what, fix="give the original with --media PATH", where=str(candidates[0]))


def _stored(sha256: str, settings: Settings) -> Path | None:
    """Where the store last saw a clip with this content; None if there is no store to ask."""
    if settings.database_url is None and not (settings.home / "dqa.sqlite3").is_file():
        return None
    return runtime.open_store(settings).find_media(sha256)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _again(old: EvaluationRecord, path: Path, settings: Settings, *, quiet: bool) -> EvaluationRecord:
    recipe = old.reproduce
    with make_progress(1, quiet=quiet) as progress:
        progress.item(path.name)
        new = (
            runtime.make_evaluator(settings)
            .run(
                path,
                recipe.prompt,
                user=recipe.user,
                seed=recipe.seed,
                channels=recipe.channels,
                media_name=recipe.media,
                taste_version=recipe.taste_version or 0,
                fits=recipe,
                progress=progress.stage,
            )
            .record
        )
        progress.done("done")
    return new


def _environment(old: EvaluationRecord, new: EvaluationRecord) -> list[str]:
    """What differs in the means rather than in the verdict, in words."""
    named: list[str] = []
    if old.reproduce.dqa_version != dqa.__version__:
        named.append(f"made by dqa {old.reproduce.dqa_version}, run again with {dqa.__version__}")
    if old.reproduce.profile_sha256 != new.reproduce.profile_sha256:
        named.append(f"profile {old.profile} has changed since")
    return named


def _show(old: EvaluationRecord, path: Path, changes: list[Change], environment: list[str], *, as_json: bool) -> None:
    if as_json:
        listed = [{"pointer": c.pointer, "old": c.old, "new": c.new} for c in changes]
        emit_json(
            {
                "evaluation_id": old.id,
                "media": str(path),
                "identical": not changes,
                "differences": listed,
                "environment": environment,
            }
        )
        return
    for note in environment:
        say(f"note: {note}.")
    if not changes:
        emit(f"{old.id}: identical (grade {old.grade}, final {old.final}).")
        return
    emit(f"{old.id}: {len(changes)} fields differ.")
    for change in changes:
        emit(f"  {one_line(change.pointer)}: {_brief(change.old)} -> {_brief(change.new)}")


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return one_line(text if len(text) <= 80 else f"{text[:77]}...")
