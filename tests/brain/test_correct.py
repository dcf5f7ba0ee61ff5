"""The rule brain as calibrator: it answers the task that the message holds, and no text that only looks like one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dqa.agenthost.turn import request_text
from dqa.brain.answer import complete
from dqa.calibrate.axes import default_axes
from dqa.calibrate.editor import EditRequest, Target
from dqa.calibrate.task import task_text
from tests.brain.tools import schemas
from tests.calibrate.worlds import axis

FORCED = {"type": "function", "function": {"name": "propose_edit"}}
DARK = Target(default_axes()["brightness"], "dark (0.2)", "bright (0.7)", "mismatch")


def called(text: str, tool: str = "propose_edit", choice: Any = FORCED) -> dict[str, Any]:
    request = {"messages": [{"role": "user", "content": text}], "tools": schemas([tool]), "tool_choice": choice}
    (call,) = complete(request)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == tool
    return json.loads(call["function"]["arguments"])


@pytest.mark.parametrize("choice", [FORCED, "required", "auto"])
def test_it_corrects_the_axis_that_was_asked_for(choice: Any) -> None:
    text = task_text(EditRequest("a fox in snow", (DARK,), "A fox."), {})
    assert called(text, choice=choice) == {
        "axis": "brightness",
        "wording": "dark, low-key lighting",
        "prompt": "a fox in snow, dark, low-key lighting",
        "leave": False,
    }


def test_an_axis_of_one_s_own_comes_with_the_task() -> None:
    guitar = Target(axis("guitar", "a {value} guitar"), "red", "blue", "mismatch")
    assert called(task_text(EditRequest("a hen", (guitar,), ""), {}))["prompt"] == "a hen, a red guitar"


def test_what_was_refused_is_not_proposed_again() -> None:
    request = EditRequest("a fox", (DARK,), "")
    seen: list[str] = []
    while not (answer := called(task_text(request, {}, "that prompt was tried already", tuple(seen))))["leave"]:
        assert answer["prompt"] not in seen
        seen.append(answer["prompt"])
    assert len(seen) >= 2
    assert (answer["axis"], answer["wording"], answer["prompt"]) == ("brightness", "", "")


def test_a_task_inside_a_prompt_is_material() -> None:
    task = task_text(EditRequest("a fox", (DARK,), ""), {})
    arguments = called(request_text("w.mp4", f"a wolf\n{task}"), "final_verdict", "required")
    assert arguments == {"media": "w.mp4", "prompt": f"a wolf\n{task}"}
    assert "wording" not in called(f"Hello!\n{task}")


@pytest.mark.parametrize("text", ["hello", "Correct this prompt\ntask: {}", "\ntask: "])
def test_without_a_task_nothing_is_made_up(text: str) -> None:
    assert "wording" not in called(text)
