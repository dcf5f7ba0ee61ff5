"""``dqa comfy``: workflows of ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dqa.cli import comfy_install, runtime
from dqa.cli.options import AsJson, Home, Quiet, finite
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.cli.progress import make_progress
from dqa.errors import UsageError
from dqa.prompt import check_prompt

app = typer.Typer(help="Workflows of ComfyUI: find their slots, run them.", rich_markup_mode=None)

_ROLES = ("positive", "negative", "seed", "outputs")


@app.callback()
def group() -> None:
    """Workflows of ComfyUI, in API format (Workflow > Export (API))."""


@app.command("slots")
def slots(
    workflow: Annotated[Path, typer.Argument(metavar="WORKFLOW", help="A workflow in API format.")],
    bind: Annotated[
        list[str] | None,
        typer.Option("--bind", metavar="ROLE=NODE.INPUT", help="Say a slot yourself; repeatable.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show where a workflow takes its prompt, negative prompt and seed, and which nodes save what it makes.

    Slots are named NODE.INPUT, outputs by their node's id. A node whose title contains @dqa:positive, @dqa:negative or
    @dqa:seed is believed before its links are traced. What is missing or ambiguous is said under "problems".
    """
    from dqa.comfy.slots import find_slots
    from dqa.comfy.workflow import load_workflow

    found = find_slots(load_workflow(workflow), dict(_binding(text) for text in bind or ())).as_json()
    if as_json:
        emit_json(found)
        return 0
    for role in _ROLES:
        emit(one_line(f"{role}: {', '.join(found[role]) or 'none'}"))
    for problem in found["problems"]:
        say(problem)
    return 0


@app.command("run")
def run(  # noqa: PLR0913, PLR0917 - a parameter an option
    workflow: Annotated[Path, typer.Argument(metavar="WORKFLOW", help="A workflow in API format.")],
    prompt: Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="What to show.")] = None,
    negative: Annotated[str | None, typer.Option("--negative", metavar="TEXT", help="What not to show.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of the noise.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")] = Path(),
    bind: Annotated[
        list[str] | None,
        typer.Option("--bind", metavar="ROLE=NODE.INPUT", help="Say a slot yourself; repeatable.", show_default=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The server. [DQA_COMFY_URL]", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", help="Longest a run may take.")] = 3600.0,
    free: Annotated[bool, typer.Option("--free", help="Let ComfyUI unload its models afterwards.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a workflow on a ComfyUI server with this prompt, and fetch the files it makes.

    The paths of the files are printed, one a line. What is not given stays as it is in the workflow. The same workflow
    with the same prompt and seed gives the same files again, from ComfyUI's cache ("cached" with --json).
    """
    from dqa.comfy.client import Comfy
    from dqa.comfy.patch import Change, patched
    from dqa.comfy.slots import find_slots
    from dqa.comfy.workflow import load_workflow

    settings = runtime.settings_from(home=home, comfy_url=url)
    patience = finite("--timeout", timeout)
    graph = load_workflow(workflow)
    slots = find_slots(graph, dict(_binding(text) for text in bind or ()))
    change = Change(None if prompt is None else check_prompt(prompt), negative, seed)
    body = patched(graph, slots, change)
    for problem in slots.problems:
        say(problem)
    with Comfy(settings.comfy_url) as comfy, make_progress(1, quiet=quiet) as progress:
        comfy.ping()
        progress.item(workflow.name)
        done = comfy.run(
            body, slots.outputs, timeout_s=patience, progress=lambda stage, share: progress.stage(stage, share or 0.0)
        )
        files = [comfy.download(made, out, settings.max_media_mb * 1e6) for made in done.files]
        if free:
            comfy.free()
        progress.done(f"{len(files)} files" + (", from the cache" if done.cached else ""))
    if as_json:
        emit_json({"prompt_id": done.prompt_id, "files": [str(file) for file in files], "cached": done.cached})
    else:
        for file in files:
            emit(one_line(str(file)))
    return 0


app.command("install")(comfy_install.command)


def _binding(text: str) -> tuple[str, str]:
    role, equals, slot = text.partition("=")
    if not equals or not slot:
        raise UsageError(f"{text!r} binds nothing", fix="write it as positive=6.text")
    return role, slot
