"""From samplers and guiders back along the links to the texts and seeds they use."""

from __future__ import annotations

from dataclasses import dataclass, field

from dqa.comfy.workflow import Link, Node, Workflow

_SEEDS = ("noise_seed", "seed")
_STRINGS = ("value", "text", "string", "prompt")
_LONGEST_WALK = 200


@dataclass(frozen=True, slots=True)
class Trace:
    """What the links tell.

    Attributes:
        positive, negative, seeds: slots as ``node.input``, in the order they were met.
        no_negative: samplers were found, and none of them takes a negative text (no input for it, or zeroed out).
        problems: texts that no single slot sets, in words.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    seeds: tuple[str, ...]
    no_negative: bool
    problems: tuple[str, ...]


def trace(workflow: Workflow, live: frozenset[str]) -> Trace:
    """Walks back from every node among ``live`` that a text steers."""
    walk = _Walk(workflow)
    steered = [node for name, node in workflow.nodes.items() if name in live and _is_steered(node)]
    for node in steered:
        for name, link in node.links.items():
            if name in ("positive", "conditioning", "cond", "cond1"):
                walk.conditioning(link, "positive")
            elif name == "negative":
                walk.conditioning(link, "negative")
    texts = walk.found
    no_negative = bool(steered) and not texts["negative"]
    return Trace(
        tuple(texts["positive"]), tuple(texts["negative"]), _seeds(workflow, live), no_negative, tuple(walk.problems)
    )


def _is_steered(node: Node) -> bool:
    """A sampler, or a guider: the places where conditioning ends."""
    if "model" not in node.links and "Guider" not in node.kind:
        return False
    return "positive" in node.links or "Guider" in node.kind


@dataclass
class _Walk:
    """One walk over the graph; each slot is noted once, a node is entered once a role and output."""

    workflow: Workflow
    found: dict[str, dict[str, None]] = field(default_factory=lambda: {"positive": {}, "negative": {}})
    problems: list[str] = field(default_factory=list[str])
    _entered: set[tuple[str, str, int]] = field(default_factory=set[tuple[str, str, int]])

    def conditioning(self, link: Link, role: str) -> None:
        """Follows one conditioning link to the texts behind it."""
        node = self.workflow.nodes.get(link.node)
        step = (role, link.node, link.output)
        if node is None or step in self._entered or len(self._entered) > _LONGEST_WALK:
            return
        self._entered.add(step)
        if node.kind == "ConditioningZeroOut":  # what comes out says nothing any more, whatever goes in
            return
        if {"positive", "negative"} <= node.links.keys():  # a pair goes through: output 0 is the positive one
            name = {0: "positive", 1: "negative"}.get(link.output)
            if name is not None:
                self.conditioning(node.links[name], role)
        elif _encodes(node):
            self._texts(node, role)
        else:
            for name, behind in node.links.items():
                if name.startswith(("conditioning", "cond", "positive", "negative")):
                    self.conditioning(behind, role)

    def _texts(self, node: Node, role: str) -> None:
        """The texts that an encoder reads: its own, or those of the node that feeds it."""
        for name, value in node.widgets.items():
            if isinstance(value, str) and _is_text(name):
                self.found[role][f"{node.id}.{name}"] = None
        for name, link in node.links.items():
            if _is_text(name):
                self._string(link, role, depth=0)

    def _string(self, link: Link, role: str, depth: int) -> None:
        node = self.workflow.nodes.get(link.node)
        if node is None or depth > _LONGEST_WALK:
            return
        if node.kind == "DQAPrompt":
            name = {0: "prompt", 1: "negative"}.get(link.output)
            if name in node.widgets:
                self.found[role][f"{node.id}.{name}"] = None
            return
        own = [name for name in _STRINGS if isinstance(node.widgets.get(name), str)]
        behind = [node.links[name] for name in _STRINGS if name in node.links]
        if own and not behind:
            self.found[role][f"{node.id}.{own[0]}"] = None
        elif len(behind) == 1 and not own:
            self._string(behind[0], role, depth + 1)
        else:
            shown = node.title or node.kind
            self.problems.append(
                f"node {node.id} ({shown}) puts the {role} text together from several: bind the one to set"
            )


def _encodes(node: Node) -> bool:
    return "TextEncode" in node.kind or (
        "clip" in node.links and any(_is_text(n) for n in (*node.widgets, *node.links))
    )


def _is_text(name: str) -> bool:
    """Inputs of text encoders that hold the prompt (``text``, ``text_g``, ``clip_l``, ``t5xxl``, ``prompt``)."""
    return name.startswith(("text", "clip_l", "clip_g", "t5xxl", "prompt", "llama", "qwen"))


def _seeds(workflow: Workflow, live: frozenset[str]) -> tuple[str, ...]:
    """Seeds of samplers and noise nodes; of any other live node if there is none. A pass without noise has none."""
    nodes = [node for name, node in workflow.nodes.items() if name in live and not _without_noise(node)]
    samplers = [node for node in nodes if "Sampler" in node.kind or (node.kind.endswith("Noise") and not node.links)]
    slots = [slot for node in samplers if (slot := _seed_slot(workflow, node))]
    slots = slots or [slot for node in nodes if (slot := _seed_slot(workflow, node))]
    return tuple(dict.fromkeys(slots))


def _without_noise(node: Node) -> bool:
    return node.widgets.get("add_noise") in ("disable", False)


def _seed_slot(workflow: Workflow, node: Node) -> str | None:
    for name in _SEEDS:
        value = node.widgets.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{node.id}.{name}"
        if name in node.links:
            return _number_slot(workflow, node.links[name])
    return None


def _number_slot(workflow: Workflow, link: Link) -> str | None:
    """The widget behind a linked number; reroutes are followed."""
    for _ in range(_LONGEST_WALK):
        node = workflow.nodes.get(link.node)
        if node is None:
            return None
        for name in ("value", *_SEEDS, "int", "number"):
            value = node.widgets.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return f"{node.id}.{name}"
        if len(node.links) != 1:
            return None
        (link,) = node.links.values()
    return None
