"""The work behind ``dqa calibrate``: what its options come to, put together."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqa.cli import runtime
from dqa.cli.output import say
from dqa.config import Settings
from dqa.errors import InputError, UsageError
from dqa.prompt import check_prompt

if TYPE_CHECKING:
    from dqa.calibrate.axes import Axes
    from dqa.calibrate.judge import Judge
    from dqa.calibrate.reference import Reference
    from dqa.calibrate.view import View
    from dqa.comfy.generate import ComfyGenerator


@dataclass(frozen=True, slots=True)
class Common:
    """Options that every command of the group has."""

    axes: Path | None
    profile: str | None
    home: Path | None
    run_tag: str | None
    analysis_dir: Path | None


@dataclass(frozen=True, slots=True)
class Against:
    """The reference: a picture, or words."""

    picture: Path | None
    text: str | None
    file: Path | None


@dataclass(frozen=True, slots=True)
class Making:
    """The picture to judge: a file, or how it is generated."""

    file: Path | None
    workflow: Path | None
    prompt: str | None
    negative: str | None
    seed: int | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Settings, axes and the judge."""

    settings: Settings
    axes: Axes
    judge: Judge
    tag: str


def open_bench(common: Common, **flags: Any) -> Bench:
    """Raises as the settings, the axes file and the judge's model do."""
    from dqa.calibrate.axes import default_axes, load_axes
    from dqa.calibrate.choose_judge import judge_for
    from dqa.calibrate.report import safe_tag
    from dqa.cli.logs import configure
    from dqa.ids import new_id

    settings = runtime.settings_from(home=common.home, profile=common.profile, **flags)
    tag = safe_tag(common.run_tag) if common.run_tag is not None else new_id("cal")
    axes = default_axes() if common.axes is None else load_axes(common.axes)
    configure(settings)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is first imported, for judges that need it
    return Bench(settings, axes, judge_for(settings, axes), tag)


def describe(common: Common, picture: Path) -> dict[str, Any]:
    """The report on a reference picture, saved where asked."""
    from dqa.calibrate.report import description_report
    from dqa.calibrate.view import look_at

    bench = open_bench(common)
    view = look_at(picture, bench.settings)
    described = bench.judge.describe(view.observation)
    return _saved(description_report(described, bench.judge.identity, bench.tag, view), common)


def compare(common: Common, against: Against, making: Making) -> dict[str, Any]:
    """The report on a generated picture, saved where asked."""
    from dqa.calibrate.report import Made, comparison_report

    _check(against, making)
    bench = open_bench(common, comfy_url=making.url)
    reference = read_reference(bench, against)
    with _picture(bench, making, common.analysis_dir) as view:
        compared = bench.judge.compare(reference, view.observation)
        made = Made(making.prompt, making.negative, making.seed, str(making.workflow) if making.workflow else None)
        report = comparison_report(compared, reference, bench.judge.identity, bench.tag, view, made)
    return _saved(report, common)


def read_reference(bench: Bench, against: Against) -> Reference:
    """The reference in words, from words or from the picture."""
    from dqa.calibrate.reference import load_reference, parse_reference
    from dqa.calibrate.view import look_at

    if against.file is not None:
        return bench.judge.complete(load_reference(against.file, bench.axes))
    if against.text is not None:
        return bench.judge.complete(parse_reference(against.text, bench.axes))
    if against.picture is None:
        raise UsageError("there is nothing to compare with", fix="say --reference, --ref-desc or --ref-desc-file")
    described = bench.judge.describe(look_at(against.picture, bench.settings).observation)
    for note in described.notes:
        say(note)
    if not described.reference.values:
        raise InputError("the reference picture has nothing that the axes ask for", fix="give other axes with --axes")
    return described.reference


@contextmanager
def generator(workflow: Path, settings: Settings) -> Generator[ComfyGenerator]:
    """A workflow as a generator on the server that the settings name."""
    from dqa.comfy.client import Comfy
    from dqa.comfy.generate import ComfyGenerator
    from dqa.comfy.slots import find_slots
    from dqa.comfy.workflow import load_workflow

    graph = load_workflow(workflow)
    slots = find_slots(graph)
    for problem in slots.problems:
        say(problem)
    with Comfy(settings.comfy_url) as comfy:
        comfy.ping()
        yield ComfyGenerator(comfy, graph, slots, most_bytes=settings.max_media_mb * 1e6)


def say_notes(report: Mapping[str, Any]) -> None:
    """The report's notes on stderr."""
    for note in report["notes"]:
        say(note)


def _check(against: Against, making: Making) -> None:
    words = [given for given in (against.text, against.file) if given is not None]
    if len(words) + (against.picture is not None) != 1:
        raise UsageError(
            "compare needs one reference", fix="say --reference, --ref-desc or --ref-desc-file, one of them"
        )
    if (making.file is None) == (making.workflow is None):
        raise UsageError("compare needs one picture", fix="say --generated MEDIA, or --workflow FILE to generate it")
    if making.workflow is not None and making.prompt is None:
        raise UsageError("a workflow needs a prompt", fix="say --prompt TEXT")


@contextmanager
def _picture(bench: Bench, making: Making, folder: Path | None) -> Generator[View]:
    """The picture, generated if need be: kept beside the report, or only until it is judged."""
    from dqa.calibrate.view import look_at

    if making.workflow is None:
        yield look_at(making.file or Path(), bench.settings)
        return
    with generator(making.workflow, bench.settings) as made, tempfile.TemporaryDirectory(prefix="dqa-") as scratch:
        target = (folder or Path(scratch)) / f"calib_{bench.tag}"
        file = made.make(check_prompt(making.prompt or ""), making.negative, making.seed, target)
        yield look_at(file, bench.settings)


def _saved(report: dict[str, Any], common: Common) -> dict[str, Any]:
    if common.analysis_dir is not None:
        from dqa.calibrate.report import save_report

        say(f"report: {save_report(report, common.analysis_dir)}")
    return report
