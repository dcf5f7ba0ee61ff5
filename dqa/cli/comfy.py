"""``dqa comfy``: workflows of ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dqa.cli.options import AsJson
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import UsageError

app = typer.Typer(help="Workflows of ComfyUI: where their prompt goes in.", rich_markup_mode=None)

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


def _binding(text: str) -> tuple[str, str]:
    role, equals, slot = text.partition("=")
    if not equals or not slot:
        raise UsageError(f"{text!r} binds nothing", fix="write it as positive=6.text")
    return role, slot
