"""The worker's side of describe and compare: one job's request in, its report out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

from dqa.calibrate.choose_judge import judge_for
from dqa.calibrate.judge import Judge
from dqa.calibrate.reference import Reference, parse_reference
from dqa.calibrate.report import Made, comparison_report, description_report
from dqa.calibrate.view import View
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import Settings
from dqa.errors import InputError
from dqa.measure.observe import observe
from dqa.models import device
from dqa.service.calibrations import MODE, chosen_axes

Progress = Callable[[str, float], None]


def calibrate(
    request: dict[str, JsonValue], job_id: str, settings: Settings, evaluator: object, progress: Progress
) -> dict[str, JsonValue]:
    """Does one job.

    Args:
        request: as :func:`~dqa.service.calibrations.new_calibration` made it.
        job_id: becomes the report's ``id``.
        settings: the worker's.
        evaluator: whoever holds the models of the request's profile; they are not loaded twice.
        progress: told of each stage; raises ``Cancelled`` to stop.

    Raises:
        InputError: a picture can't be judged, or the reference says nothing.
        UnavailableError: the judge can't answer.
    """
    asked: dict[str, Any] = request
    own = settings.model_copy(update={"profile": asked["profile"]})
    judge = judge_for(own, chosen_axes(asked["axes"], asked["axes_toml"]), getattr(evaluator, "pool", None))
    steps = _Steps(asked, own, judge, progress)
    made = steps.describe() if asked[MODE] == "describe" else steps.compare()
    progress("done", 1.0)
    return {"id": job_id, **made}


class _Steps:
    def __init__(self, asked: dict[str, Any], settings: Settings, judge: Judge, progress: Progress) -> None:
        self._asked, self._settings, self._judge, self._progress = asked, settings, judge, progress

    def describe(self) -> dict[str, JsonValue]:
        view = self._look("reference", 0.0)
        with self._device():
            described = self._judge.describe(view.observation)
        return description_report(described, self._judge.identity, self._asked["run_tag"], view)

    def compare(self) -> dict[str, JsonValue]:
        asked = self._asked
        view = self._look("generated", 0.0)
        reference, notes = self._reference()
        self._progress("compare", 0.7)
        with self._device():
            compared = self._judge.compare(reference, view.observation)
        made = Made(asked["prompt"], asked["negative"], asked["seed"])
        report = comparison_report(compared, reference, self._judge.identity, asked["run_tag"], view, made)
        told = cast("list[str]", report["notes"])
        return {**report, "notes": [*(note for note in notes if note not in told), *told]}

    def _reference(self) -> tuple[Reference, tuple[str, ...]]:
        if self._asked["ref_desc"] is not None:
            words = parse_reference(self._asked["ref_desc"], chosen_axes(self._asked["axes"], self._asked["axes_toml"]))
            with self._device():
                return self._judge.complete(words), ()
        view = self._look("reference", 0.3)
        with self._device():
            described = self._judge.describe(view.observation)
        if not described.reference.values:
            raise InputError("the reference picture has nothing that the axes ask for", fix="ask for other axes")
        return described.reference, described.notes

    def _look(self, which: str, share: float) -> View:
        """Opens what the request names, still under its roots; the report calls it as the client did."""
        self._progress(f"decode {which}", share)
        place = self._asked[which]
        roots = [Path(root) for root in place["roots"]]
        clip = Clip.open(Path(place["path"]), Limits.from_settings(self._settings), roots)
        observation = observe(clip.frames(), lambda: clip.media)
        self._progress("judge", share + 0.3)
        return View(Path(place["media"]), clip.sha256, observation)

    def _device(self) -> AbstractContextManager[None]:
        return device.shared(self._settings.home, waiting=lambda: self._progress(device.WAITING, 0.3))
