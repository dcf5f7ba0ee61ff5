"""What describe and compare hand out: JSON, Markdown, and the files of an analysis folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dqa.calibrate.judge import Comparison, Description
from dqa.calibrate.reference import Reference
from dqa.calibrate.view import View
from dqa.errors import UnavailableError, UsageError
from dqa.record import ModelIdentity
from dqa.report.files import write_text
from dqa.report.text import clean

SCHEMA = "dqa.calibration/1"

_TAG = re.compile(r"[^A-Za-z0-9._-]+")
_MARKS = re.compile(r"([\\`*_\[\]|#!~])")


@dataclass(frozen=True, slots=True)
class Made:
    """How the compared picture came to be, as far as it is known."""

    prompt: str | None = None
    negative: str | None = None
    seed: int | None = None
    workflow: str | None = None


def safe_tag(tag: str) -> str:
    """A run's tag as part of a file name.

    >>> safe_tag("../portrait 3")
    'portrait_3'

    Raises:
        UsageError: nothing is left of it.
    """
    plain = _TAG.sub("_", tag).strip("._-")[:80]
    if not plain:
        raise UsageError(f"{tag!r} can't name a run", fix="use letters and digits")
    return plain


def description_report(described: Description, judge: ModelIdentity, tag: str, view: View) -> dict[str, Any]:
    """``{mode, description, axes, canonical_reference, ...}``."""
    return {
        "schema": SCHEMA,
        "mode": "describe",
        "run_tag": tag,
        "description": described.reference.description,
        "axes": dict(described.reference.values),
        "canonical_reference": described.reference.canonical,
        "unjudged": dict(described.unjudged),
        "reference": _file(view),
        **_about(judge, described.notes, tampered=described.tampered),
    }


def comparison_report(
    compared: Comparison, reference: Reference, judge: ModelIdentity, tag: str, view: View, made: Made
) -> dict[str, Any]:
    """``{mode, run_tag, overall_score, mismatch_count, axes, prompt_used, ...}``.

    ``overall_score`` is the mean of match 1, partial 0.5 and mismatch 0 over the judged axes, null when none was.
    """
    return {
        "schema": SCHEMA,
        "mode": "compare",
        "run_tag": tag,
        "overall_score": compared.overall,
        "mismatch_count": compared.mismatches,
        "unjudged_count": compared.unjudged,
        "axes": {one.axis: one.as_json() for one in compared.axes},
        "prompt_used": made.prompt,
        "negative_used": made.negative,
        "seed": made.seed,
        "workflow": made.workflow,
        "generated": _file(view),
        "canonical_reference": reference.canonical,
        **_about(judge, compared.notes, tampered=compared.tampered),
    }


def _file(view: View) -> dict[str, Any]:
    return {"file": clean(str(view.path)), "sha256": view.sha256, "kind": view.observation.media.kind}


def _about(judge: ModelIdentity, notes: tuple[str, ...], *, tampered: bool) -> dict[str, Any]:
    return {
        "judge": judge.model_dump(mode="json", exclude_none=True),
        "judge_tamper_suspected": tampered,
        "notes": list(notes),
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def save_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Writes ``calib_<tag>.json``, ``calib_<tag>.md`` and ``latest.json``, each whole or not at all.

    Returns:
        The path of the first.

    Raises:
        UnavailableError: the folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder can't be made ({(error.strerror or str(error)).lower()})"
        raise UnavailableError(what, fix="choose another --analysis-dir", where=str(folder)) from None
    text = json.dumps(report, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    path = folder / f"calib_{safe_tag(str(report['run_tag']))}.json"
    write_text(path, text)
    write_text(path.with_suffix(".md"), markdown(report))
    write_text(folder / "latest.json", text)
    return path


def markdown(report: Mapping[str, Any]) -> str:
    """A report as Markdown; what models and users wrote is shown as text."""
    lines = [f"# {_md(report['mode'])}: {_md(report['run_tag'])}", ""]
    lines += _described(report) if report["mode"] == "describe" else _compared(report)
    lines += ["", f"Judge: {_md(report['judge']['id'])}."]
    lines += [f"- {_md(note)}" for note in report["notes"]]
    return "\n".join(lines) + "\n"


def _described(report: Mapping[str, Any]) -> list[str]:
    rows = [f"| {_md(name)} | {_md(value)} |" for name, value in report["axes"].items()]
    rows += [f"| {_md(name)} | not judged: {_md(why)} |" for name, why in report["unjudged"].items()]
    return [_md(report["description"]), "", "| axis | value |", "|---|---|", *rows]


def _compared(report: Mapping[str, Any]) -> list[str]:
    overall = report["overall_score"]
    score = "not judged" if overall is None else f"{overall:.3f}"
    rows = [
        f"| {_md(name)} | {_md(one['verdict'])} | {_md(one['ref'])} | {_md(one['gen'] or one.get('reason'))} |"
        for name, one in report["axes"].items()
    ]
    return [
        f"Overall {score}, {report['mismatch_count']} mismatches, {report['unjudged_count']} axes not judged.",
        "",
        f"Prompt: {_md(report['prompt_used'])}",
        "",
        "| axis | verdict | reference | generated |",
        "|---|---|---|---|",
        *rows,
    ]


def _md(text: object) -> str:
    if text is None:
        return "–"
    plain = " ".join(clean(str(text)).split())
    return _MARKS.sub(r"\\\1", plain).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
