"""The records behind a file of ratings: evaluations that are there, and clips graded now."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import dqa
from dqa.acceptance.apply import in_force
from dqa.acceptance.content import CALIBRATED
from dqa.acceptance.ratings import RatedClip, Ratings
from dqa.cli import runtime
from dqa.cli.output import say
from dqa.cli.progress import Progress, make_progress
from dqa.cli.recorder import Recorder
from dqa.cli.reproduce import file_sha256, find_record
from dqa.config import Settings
from dqa.errors import Cancelled, DQAError, InputError, UnavailableError, UsageError
from dqa.models.profiles import chosen_profile
from dqa.record import EvaluationRecord


@dataclass
class Found:
    """Records with their ratings in [0, 1], in the file's order, and how many lines had to be left out."""

    rated: list[tuple[EvaluationRecord, float]] = field(default_factory=list[tuple[EvaluationRecord, float]])
    left_out: int = 0


def records(ratings: Ratings, settings: Settings, path: Path, *, quiet: bool) -> Found:
    """The record of every rated line; each that can't be had is named on stderr, and the others go on.

    A clip that is graded here is kept like any evaluation, so what was graded before a failure is not lost.
    """
    found = Found(left_out=len(ratings.refused))
    for error in ratings.refused:
        say(f"{path.name} {error.sentence()}")
    source = _Source(settings)
    with make_progress(len(ratings.clips), quiet=quiet) as progress:
        for clip in ratings.clips:
            progress.item(f"line {clip.line}")
            try:
                found.rated.append((source.record(clip, progress), clip.value))
            except (Cancelled, UnavailableError, UsageError):
                raise  # what one clip can't have, the next can't either
            except DQAError as error:
                found.left_out += 1
                progress.done("left out")
                say(f"{path.name} line {clip.line}: {error.sentence()}")
            else:
                progress.done("read" if clip.evaluation else "graded")
    return found


class _Source:
    """Records by line: evaluations from the store or a file, clips by the evaluator, each once.

    A clip that was graded before in just the way it would be now is not graded again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._evaluator: runtime.EvaluatorLike | None = None
        self._recorder = Recorder(settings)
        self._known: dict[tuple[str, str], EvaluationRecord] = {}

    def record(self, clip: RatedClip, progress: Progress) -> EvaluationRecord:
        if clip.evaluation is not None:
            record = find_record(clip.evaluation, self._settings)
            if record.profile != self._settings.profile:
                what = f"this evaluation is of profile {record.profile}, not {self._settings.profile}"
                raise InputError(what, fix="rate clips graded with the profile, or give --profile")
            return record
        if clip.media is None or clip.prompt is None:
            raise InputError("the line names no clip", fix="name one")
        key = (str(clip.media), clip.prompt)
        if key not in self._known:
            self._known[key] = self._graded(clip.media, clip.prompt, progress)
        return self._known[key]

    def _graded(self, media: Path, prompt: str, progress: Progress) -> EvaluationRecord:
        if (known := self._before(media, prompt)) is not None:
            return known
        if self._evaluator is None:
            self._evaluator = runtime.make_evaluator(self._settings)
        record = self._evaluator.run(media, prompt, progress=progress.stage).record
        self._recorder.save(record, media)
        return record

    def _before(self, media: Path, prompt: str) -> EvaluationRecord | None:
        from dqa.store import Store

        try:
            sha256 = file_sha256(media)
            found = Store.open(self._settings).records_on(sha256, self._settings.profile)
        except (OSError, DQAError, ValueError):  # then it is graded, and what is wrong is told there
            return None
        return next((r for r in found if r.prompt == prompt and self._as_now(r)), None)

    def _as_now(self, record: EvaluationRecord) -> bool:
        """Whether grading it now could only say the same of the channels that ratings calibrate."""
        recipe, settings = record.reproduce, self._settings
        same = (recipe.dqa_version, recipe.profile_sha256, recipe.seed, recipe.benchmark_backend, recipe.checklist) == (
            dqa.__version__,
            chosen_profile(settings).sha256,
            settings.seed,
            settings.benchmark_backend,
            in_force(settings.home, settings.profile).used["checklist"],
        )
        judged = [record.channels.get(name) for name in CALIBRATED]
        return same and all(result is not None and result.status in ("ok", "abstained") for result in judged)
