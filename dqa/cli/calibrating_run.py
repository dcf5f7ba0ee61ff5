"""The work behind ``dqa calibrate run``: a run begun or gone on with, and its reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqa.cli.calibrating import Against, Bench, Common, generator, open_bench, read_reference
from dqa.cli.calibrating_editor import Who, check, editor_for
from dqa.cli.output import say
from dqa.errors import Conflict, UsageError
from dqa.prompt import check_prompt

if TYPE_CHECKING:
    from dqa.calibrate.climb import Rules
    from dqa.calibrate.loop import Outcome, Run
    from dqa.calibrate.reference import Reference
    from dqa.comfy.generate import ComfyGenerator
    from dqa.journal import Journal


@dataclass(frozen=True, slots=True)
class Climbing:
    """Options of ``run`` alone."""

    workflow: Path
    prompt: str | None
    negative: str | None
    seed: int | None
    url: str | None
    who: Who
    rules: Rules
    vary: int


def climb(common: Common, against: Against, how: Climbing) -> dict[str, Any]:
    """Runs until it stops; the summary, with the paths of log and page."""
    from dqa.calibrate.learned import save_gains
    from dqa.calibrate.loop import climb_on
    from dqa.calibrate.run_summary import summary
    from dqa.journal import Journal

    _check(against, how)
    bench = open_bench(common, comfy_url=how.url)
    folder = (common.analysis_dir or bench.settings.home / "calibrate" / "runs") / f"run_{bench.tag}"
    with (
        generator(how.workflow, bench.settings) as makes,
        Journal(folder / "log.jsonl", "calibration", "--run-tag or --analysis-dir") as journal,
    ):
        say(f"log: {journal.path} (go on with --run-tag {bench.tag})")
        run = _run(bench, against, how, makes, journal)
        outcome = climb_on(run, journal, say)
    save_gains(bench.settings.home, run.name, outcome.climb)
    told = summary(run, outcome, bench.tag)
    told["log"], told["report"] = str(folder / "log.jsonl"), str(folder / "report.html")
    _write(told, run, outcome, against.picture)
    _save_best(bench, run, outcome, str(how.workflow))
    return told


def _check(against: Against, how: Climbing) -> None:
    words = [given for given in (against.text, against.file) if given is not None]
    if len(words) > 1 or (not words and against.picture is None):
        raise UsageError("run needs a reference", fix="say --reference MEDIA, --ref-desc TEXT or --ref-desc-file FILE")
    check(how.who)


def _run(bench: Bench, against: Against, how: Climbing, makes: ComfyGenerator, journal: Journal) -> Run:
    from dqa.calibrate.loop import Run
    from dqa.calibrate.reference import Reference
    from dqa.calibrate.view import look_at

    start = _start(bench, against, how, makes, journal)
    gains = {(axis, value, said): gain for axis, value, said, gain in start["gains"]}
    return Run(
        name=start["run"],
        folder=journal.path.parent,
        axes=bench.axes,
        rules=how.rules,
        judge=bench.judge,
        editor=editor_for(how.who, bench, gains, journal.path.parent),
        generator=makes,
        look=partial(look_at, settings=bench.settings),
        reference=Reference(start["reference"]["description"], start["reference"]["axes"]),
        prompt=start["prompt"],
        negative=start["negative"],
        seed=start["seed"],
        vary=how.vary,
    )


def _start(bench: Bench, against: Against, how: Climbing, makes: ComfyGenerator, journal: Journal) -> Mapping[str, Any]:
    """The log's first line: what the run is of. Written once; a later call with other inputs is refused."""
    from dqa.calibrate.learned import load_gains
    from dqa.ids import new_id

    inputs = _inputs(bench, against, how)
    if journal.events:
        begun = journal.events[0]
        changed = [name for name, value in inputs.items() if begun.get("inputs", {}).get(name) != value]
        if changed:
            what = f"the run {bench.tag} was begun with another {changed[0].replace('_', ' ')}"
            raise Conflict(what, fix="give it the same inputs, or another --run-tag")
        return begun
    reference = read_reference(bench, against)
    start = {
        "event": "start",
        "run": new_id("cal"),
        "inputs": inputs,
        "reference": {"description": reference.description, "axes": dict(reference.values)},
        "prompt": check_prompt(how.prompt) if how.prompt is not None else _first_prompt(bench, reference),
        "negative": how.negative,
        "seed": how.seed if how.seed is not None else makes.seed,
        "gains": [[*key, gain] for key, gain in sorted(load_gains(bench.settings.home).items())],
    }
    journal.write(start)
    return start


def _inputs(bench: Bench, against: Against, how: Climbing) -> dict[str, Any]:
    """What must be the same for a run to be gone on with; its limits (target, patience, iterations) may change."""
    axes = json.dumps([axis.model_dump(mode="json") for axis in bench.axes])
    source = against.text.encode() if against.text is not None else _bytes(against.file or against.picture)
    return {
        "workflow": _digest(_bytes(how.workflow)),
        "reference": _digest(source),
        "axes": _digest(axes.encode()),
        "judge": bench.judge.identity.model_dump(mode="json", exclude_none=True),
        "editor": how.who.editor,
        "prompt": how.prompt,
        "negative": how.negative,
        "seed": how.seed,
        "pairs": how.rules.pairs,
    }


def _first_prompt(bench: Bench, reference: Reference) -> str:
    """The description seeds the prompt; without one, the values do."""
    from dqa.calibrate.measured import plain
    from dqa.calibrate.wording import first_wording

    if reference.description:
        return reference.description
    return ", ".join(first_wording(bench.axes[name], plain(value)) for name, value in reference.values.items())


def _write(told: Mapping[str, Any], run: Run, outcome: Outcome, reference: Path | None) -> None:
    from dqa.calibrate.run_page import run_page
    from dqa.report.files import write_text

    text = json.dumps(told, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    write_text(run.folder / "result.json", text)
    write_text(run.folder / "report.html", run_page(told, outcome, run.folder, reference, run.look))


def _save_best(bench: Bench, run: Run, outcome: Outcome, workflow: str) -> None:
    """The best picture's comparison, as ``compare`` would report it, beside the run's folder."""
    from dqa.calibrate.judge import Comparison
    from dqa.calibrate.report import Made, comparison_report, save_report

    best = outcome.best
    compared = Comparison(tuple(best.judged.values()), tampered=best.tampered)
    made = Made(best.prompt, run.negative, best.seed, workflow)
    view = run.look(run.folder / best.file)
    save_report(
        comparison_report(compared, run.reference, bench.judge.identity, bench.tag, view, made), run.folder.parent
    )


def _bytes(path: Path | None) -> bytes:
    """A file's bytes; none where it can't be read, which whoever opens it will say better."""
    try:
        return path.read_bytes() if path is not None else b""
    except OSError:
        return b""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
