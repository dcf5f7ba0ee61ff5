"""A ComfyUI workflow in API format: nodes, their widgets and links."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dqa.errors import InputError

MAX_BYTES = 64 * 2**20

_EXPORT = "export it from ComfyUI with Workflow > Export (API)"


@dataclass(frozen=True, slots=True)
class Link:
    """An input that another node's output feeds: its id, and which output."""

    node: str
    output: int


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``widgets`` are inputs with a value of their own, ``links`` those fed by another node."""

    id: str
    kind: str
    title: str
    widgets: Mapping[str, Any]
    links: Mapping[str, Link]


@dataclass(frozen=True, slots=True)
class Workflow:
    """Nodes by id, in the file's order; ids are text and may hold ``:`` (subgraphs), never a dot.

    ``graph`` is the JSON they were read from, which is what ComfyUI takes.
    """

    nodes: Mapping[str, Node]
    graph: Mapping[str, Any]

    def upstream(self, ids: Iterator[str] | tuple[str, ...]) -> frozenset[str]:
        """The nodes that these depend on, themselves included."""
        seen: set[str] = set()
        waiting = list(ids)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.nodes:
                continue
            seen.add(name)
            waiting.extend(link.node for link in self.nodes[name].links.values())
        return frozenset(seen)

    def feeding(self) -> frozenset[str]:
        """The nodes that some other node depends on."""
        return frozenset(link.node for node in self.nodes.values() for link in node.links.values())


def load_workflow(path: Path) -> Workflow:
    """Reads a workflow file.

    Raises:
        InputError: it can't be read, is no JSON, or is not in API format.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError("the file is too large for a workflow", fix=_EXPORT, where=str(path))
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"the workflow can't be read ({error.strerror})", fix="check the path", where=str(path)
        ) from None
    except (ValueError, RecursionError):
        raise InputError("the workflow is not JSON", fix=_EXPORT, where=str(path)) from None
    try:
        return parse_workflow(data)
    except InputError as error:
        raise InputError(error.what, fix=error.fix, where=str(path)) from None


def parse_workflow(data: object) -> Workflow:
    """A workflow from its JSON: ``{id: {class_type, inputs, _meta?}}``, or that under the key ``prompt``.

    Raises:
        InputError: it is the editor's own format, or none.
    """
    graph = _mapping(data)
    if isinstance(graph.get("nodes"), list) and "class_type" not in graph:
        raise InputError("this is the format of ComfyUI's editor, which its API does not take", fix=_EXPORT)
    if "class_type" not in graph and isinstance(graph.get("prompt"), dict) and "class_type" not in graph["prompt"]:
        graph = _mapping(graph["prompt"])
    nodes = {name: _node(name, content) for name, content in graph.items()}
    if not nodes:
        raise InputError("the workflow has no nodes", fix=_EXPORT)
    return Workflow(nodes, graph)


def _mapping(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputError("not a workflow: it is no JSON object", fix=_EXPORT)
    return cast("dict[str, Any]", data)


def _node(name: str, content: object) -> Node:
    fields = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    kind, inputs = fields.get("class_type"), fields.get("inputs", {})
    if not isinstance(kind, str) or not isinstance(inputs, dict):
        raise InputError(f"not a workflow in API format: node {name[:60]!r} has no class_type", fix=_EXPORT)
    meta = fields.get("_meta")
    title = cast("dict[str, Any]", meta).get("title") if isinstance(meta, dict) else None
    given = cast("dict[str, Any]", inputs)
    links = {key: link for key, value in given.items() if (link := _link(value)) is not None}
    widgets = {key: value for key, value in given.items() if key not in links}
    return Node(name, kind, title if isinstance(title, str) else "", widgets, links)


def _link(value: object) -> Link | None:
    """``["6", 0]``: what tells a link from a list is a text and a whole number, and nothing else."""
    if not isinstance(value, list):
        return None
    parts = cast("list[object]", value)
    if len(parts) != 2 or not isinstance(parts[0], str) or not isinstance(parts[1], int) or isinstance(parts[1], bool):
        return None
    return Link(parts[0], parts[1])
