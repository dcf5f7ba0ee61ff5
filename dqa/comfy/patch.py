"""Prompt, negative prompt and seed written into a workflow's slots."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dqa.comfy.slots import Slots
from dqa.comfy.workflow import Workflow
from dqa.errors import InputError, UsageError

MAX_SEED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Change:
    """What goes into a workflow; None leaves what is there.

    Attributes:
        prompt: written to every positive slot.
        negative: written to every negative slot.
        seed: 0 to 2**64 - 1, written to the first seed slot.
    """

    prompt: str | None = None
    negative: str | None = None
    seed: int | None = None


def patched(workflow: Workflow, slots: Slots, change: Change) -> dict[str, Any]:
    """A copy of the workflow's JSON with the change in it.

    Raises:
        InputError: it has no slot for something that should change.
        UsageError: the seed is out of range.
    """
    if change.seed is not None and not 0 <= change.seed <= MAX_SEED:
        raise UsageError("the seed is out of range", fix="give a whole number from 0 to 2**64 - 1")
    graph: dict[str, Any] = copy.deepcopy(dict(workflow.graph))
    for role, value, targets in (
        ("positive", change.prompt, slots.positive),
        ("negative", change.negative, slots.negative),
        ("seed", change.seed, slots.seed[:1]),
    ):
        if value is not None:
            _write(graph, role, targets, value)
    return graph


def _write(graph: dict[str, Any], role: str, targets: Iterable[str], value: str | int) -> None:
    written = 0
    for slot in targets:
        node, _, name = slot.partition(".")
        graph[node]["inputs"][name] = value
        written += 1
    if not written:
        raise InputError(
            f"the workflow has no {role} slot", fix=f"mark its node with the title @dqa:{role}, or see dqa comfy slots"
        )
