"""Where a workflow takes its prompt, negative prompt and seed, and where its pictures come out.

Node ids differ from file to file, so nothing is known by number. In order of trust: an explicit binding, a title
marker ``@dqa:positive``, a DQA Prompt node, the links from samplers and guiders back to the text, and titles. What is
ambiguous is reported, never guessed in silence. The workflow alone is enough: no running ComfyUI is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from dqa.comfy.conditioning import Trace, trace
from dqa.comfy.workflow import Node, Workflow
from dqa.errors import UsageError

Role = Literal["positive", "negative", "seed"]

_MARKER = re.compile(r"@dqa:(positive|negative|seed)\b", re.IGNORECASE)
_TITLES: dict[Role, re.Pattern[str]] = {
    "positive": re.compile(r"\bpositive\b|^\s*prompt\s*$", re.IGNORECASE),
    "negative": re.compile(r"\bnegative\b", re.IGNORECASE),
    "seed": re.compile(r"\b(noise[ _])?seed\b", re.IGNORECASE),
}
_DQA_PROMPT: dict[Role, str] = {"positive": "prompt", "negative": "negative", "seed": "seed"}
_SAVES = re.compile(r"^Save(?!Latent|Checkpoint|LoRA|Lora|Audio)|VideoCombine$")
_PREVIEWS = re.compile(r"^Preview(Image|Video|Any)?$")
_SEEDS = ("noise_seed", "seed")
_VALUES = ("value", "text", "string", "prompt", *_SEEDS)


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots as ``node.input``; ``outputs`` are ids of the nodes that save or show pictures.

    ``problems`` says in words what is missing, ambiguous or without effect. With several slots of one role, the same
    prompt goes to all of them, and the seed to the first.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    seed: tuple[str, ...]
    outputs: tuple[str, ...]
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, list[str]]:
        """Plain lists, in the order of the fields."""
        return {name: list(values) for name, values in asdict(self).items()}


def find_slots(workflow: Workflow, bindings: Mapping[str, str] | None = None) -> Slots:
    """Finds the slots of a workflow.

    Args:
        workflow: in API format.
        bindings: what the user says, e.g. ``{"positive": "6.text"}``; it is believed before anything else.

    Raises:
        UsageError: a binding names a role, node or input that is not there.
    """
    _check_roles(bindings or {})
    outputs = _outputs(workflow)
    live = workflow.upstream(outputs) if outputs else frozenset(workflow.nodes)
    found = {role: _bound(workflow, role, (bindings or {}).get(role)) for role in get_args(Role)}
    for look in (_marked, _dqa_prompt):
        found = {role: slots or look(workflow, role) for role, slots in found.items()}
    traced = trace(workflow, live)
    found = _add_traced(found, traced)
    found = _add_titled(workflow, found, traced)
    return Slots(**found, outputs=outputs, problems=_problems(workflow, found, outputs, live, traced))


def _check_roles(bindings: Mapping[str, str]) -> None:
    for role in bindings:
        if role not in get_args(Role):
            raise UsageError(f"there is no slot {role!r}", fix="bind positive, negative or seed")


def _bound(workflow: Workflow, role: str, slot: str | None) -> tuple[str, ...]:
    if slot is None:
        return ()
    node, _, name = slot.partition(".")
    if node not in workflow.nodes or name not in workflow.nodes[node].widgets:
        raise UsageError(f"the workflow has no input {slot} to bind {role} to", fix="name it as NODE.INPUT")
    return (slot,)


def _marked(workflow: Workflow, role: Role) -> tuple[str, ...]:
    """Nodes whose title says ``@dqa:ROLE``."""
    nodes = (n for n in workflow.nodes.values() if (m := _MARKER.search(n.title)) and m[1].lower() == role)
    return tuple(slot for node in nodes if (slot := _value_slot(node, role)))


def _dqa_prompt(workflow: Workflow, role: Role) -> tuple[str, ...]:
    name = _DQA_PROMPT[role]
    nodes = [node for node in workflow.nodes.values() if node.kind == "DQAPrompt"]
    return tuple(f"{node.id}.{name}" for node in nodes if name in node.widgets)


def _add_traced(found: dict[Role, tuple[str, ...]], traced: Trace) -> dict[Role, tuple[str, ...]]:
    by_role: dict[Role, tuple[str, ...]] = {
        "positive": traced.positive,
        "negative": traced.negative,
        "seed": traced.seeds,
    }
    return {role: slots or by_role[role] for role, slots in found.items()}


def _add_titled(workflow: Workflow, found: dict[Role, tuple[str, ...]], traced: Trace) -> dict[Role, tuple[str, ...]]:
    """What titles say, for the roles that nothing else has told; a slot that is taken is no other role's too."""
    for role in get_args(Role):
        if found[role] or (role == "negative" and traced.no_negative):
            continue
        taken = {slot for slots in found.values() for slot in slots}
        named = (n for n in workflow.nodes.values() if _TITLES[role].search(n.title))
        slots = (_value_slot(node, role) for node in named)
        found = {**found, role: tuple(slot for slot in slots if slot and slot not in taken)}
    return found


def _value_slot(node: Node, role: Role) -> str | None:
    """The widget of a node that holds its text, or its number."""
    names = [*_SEEDS, "value"] if role == "seed" else [*_VALUES, *node.widgets]
    kinds = int if role == "seed" else str
    for name in names:
        value = node.widgets.get(name)
        if isinstance(value, kinds) and not isinstance(value, bool):
            return f"{node.id}.{name}"
    return None


def _outputs(workflow: Workflow) -> tuple[str, ...]:
    """Nodes that save pictures; without any, those that show some."""
    nodes = workflow.nodes.values()
    saving = tuple(n.id for n in nodes if _SAVES.search(n.kind) or ("filename_prefix" in n.widgets and n.links))
    return saving or tuple(n.id for n in nodes if _PREVIEWS.search(n.kind))


def _problems(
    workflow: Workflow,
    found: Mapping[Role, tuple[str, ...]],
    outputs: tuple[str, ...],
    live: frozenset[str],
    traced: Trace,
) -> tuple[str, ...]:
    problems: list[str] = [*traced.problems]
    if not outputs:
        problems.append("no node saves a picture or video: add Save Image or Save Video")
    for role in ("positive", "seed"):
        if not found[role]:
            problems.append(f"no {role} slot was found: mark its node with the title @dqa:{role}, or bind it")
    for role, slots in found.items():
        if len(slots) > 1:
            does = "the seed goes to the first" if role == "seed" else "the same text goes to all"
            problems.append(f"several {role} slots ({', '.join(slots)}): {does}; bind one to choose")
        for slot in slots:
            if outputs and slot.partition(".")[0] not in live:
                problems.append(f"{slot} ({role}) reaches no output: setting it changes nothing")
    both = set(found["positive"]) & set(found["negative"])
    problems += [
        f"{slot} is both the positive and the negative text: the negative can't be set" for slot in sorted(both)
    ]
    return tuple(problems)
