"""``dqa calibrate``: a picture against a reference, axis by axis, and the prompt that gets nearer to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from dqa.cli import calibrate_options as opt
from dqa.cli import calibrating as work
from dqa.cli import calibrating_run as work_run
from dqa.cli.letta_options import LettaKey, LettaUrl
from dqa.cli.options import AsJson, Home, ProfileName, finite
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import UsageError

app = typer.Typer(
    help="Compare a picture with a reference axis by axis; correct the prompt.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def group(  # noqa: PLR0913, PLR0917 - a parameter an option
    context: typer.Context,
    mode: opt.ModeName = None,
    workflow: opt.WorkflowFile = None,
    prompt: opt.Prompt = None,
    negative: opt.Negative = None,
    seed: opt.NoiseSeed = None,
    run_tag: opt.RunTag = None,
    analysis_dir: opt.AnalysisDir = None,
    reference: opt.Reference = None,
    generated: opt.Generated = None,
    ref_desc: opt.RefDesc = None,
    ref_desc_file: opt.RefDescFile = None,
    axes: opt.AxesFile = None,
    profile: ProfileName = None,
    url: opt.ComfyUrl = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Compare a picture with a reference axis by axis; correct the prompt.

    With --mode instead of a command: describe or compare, with the same options.
    """
    given = [name for name, value in context.params.items() if value not in (None, False)]
    if context.invoked_subcommand is not None:
        if given:
            flag = given[0].replace("_", "-")
            raise UsageError(
                f"--{flag} stands before {context.invoked_subcommand}",
                fix=f"write it after {context.invoked_subcommand}",
            )
        return 0
    if mode is None:
        raise UsageError("calibrate needs a command", fix="say describe, compare, run, axes, or --mode")
    common = work.Common(axes, profile, home, run_tag, analysis_dir)
    if mode == "describe":
        return _describe(common, reference, as_json=as_json)
    making = work.Making(generated, workflow, prompt, negative, seed, url)
    return _compare(common, work.Against(reference, ref_desc, ref_desc_file), making, as_json=as_json)


@app.command("describe")
def describe(
    reference: opt.Reference = None,
    axes: opt.AxesFile = None,
    run_tag: opt.RunTag = None,
    analysis_dir: opt.AnalysisDir = None,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Say what a reference picture shows: a paragraph, and a value for each axis.

    What is printed is the text that comparisons are anchored on: keep it, and give it to compare with --ref-desc-file,
    so that the reference never drifts. Without a vision-language model (--profile remote-vlm) only what pixels tell is
    described: colours, light, sharpness, what stands out, and a video's motion.
    """
    return _describe(work.Common(axes, profile, home, run_tag, analysis_dir), reference, as_json=as_json)


@app.command("compare")
def compare(  # noqa: PLR0913, PLR0917 - a parameter an option
    generated: opt.Generated = None,
    reference: opt.Reference = None,
    ref_desc: opt.RefDesc = None,
    ref_desc_file: opt.RefDescFile = None,
    workflow: opt.WorkflowFile = None,
    prompt: opt.Prompt = None,
    negative: opt.Negative = None,
    seed: opt.NoiseSeed = None,
    axes: opt.AxesFile = None,
    run_tag: opt.RunTag = None,
    analysis_dir: opt.AnalysisDir = None,
    profile: ProfileName = None,
    url: opt.ComfyUrl = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Judge a picture or video against a reference: match, partial or mismatch an axis.

    "overall_score" is the mean of match 1, partial 0.5 and mismatch 0 over the axes that were judged, "mismatch_count"
    how many do not match; both are computed here, never by the model. An axis that could not be judged says why and
    counts as nothing.
    """
    common = work.Common(axes, profile, home, run_tag, analysis_dir)
    making = work.Making(generated, workflow, prompt, negative, seed, url)
    return _compare(common, work.Against(reference, ref_desc, ref_desc_file), making, as_json=as_json)


@app.command("run")
def run(  # noqa: PLR0913, PLR0917 - a parameter an option
    workflow: opt.RunWorkflow,
    reference: opt.Reference = None,
    ref_desc: opt.RefDesc = None,
    ref_desc_file: opt.RefDescFile = None,
    prompt: opt.FirstPrompt = None,
    negative: opt.Negative = None,
    seed: opt.SearchSeed = None,
    editor: opt.Editor = "rules",
    editor_url: opt.EditorUrl = None,
    editor_model: opt.EditorModel = None,
    letta_url: LettaUrl = None,
    letta_key: LettaKey = None,
    target: opt.Target = 0.9,
    patience: opt.Patience = 4,
    max_iters: opt.MaxIters = 25,
    pairs: opt.Pairs = False,
    vary_seeds: opt.VarySeeds = 2,
    axes: opt.AxesFile = None,
    run_tag: opt.RunTag = None,
    analysis_dir: opt.AnalysisDir = None,
    profile: ProfileName = None,
    url: opt.ComfyUrl = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Correct a prompt, one axis at a time, until the picture comes near enough to the reference.

    Greedy: the worst axis first (mismatch before partial), always from the best prompt so far, the seed kept; what
    makes neither figure worse and one better is kept, the rest is taken back; another wording before an axis is left.
    It stops without mismatches at the target, after --patience corrections without gain, or after --max-iters.

    Every step is in log.jsonl, in the folder run_TAG of --analysis-dir (default calibrate/runs in the state folder),
    with the pictures, result.json and report.html; beside it calib_TAG.json, .md and latest.json of the best picture.
    With the same --run-tag a run that was ended goes on from there.
    Exit code 1: the target was not reached.
    """
    from dqa.calibrate.climb import Rules

    rules = Rules(finite("--target", target), patience, max_iters, pairs)
    who = work_run.Who(editor, editor_url, editor_model, letta_url, letta_key)
    how = work_run.Climbing(workflow, prompt, negative, seed, url, who, rules, vary_seeds)
    common = work.Common(axes, profile, home, run_tag, analysis_dir)
    result = work_run.climb(common, work.Against(reference, ref_desc, ref_desc_file), how)
    if as_json:
        emit_json(result)
    else:
        _tell_run(result)
    return 0 if result["target_reached"] else 1


@app.command("axes")
def list_axes(axes: opt.AxesFile = None, as_json: AsJson = False) -> int:
    """List the axes: what each means, and how a prompt can say it."""
    from dqa.calibrate.axes import default_axes, load_axes

    for axis in default_axes() if axes is None else load_axes(axes):
        if as_json:
            emit_json(axis.model_dump(mode="json", exclude_defaults=True))
        else:
            emit(one_line(f"{axis.group} / {axis.name}: {axis.definition}"))
    return 0


def _describe(common: work.Common, reference: Path | None, *, as_json: bool) -> int:
    if reference is None:
        raise UsageError("describe needs a picture", fix="say --reference MEDIA")
    report = work.describe(common, reference)
    if as_json:
        emit_json(report)
        return 0
    for line in report["canonical_reference"].splitlines():
        emit(one_line(line))
    work.say_notes(report)
    return 0


def _compare(common: work.Common, against: work.Against, making: work.Making, *, as_json: bool) -> int:
    report = work.compare(common, against, making)
    if as_json:
        emit_json(report)
    else:
        _tell(report)
    return 0


def _tell(report: Mapping[str, Any]) -> None:
    for name, one in report["axes"].items():
        if one["verdict"] != "unjudged":
            emit(one_line(f"{one['verdict']:<8} {name}: {one['ref']} -> {one['gen']}"))
    overall = report["overall_score"]
    score = "none" if overall is None else f"{overall:.3f}"
    emit(f"overall {score}, {report['mismatch_count']} mismatches, {report['unjudged_count']} axes not judged")
    work.say_notes(report)


def _tell_run(result: Mapping[str, Any]) -> None:
    from dqa.calibrate.run_summary import REASONS

    best, first = result["best"], result["first"]
    for gain in result["attribution"]:
        emit(one_line(f"{gain['delta_overall']:+.3f} {gain['axis']}: {gain['wording']}"))
    emit(f"overall {first['overall_score']:.3f} -> {best['overall_score']:.3f}, {best['mismatch_count']} mismatches")
    emit(one_line(best["prompt"]))
    say(f"{REASONS[result['reason']]} See {result['report']}")
