"""What ComfyUI says went wrong, in one sentence with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from dqa.errors import DQAError, InputError, InsufficientMemory, UnavailableError

_SHOWN = 3
_LONGEST = 200

_FIXES = {
    "value_not_in_list": "install that model or file in ComfyUI, or choose one it lists",
    "required_input_missing": "connect or fill that input and export the workflow again",
    "return_type_mismatch": "connect an output of the right kind",
    "invalid_input_type": "give that input a value of the right type",
    "value_bigger_than_max": "lower that value",
    "value_smaller_than_min": "raise that value",
    "custom_validation_failed": "put the input file where ComfyUI looks for it, or upload it",
    "exception_during_inner_validation": "mend the link: it leads to a node that is not there",
    "invalid_prompt": "update ComfyUI or install the node pack that has it, or export it again with Export (API)",
    "missing_node_type": "update ComfyUI, or install the node pack that has it",
    "bad_linked_input": "connect that input again and export the workflow again",
    "exception_during_validation": "mend that node in ComfyUI and export the workflow again",
    "prompt_no_outputs": "add a Save Image or Save Video node",
    "no_prompt": "export the workflow again with Export (API)",
}

_ANSWERS = {
    401: "it stands behind a login: give an address that needs none",
    403: "it stands behind a login, or takes no request from here",
    413: "the workflow is too large for it; start it with a larger --max-upload-size",
}


def refusal(body: object, status: int = 400) -> DQAError:
    """The error for a prompt that ComfyUI did not queue, from the body and the status of its answer."""
    answer = _mapping(body)
    error = _mapping(answer.get("error"))
    nodes = list(node_problems(answer.get("node_errors")))
    kind = str(error.get("type") or "")
    if nodes:
        more = f" (and {len(nodes) - _SHOWN} more)" if len(nodes) > _SHOWN else ""
        return InputError(
            "ComfyUI refuses the workflow: " + "; ".join(text for text, _ in nodes[:_SHOWN]) + more,
            fix=_FIXES.get(nodes[0][1], "correct the workflow in ComfyUI and export it again"),
        )
    if not error and status != 400:
        return UnavailableError(
            f"ComfyUI did not take the workflow ({status})", fix=_ANSWERS.get(status, "see its log")
        )
    what = _short(f"{error.get('message') or 'no reason given'} {error.get('details') or ''}")
    return InputError(f"ComfyUI refuses the workflow: {what}", fix=_FIXES.get(kind, "run it once in ComfyUI itself"))


def node_problems(node_errors: object) -> Iterator[tuple[str, str]]:
    """Each problem of each node in words, and its type."""
    for name, content in _mapping(node_errors).items():
        fields = _mapping(content)
        for problem in cast("list[object]", fields.get("errors") or []):
            error = _mapping(problem)
            where = f"node {name} ({fields.get('class_type') or 'unknown'})"
            text = f"{where}: {error.get('message') or error.get('type')} {error.get('details') or ''}"
            yield _short(text), str(error.get("type") or "")


def broken_outputs(node_errors: object) -> frozenset[str]:
    """Ids of the output nodes that are left out because of these errors."""
    found: set[str] = set()
    for name, content in _mapping(node_errors).items():
        found.add(name)
        found.update(str(node) for node in cast("list[object]", _mapping(content).get("dependent_outputs") or []))
    return frozenset(found)


def failure(message: Mapping[str, Any]) -> DQAError:
    """The error for a run that ended with ``execution_error``."""
    where = f"node {message.get('node_id')} ({message.get('node_type') or 'unknown'})"
    said = _short(str(message.get("exception_message") or message.get("exception_type") or "no reason given"))
    kind = str(message.get("exception_type") or "")
    if "OutOfMemory" in kind or "out of memory" in said.lower():
        return InsufficientMemory(
            f"ComfyUI ran out of memory in {where}", fix="make the video smaller or shorter, or free its models"
        )
    return UnavailableError(f"ComfyUI failed in {where}: {said}", fix="see ComfyUI's log")


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
