"""The work behind ``dqa refine``: a run begun or gone on with, its variations, its report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from dqa.cli.output import say
from dqa.cli.refine_parts import RecordingVerifier, WriterChoice, choose_link, put_on_shelf, writer_for
from dqa.config import Settings
from dqa.errors import Conflict, DQAError, UnavailableError
from dqa.prompt import check_prompt

if TYPE_CHECKING:
    from dqa.comfy.generate import ComfyGenerator
    from dqa.journal import Journal
    from dqa.record import Grade
    from dqa.refine.loop import Ended, Run, Tell
    from dqa.refine.record import Cycle
    from dqa.refine.rule import Standards


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a run."""

    brief: str
    workflow: Path
    writer: WriterChoice
    min_grade: Grade | None
    max_retries: int | None
    seed: int | None
    negative: str | None
    variations: int
    against: Literal["brief", "prompt"]
    out: Path | None
    quiet: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What a run came to, and the files it left."""

    ended: Ended
    variations: tuple[Cycle, ...]
    links: tuple[str, ...]
    log: Path
    report: Path

    def as_json(self) -> dict[str, Any]:
        """The record, and beside it what belongs to this machine."""
        return {
            **self.ended.record.model_dump(mode="json"),
            "reason": self.ended.reason,
            "variations": [cycle.model_dump(mode="json") for cycle in self.variations],
            "choose": list(self.links),
            "log": str(self.log),
            "report": str(self.report),
        }


def refine(settings: Settings, asked: Asked) -> Told:
    """Runs until it ends; raises as generator, writer and verifier do, and then goes on from there another time."""
    from dqa.cli.calibrating import generator
    from dqa.ids import new_id
    from dqa.journal import Journal
    from dqa.refine.loop import refine_on

    asked = replace(asked, brief=check_prompt(asked.brief))
    tell = _silent if asked.quiet else say
    folder = (asked.out or settings.home / "refine" / new_id("rf")).absolute()
    with generator(asked.workflow, settings) as makes, Journal(folder / "log.jsonl") as journal:
        run = _run(settings, asked, makes, journal)
        tell(f"log: {journal.path} (go on with --out {folder})")
        try:
            ended = refine_on(run, journal, tell)
            _keep(settings, ended)
            made = _variations(run, journal, ended, asked.variations, tell)
        except UnavailableError:
            say(f"what there is stays; the same command with --out {folder} goes on")
            raise
    links = _show(settings, ended, made) if len(made) > 1 else ()
    return _written(settings, Told(ended, made, links, folder / "log.jsonl", folder / "report.html"))


def _silent(text: str) -> None:
    """``--quiet``."""
    del text


def _run(settings: Settings, asked: Asked, makes: ComfyGenerator, journal: Journal) -> Run:
    from dqa.refine.loop import Run
    from dqa.refine.rule import Standards

    writer = writer_for(asked.writer, settings)
    start = _start(settings, asked, makes, journal)
    known = start["standards"]
    return Run(
        id=start["run"],
        created=start["created"],
        folder=journal.path.parent,
        brief=asked.brief,
        user=settings.user,
        profile=settings.profile,
        standards=Standards(known["min_grade"], known["max_retries"], tuple(known["avoid"]), tuple(known["proven"])),
        writer=writer,
        generator=makes,
        verifier=RecordingVerifier(settings, quiet=asked.quiet),
        seed=start["seed"],
        generated_by=f"comfyui:{asked.workflow.name}",
        negative=asked.negative,
        against=asked.against,
    )


def _start(settings: Settings, asked: Asked, makes: ComfyGenerator, journal: Journal) -> Mapping[str, Any]:
    """The log's first line: what the run is of. Written once; a later call with other inputs is refused."""
    from dqa.ids import new_id

    inputs = _inputs(settings, asked)
    if journal.events:
        begun = journal.events[0]
        changed = [name for name, value in inputs.items() if begun.get("inputs", {}).get(name) != value]
        if changed:
            what = f"the run in {journal.path.parent.name} was begun with another {changed[0].replace('_', ' ')}"
            raise Conflict(what, fix="give it the same inputs, or another --out")
        return begun
    standards = _standards(settings, asked)
    start = {
        "event": "start",
        "run": new_id("rf"),
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "inputs": inputs,
        "seed": asked.seed if asked.seed is not None else makes.seed,
        "standards": {
            "min_grade": standards.min_grade,
            "max_retries": standards.max_retries,
            "avoid": list(standards.avoid),
            "proven": list(standards.proven),
        },
    }
    journal.write(start)
    return start


def _inputs(settings: Settings, asked: Asked) -> dict[str, Any]:
    """What must be the same for a run to be gone on with; variations may be asked for later."""
    return {
        "workflow": hashlib.sha256(asked.workflow.read_bytes()).hexdigest(),
        "brief": asked.brief,
        "user": settings.user,
        "profile": settings.profile,
        "writer": asked.writer.name,
        "min_grade": asked.min_grade,
        "max_retries": asked.max_retries,
        "seed": asked.seed,
        "negative": asked.negative,
        "judged_against": asked.against,
    }


def _standards(settings: Settings, asked: Asked) -> Standards:
    """Flags before the deployment's block before the shipped values."""
    from dqa.cli.refine_deployment import standards_in_force

    found = standards_in_force(settings)
    return replace(
        found,
        min_grade=asked.min_grade if asked.min_grade is not None else found.min_grade,
        max_retries=asked.max_retries if asked.max_retries is not None else found.max_retries,
    )


def _keep(settings: Settings, ended: Ended) -> None:
    """Keeps the record for the figures; a store that fails costs no run."""
    from dqa.store import Store

    try:
        Store.open(settings).refinements.save(ended.record.model_dump(mode="json"))
    except DQAError as error:
        say(f"warning: not kept in {settings.home}, so dqa refine --history won't count it: {error.sentence()}")


def _variations(run: Run, journal: Journal, ended: Ended, count: int, tell: Tell) -> tuple[Cycle, ...]:
    from dqa.refine.variations import vary

    if count < 2 or ended.record.outcome == "failed":
        return ()
    return tuple(vary(run, journal, ended.record.cycles, count, tell))


def _show(settings: Settings, ended: Ended, made: tuple[Cycle, ...]) -> tuple[str, ...]:
    """Puts the variations where the choose page can show them, tells the agents, and says where to choose."""
    from dqa.cli.refine_deployment import announce_test
    from dqa.store import Store

    store = Store.open(settings)
    for cycle in made:
        put_on_shelf(store, Path(cycle.media))
    ids = [cast(str, cycle.evaluation) for cycle in made]
    announce_test(
        settings,
        {
            "ACTIVE_TEST": ended.record.id,
            "VARIATIONS": [f"seed {cycle.seed}" for cycle in made],
            "VARIATION_A_ID": ids[0],
            "VARIATION_B_ID": ids[1],
        },
    )
    return tuple(choose_link(settings, ids[0], other) for other in ids[1:])


def _written(settings: Settings, told: Told) -> Told:
    from dqa.refine.report import refinement_page
    from dqa.report.files import write_text

    text = json.dumps(told.as_json(), indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    write_text(told.log.with_name("result.json"), text)
    write_text(told.report, refinement_page(told.ended, told.variations, lambda path: _still(path, settings)))
    return told


def _still(path: Path, settings: Settings) -> bytes | None:
    from dqa.clip.frameserver import frame_jpeg
    from dqa.clip.limits import Limits

    try:
        return frame_jpeg(path, "representative", Limits.from_settings(settings), max_side=480)
    except DQAError:
        return None  # taken away since: the rest of the page is still of use
