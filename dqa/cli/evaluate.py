"""``dqa evaluate``: grades one clip, or ranks several made from one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from dqa.cli import runtime
from dqa.cli.logs import crash_sentence, failed_channels
from dqa.cli.options import AsJson, BenchmarkBackend, Home, ProfileName, Quiet, Seed, User
from dqa.cli.output import emit_record, say
from dqa.cli.progress import Progress, make_progress
from dqa.cli.recorder import Recorder
from dqa.config import Settings
from dqa.errors import Cancelled, DQAError, InvalidPrompt, UnavailableError, UsageError
from dqa.record import EvaluationRecord, Grade
from dqa.report.compare import ranked
from dqa.synthesis import final_text

if TYPE_CHECKING:
    from dqa.report.view import ClipView

GRADES: tuple[str, ...] = get_args(Grade)
"""Best first."""

BELOW = 1


@dataclass(frozen=True, slots=True)
class _Judged:
    """A clip that got a verdict; ``view`` is kept for the report only, since it holds pictures."""

    media: Path
    record: EvaluationRecord
    view: ClipView | None


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    media: Annotated[
        list[Path], typer.Argument(metavar="MEDIA", help="Videos or images made from the prompt.", readable=False)
    ],
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", metavar="TEXT", help="The text they were made from.", show_default=False)
    ],
    report: Annotated[Path | None, typer.Option("--report", metavar="OUT.html", help="Write an HTML report.")] = None,
    examples: Annotated[
        bool,
        typer.Option(help="Show in the report what scores look like, by earlier clips of yours."),
    ] = True,
    fail_below: Annotated[
        str | None,
        typer.Option("--fail-below", metavar="GRADE", help=f"Exit 1 if a grade is below: {' > '.join(GRADES)}."),
    ] = None,
    profile: ProfileName = None,
    user: User = None,
    seed: Seed = None,
    benchmark_backend: BenchmarkBackend = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Grade one clip against its prompt, or rank several made from the same prompt, best first.

    With --json, one record a line, best first. A clip that can't be evaluated is named on stderr and the others go
    on; the exit code is then 3. It is 4 if the models that look for the prompt are not there: the record then tells of
    the rest. A clip without a grade counts as below any --fail-below.
    """
    _check_grade(fail_below)
    _check_report(report)
    settings = runtime.settings_from(
        home=home, profile=profile, user=user, seed=seed, benchmark_backend=benchmark_backend
    )
    judged, failure = _judge_all(settings, media, prompt, pictures=report is not None, quiet=quiet)
    judged = ranked(judged, [item.record for item in judged])
    if judged:
        _show(judged, as_json=as_json, alone=len(media) == 1)
        if report is not None:
            _write_report(report, judged, settings, examples=examples, quiet=quiet)
    if failure:
        return failure
    if any(_is_below(item.record.grade, fail_below) for item in judged):
        return BELOW
    if not judged or not all(without_models(item.record) for item in judged):
        return 0
    say(f"whether the prompt was obeyed can't be judged: {judged[0].record.channels['semantic'].reason}")
    return UnavailableError.exit_code


def _judge_all(
    settings: Settings, media: Sequence[Path], prompt: str, *, pictures: bool, quiet: bool
) -> tuple[list[_Judged], int]:
    """Every verdict there is, and the exit code of the worst failure (0: none)."""
    evaluator, recorder = runtime.make_evaluator(settings), Recorder(settings)
    judged: list[_Judged] = []
    worst = 0
    with make_progress(len(media), quiet=quiet) as progress:
        for path in media:
            progress.item(path.name)
            try:
                judged.append(_judge(evaluator, path, prompt, progress, pictures=pictures))
            except DQAError as error:
                if len(media) == 1 or isinstance(error, InvalidPrompt | UsageError | Cancelled):
                    raise
                worst = max(worst, error.exit_code)
                progress.done("not evaluated")
                _tell(path, error)
                if isinstance(error, UnavailableError):
                    break  # what is missing for one clip is missing for the next
            except Exception as error:  # a fault on one clip must not cost the others' verdicts
                if len(media) == 1:
                    raise
                worst = UnavailableError.exit_code
                progress.done("not evaluated")
                say(f"{path}: {crash_sentence(error)}")
            else:
                recorder.save(judged[-1].record, path)
                if warning := failed_channels(judged[-1].record, settings):
                    say(warning)
    return judged, worst


def _judge(evaluator: runtime.EvaluatorLike, path: Path, prompt: str, progress: Progress, *, pictures: bool) -> _Judged:
    evaluation = evaluator.run(path, prompt, progress=progress.stage)
    view = None
    if pictures:
        from dqa.report.view import clip_view

        view = clip_view(evaluation)
    record = evaluation.record
    progress.done("no grade" if record.final is None else f"{record.grade} {final_text(record.final)}")
    return _Judged(path, record, view)


def _tell(path: Path, error: DQAError) -> None:
    sentence = error.sentence()
    say(sentence if path.name in sentence else f"{path}: {sentence}")


def without_models(record: EvaluationRecord) -> bool:
    """Whether neither channel that looks for the prompt has what it needs: what was asked can't be answered then."""
    return all(record.channels[name].status == "unavailable" for name in ("semantic", "spatial"))


def _show(judged: Sequence[_Judged], *, as_json: bool, alone: bool) -> None:
    if as_json:
        for item in judged:
            emit_record(item.record)
        return
    from dqa.cli.card import show_card, show_ranking

    if alone or len(judged) == 1:
        show_card(judged[0].media.name, judged[0].record)
    else:
        show_ranking([(name, item.record) for name, item in zip(_names(judged), judged, strict=True)])


def _names(judged: Sequence[_Judged]) -> list[str]:
    """File names, or whole paths where two files share a name."""
    names = [item.media.name for item in judged]
    return [str(item.media) if names.count(item.media.name) > 1 else item.media.name for item in judged]


def _write_report(out: Path, judged: Sequence[_Judged], settings: Settings, *, examples: bool, quiet: bool) -> None:
    from dqa.acceptance.apply import in_force
    from dqa.cli.earlier import earlier
    from dqa.report.files import write_text
    from dqa.report.render import render_views

    kept = in_force(settings.home, settings.profile).calibration
    calibrations = {settings.profile: kept.content} if kept else {}
    views = [item.view for item in judged if item.view is not None]
    others = earlier(settings, judged[0].record) if examples else None
    write_text(out, render_views(views, calibrations=calibrations, earlier=others))
    if not quiet:
        say(f"report written to {out}.")


def _check_grade(grade: str | None) -> None:
    if grade is not None and grade not in GRADES:
        raise UsageError(f"{grade!r} is not a grade", fix=f"use one of {', '.join(GRADES)}", where="--fail-below")


def _is_below(grade: Grade | None, floor: str | None) -> bool:
    if floor is None:
        return False
    return grade is None or GRADES.index(grade) > GRADES.index(floor)


def _check_report(out: Path | None) -> None:
    """Refuses a report path that can't work before minutes go into the evaluation."""
    if out is None:
        return
    if out.is_dir():
        raise UsageError("this is a folder", fix="name the file to write, e.g. report.html", where=f"--report {out}")
    if not out.absolute().parent.is_dir():
        raise UsageError("its folder does not exist", fix="create it first", where=f"--report {out}")
