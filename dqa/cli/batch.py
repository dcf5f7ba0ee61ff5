"""``dqa batch``: grades every line of a manifest; a killed run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dqa.cli import runtime
from dqa.cli.evaluate import without_models
from dqa.cli.grader import Engine, Grader, Local, OnRay
from dqa.cli.manifest import Refused, Request, read_manifest
from dqa.cli.options import AsJson, BenchmarkBackend, Home, ProfileName, Quiet, Seed, User
from dqa.cli.output import emit_json, say
from dqa.cli.progress import Progress, clock, make_progress
from dqa.cli.reproduce import file_sha256
from dqa.cli.results import Done, Results
from dqa.config import Settings
from dqa.errors import Cancelled, Conflict, DQAError, InputError, UnavailableError, UsageError
from dqa.synthesis import final_text

FAILED = InputError.exit_code

_MOST_EVALUATORS = 1000


@dataclass(slots=True)
class _Tally:
    graded: int = 0
    failed: int = 0
    graded_before: int = 0
    failed_before: int = 0
    changed: int = 0

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed or self.failed_before or self.changed else 0


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST.jsonl", help='Lines of {"id", "media", "prompt", "user"?}.', readable=False),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.jsonl", help="A line per input.", show_default=False)
    ],
    engine: Annotated[
        str, typer.Option("--engine", metavar="local|ray", help="One evaluator here, or several on a Ray cluster.")
    ] = "local",
    evaluators: Annotated[
        int | None,
        typer.Option(
            "--evaluators",
            metavar="N",
            min=1,
            max=_MOST_EVALUATORS,
            help="--engine ray: how many at once. [one a GPU; on a CPU as many as fit]",
            show_default=False,
        ),
    ] = None,
    profile: ProfileName = None,
    user: User = None,
    seed: Seed = None,
    benchmark_backend: BenchmarkBackend = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Grade every line of a manifest, one line of output each, as it is done.

    Where the profile's models do not fit the budget together (see dqa plan), up to 16 clips go through a phase before
    the next phase's models load, and their lines come together.

    Run the same command again after a crash: lines that are there, graded or failed, are not done again. To have one
    graded anew (its prompt changed, its file was mended), delete its line from the output, or give it a new id.
    Relative media paths start at the manifest's folder. The exit code is 3 if any line failed, in this run or before.
    With --json, a summary is printed at the end.
    """
    _check_engine(engine, evaluators)
    settings = runtime.settings_from(
        home=home, profile=profile, user=user, seed=seed, benchmark_backend=benchmark_backend
    )
    lines = read_manifest(manifest)
    _check_output(output, manifest)
    started = time.monotonic()
    with Results(output) as results:
        _check_profile(results, settings, output)
        tally, todo = _sift(lines, results.done, settings)
        make = partial(Local, settings) if engine == "local" else partial(OnRay, settings, evaluators)
        _run(settings, make, todo, results, tally, quiet=quiet)
    _summarise(tally, output, time.monotonic() - started, as_json=as_json, quiet=quiet)
    return tally.exit_code


def _sift(
    lines: Sequence[Request | Refused], done: dict[str, Done], settings: Settings
) -> tuple[_Tally, list[Request | Refused]]:
    """What is still to do, and the count of what is not."""
    tally = _Tally()
    todo: list[Request | Refused] = []
    for line in lines:
        before = done.get(str(line.id))
        if before is None:
            todo.append(line)
        elif before.failed:
            tally.failed_before += 1
        elif change := _changed(line, before, settings):
            tally.changed += 1
            fix = "delete its line from the output, or use a new id"
            say(f"{line.id}: its {change} has changed since it was graded; {fix}.")
        else:
            tally.graded_before += 1
    return tally, todo


def _changed(line: Request | Refused, before: Done, settings: Settings) -> str:
    """Which part of a request differs from the one its verdict is on; empty when none does."""
    if isinstance(line, Refused):
        return "line"
    if line.prompt != before.prompt:
        return "prompt"
    if (line.user or settings.user) != before.user:
        return "user"
    if before.seed not in (None, settings.seed):
        return "seed"
    return "media" if _is_other(line.media, before) else ""


def _is_other(media: Path, before: Done) -> bool:
    """Whether a path names another clip than the one that was graded; folders may have moved since."""
    from dqa.evaluation.request import printable

    if printable(media) == before.media:
        return False
    try:
        return file_sha256(media) != before.sha256
    except (OSError, ValueError):
        return media.name != Path(before.media or "").name


def _run(
    settings: Settings,
    make: Callable[[Progress], Engine],
    todo: Sequence[Request | Refused],
    results: Results,
    tally: _Tally,
    *,
    quiet: bool,
) -> None:
    already = tally.graded_before + tally.failed_before + tally.changed
    with ExitStack() as stack:
        progress = stack.enter_context(make_progress(len(todo) + already, quiet=quiet, already=already))
        outcomes = stack.enter_context(closing(Grader(settings, make(progress)).grade(todo)))
        for line, outcome in outcomes:
            if isinstance(outcome, Cancelled | UnavailableError | UsageError):
                raise outcome  # not this line's fault: stop, so that it can be taken up again once mended
            progress.item(str(line.id))
            if isinstance(outcome, DQAError):
                results.write_error(line.id, outcome)
                tally.failed += 1
                progress.done(f"failed: {outcome.public()}")
            elif without_models(outcome):
                reason = outcome.channels["semantic"].reason.rstrip(".")
                what = f"{line.id}: whether the prompt was obeyed can't be judged: {reason}"
                raise UnavailableError(what, fix="mend that and run the same command again: it goes on where it was")
            else:
                results.write_record(line.id, outcome)
                tally.graded += 1
                progress.done("no grade" if outcome.final is None else f"{outcome.grade} {final_text(outcome.final)}")


def _check_engine(engine: str, evaluators: int | None) -> None:
    if engine not in ("local", "ray"):
        raise UsageError(f"{engine!r} is not an engine", fix="use local or ray", where="--engine")
    if evaluators is not None and engine != "ray":
        raise UsageError("the local engine is one evaluator", fix="use --engine ray", where="--evaluators")


def _check_output(output: Path, manifest: Path) -> None:
    if output.exists() and output.samefile(manifest):
        raise UsageError("the output is the manifest itself", fix="name another file", where=f"--output {output}")


def _check_profile(results: Results, settings: Settings, output: Path) -> None:
    others = sorted({d.profile for d in results.done.values() if d.profile not in (None, settings.profile)} - {None})
    if others:
        what = f"it holds results of profile {', '.join(str(o) for o in others)}, which are not comparable"
        raise Conflict(what, fix=f"name another --output for profile {settings.profile}", where=str(output))
    if any(not done.failed and done.benchmark_backend != settings.benchmark_backend for done in results.done.values()):
        what = "it holds results with another --benchmark-backend, which are not comparable"
        raise Conflict(what, fix="name another --output, or the same backend", where=str(output))


def _summarise(tally: _Tally, output: Path, seconds: float, *, as_json: bool, quiet: bool) -> None:
    before = tally.graded_before + tally.failed_before
    if as_json:
        emit_json(
            {
                "output": str(output),
                "graded": tally.graded,
                "failed": tally.failed,
                "graded_before": tally.graded_before,
                "failed_before": tally.failed_before,
                "changed": tally.changed,
                "seconds": seconds,
            }
        )
    if not quiet:
        earlier = f", {before} done before ({tally.failed_before} of them failed)" if before else ""
        changed = f", {tally.changed} changed since" if tally.changed else ""
        say(
            f"{tally.graded} graded, {tally.failed} failed{earlier}{changed}, in {clock(seconds)}; results in {output}."
        )
