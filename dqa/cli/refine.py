"""``dqa refine``: a brief, written, generated and verified until a clip is good enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dqa.cli import refine_parts, refining, runtime
from dqa.cli.options import AsJson, Home, ProfileName, Quiet, User
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import InputError, UsageError
from dqa.synthesis import final_text

if TYPE_CHECKING:
    from dqa.record import Grade

BELOW = 1

_MOST_RETRIES, _MOST_VARIATIONS = 10, 4  # as in dqa.refine, whose import would slow down --help


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    brief: Annotated[
        str | None,
        typer.Argument(metavar="BRIEF", help="What the clip should show, in your words.", show_default=False),
    ] = None,
    workflow: Annotated[
        Path | None,
        typer.Option("--workflow", metavar="FILE", help="A ComfyUI workflow in API format.", show_default=False),
    ] = None,
    writer: Annotated[
        refine_parts.WriterName,
        typer.Option("--writer", help="Who writes the prompt: rules, a model, the agent of dqa up, or you."),
    ] = "rules",
    writer_url: Annotated[
        str | None,
        typer.Option(
            "--writer-url", metavar="URL", help="--writer llm: its endpoint. [DQA_VLM_URL]", show_default=False
        ),
    ] = None,
    writer_model: Annotated[
        str | None,
        typer.Option(
            "--writer-model", metavar="NAME", help="--writer llm: its model. [DQA_VLM_MODEL]", show_default=False
        ),
    ] = None,
    min_grade: Annotated[
        str | None,
        typer.Option(
            "--min-grade",
            metavar="GRADE",
            help="Least grade to accept: A, A-, B+ or B. [quality_standards]",
            show_default=False,
        ),
    ] = None,
    max_retries: Annotated[
        int | None,
        typer.Option(
            "--max-retries",
            metavar="N",
            min=0,
            max=_MOST_RETRIES,
            help="Most refinements. [quality_standards]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**64 - 1,
            help="Seed of the first clip, the next for each further one. [the workflow's]",
            show_default=False,
        ),
    ] = None,
    negative: Annotated[
        str | None, typer.Option("--negative", metavar="TEXT", help="What not to show.", show_default=False)
    ] = None,
    variations: Annotated[
        int,
        typer.Option(
            "--variations",
            metavar="N",
            min=1,
            max=_MOST_VARIATIONS,
            help="Clips of the best prompt to choose between afterwards: 2 to 4.",
        ),
    ] = 1,
    judge_against: Annotated[
        Literal["brief", "prompt"], typer.Option("--judge-against", help="Which text the clips are judged against.")
    ] = "brief",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where clips, log and report go; again the same to go on.", show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The server. [DQA_COMFY_URL]", show_default=False)
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="How earlier runs went, over time.")] = False,
    window: Annotated[int, typer.Option("--window", metavar="N", min=1, help="--history: runs to a window.")] = 10,
    profile: ProfileName = None,
    user: User = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Have a clip made for a brief, verified, and its prompt refined with the advice until the clip is good enough.

    A clip is accepted if its evaluation says accept and its grade is --min-grade or better. One that a person has to
    look at (grade B-, or whether the brief was obeyed could not be judged) ends the run. Else the prompt is written
    anew with the evaluation's advice, up to --max-retries times. Clips are judged against the brief, so that no writer
    can lower the bar. The best clip is kept and named, however it ends.

    Exit codes: 0 accepted; 1 not accepted; 3 a clip can't be judged; 4 ComfyUI, the writer or the models are not there.
    After 4, or a kill, the same command with the same --out goes on.
    """
    settings = runtime.settings_from(home=home, profile=profile, user=user, comfy_url=url)
    if history:
        from dqa.cli.refine_history import show

        if brief is not None or workflow is not None:
            raise UsageError("--history shows earlier runs and begins none", fix="leave out BRIEF and --workflow")
        return show(settings, window, as_json=as_json)
    if brief is None or workflow is None:
        raise UsageError("refine needs a brief and a workflow", fix="say dqa refine BRIEF --workflow FILE")
    asked = refining.Asked(
        brief=brief,
        workflow=workflow,
        writer=refine_parts.WriterChoice(writer, writer_url, writer_model),
        min_grade=_grade(min_grade),
        max_retries=max_retries,
        seed=seed,
        negative=negative,
        variations=variations,
        against=judge_against,
        out=out,
        quiet=quiet,
    )
    told = refining.refine(settings, asked)
    if as_json:
        emit_json(told.as_json())
    else:
        _show(told)
    return _code(told)


def _grade(text: str | None) -> Grade | None:
    from dqa.refine.rule import ACCEPTABLE

    if text is None or text in ACCEPTABLE:
        return text
    raise UsageError(
        f"{text!r} is no grade that a clip is accepted with", fix=f"use {', '.join(ACCEPTABLE)}", where="--min-grade"
    )


def _show(told: refining.Told) -> None:
    record = told.ended.record
    best = next((cycle for cycle in record.cycles if cycle.evaluation == record.best and record.best), None)
    clips = f"{len(record.cycles)} clip{'s' if len(record.cycles) != 1 else ''}"
    emit(one_line(f"{record.outcome} after {clips}: {told.ended.reason}"))
    if best is not None:
        score = "no grade" if best.final is None else f"{best.grade} ({final_text(best.final)})"
        emit(one_line(f"best: {best.media}, {score}, evaluation {best.evaluation}"))
        emit(one_line(f"prompt: {best.prompt}"))
    emit(one_line(f"report: {told.report}"))
    for link in told.links:
        emit(f"choose: {link}")


def _code(told: refining.Told) -> int:
    outcome = told.ended.record.outcome
    if outcome == "failed":
        say(told.ended.reason)
        return InputError.exit_code
    return 0 if outcome == "accepted" else BELOW
