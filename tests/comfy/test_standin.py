"""The stand-in answers as a real server does: the fields that a ComfyUI 0.3.64 gave to the same requests."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.comfy.standin import StandIn, serving

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"
GRAPH: dict[str, Any] = json.loads((WORKFLOWS / "tiny_ksampler_t2v_api.json").read_text())


def ask(url: str, graph: Any, **more: Any) -> httpx.Response:
    return httpx.post(f"{url}/prompt", json={"prompt": graph, "prompt_id": "p", "client_id": "c", **more})


def history(url: str) -> dict[str, Any]:
    while not (found := httpx.get(f"{url}/history/p").json()):
        time.sleep(0.01)
    return found["p"]


def test_a_prompt_in_the_answer_the_queue_and_the_history() -> None:
    with serving(StandIn(seconds=0.3)) as url:
        assert ask(url, GRAPH, extra_data={"extra_pnginfo": {}}).json() == {
            "prompt_id": "p", "number": 0, "node_errors": {}
        }  # fmt: skip
        queue = httpx.get(f"{url}/queue").json()
        told = history(url)
    (queued,) = queue["queue_running"] + queue["queue_pending"]
    assert queued == told["prompt"] == [0, "p", GRAPH, {"extra_pnginfo": {}, "client_id": "c"}, ["9"]]
    assert set(told) == {"prompt", "outputs", "status", "meta"}
    assert set(told["status"]) == {"status_str", "completed", "messages"}
    kinds = [kind for kind, _ in told["status"]["messages"]]
    assert kinds == ["execution_start", "execution_cached", "execution_success"]
    assert all({"prompt_id", "timestamp"} <= data.keys() for _, data in told["status"]["messages"])
    assert told["outputs"]["9"]["animated"] == [True]
    assert told["meta"]["9"] == {"node_id": "9", "display_node": "9", "parent_node": None, "real_node_id": "9"}


def test_a_failure_in_the_history() -> None:
    with serving(StandIn(fail="no")) as url:
        ask(url, GRAPH)
        told = history(url)
    kind, data = told["status"]["messages"][-1]
    assert (kind, told["status"]["status_str"], told["status"]["completed"]) == ("execution_error", "error", False)
    assert set(data) == {
        "prompt_id", "node_id", "node_type", "executed", "exception_message", "exception_type", "traceback",
        "current_inputs", "current_outputs", "timestamp",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "kind", "message", "details"),
    [
        ({"9": {"class_type": "No", "inputs": {}}}, "invalid_prompt", "Cannot execute because node No does not exist.",
         "Node ID '#9'"),
        ({"9": {"inputs": {}}}, "invalid_prompt",
         "Cannot execute because a node is missing the class_type property.", "Node ID '#9'"),
        ({}, "prompt_no_outputs", "Prompt has no outputs", ""),
    ],
)  # fmt: skip
def test_what_is_refused(graph: dict[str, Any], kind: str, message: str, details: str) -> None:
    with serving(StandIn()) as url:
        answer = ask(url, graph)
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    assert (answer.status_code, answer.json()) == (400, {"error": error, "node_errors": {}})


def test_what_is_no_request() -> None:
    with serving(StandIn()) as url:
        broken = httpx.post(f"{url}/prompt", content=b"no JSON")
        nothing = httpx.post(f"{url}/prompt", json={})
    assert (broken.status_code, broken.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert (nothing.status_code, nothing.json()["error"]["type"]) == (400, "no_prompt")


def test_what_is_wrong_with_a_node() -> None:
    with serving(StandIn(missing_model="tiny_random_sd15.safetensors")) as url:
        (errors,) = ask(url, GRAPH).json()["node_errors"].values()
    assert set(errors) == {"errors", "dependent_outputs", "class_type"}
    assert set(errors["errors"][0]) == {"type", "message", "details", "extra_info"}
    assert set(errors["errors"][0]["extra_info"]) == {"input_name", "input_config", "received_value"}
