"""The table of commands. Command modules import nothing heavy at their top, so that ``dqa --help`` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

import dqa
from dqa.cli import (
    agents,
    batch,
    calibrate,
    choose,
    comfy,
    doctor,
    down,
    evaluate,
    models,
    plan,
    refine,
    reproduce,
    serve,
    status,
    tuner,
    up,
    user,
)
from dqa.cli.output import emit

app = typer.Typer(
    name="dqa",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: quicker, and the same on every terminal
)


def _version(asked: bool) -> None:
    if asked:
        emit(f"dqa {dqa.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Grades AI-generated video against its prompt. stdout is data, stderr is progress; --json works everywhere.

    Exit codes: 0 done; 1 a grade is below what was asked for, or a verdict was not reproduced; 2 wrong usage;
    3 an input can't be evaluated; 4 something needed is not available.
    """
    del version


app.command("evaluate", short_help="Grade a clip, or rank several of one prompt.")(evaluate.command)
app.command("batch", short_help="Grade every line of a manifest; resumable.")(batch.command)
app.command("reproduce", short_help="Run an evaluation again and compare.")(reproduce.command)
app.command("choose", short_help="Say which of two graded clips is better.")(choose.command)
app.command("refine", short_help="From a brief to a clip that is good enough.")(refine.command)
app.add_typer(tuner.app, name="tuner", short_help="Learn from choices; predict one.")
app.add_typer(user.app, name="user", short_help="What is kept of a user: give it out, delete it.")
app.command("serve")(serve.command)
app.command("up", short_help="Start the whole local deployment.")(up.command)
app.command("down", short_help="Stop it.")(down.command)
app.command("status")(status.command)
app.add_typer(agents.app, name="agents", short_help="The agents on the Letta server.")
app.add_typer(comfy.app, name="comfy", short_help="Workflows of ComfyUI.")
app.add_typer(calibrate.app, name="calibrate", short_help="A picture against a reference; the prompt corrected.")
app.command("plan")(plan.command)
app.command("doctor")(doctor.command)
app.add_typer(models.app, name="models", short_help="List or verify the models of a profile.")
