"""The weight-free workflows on a real ComfyUI, where ``DQA_TEST_COMFY_URL`` names one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from dqa.comfy.client import Comfy
from dqa.comfy.patch import Change, patched
from dqa.comfy.slots import find_slots
from dqa.comfy.workflow import load_workflow
from dqa.errors import InputError

URL = os.environ.get("DQA_TEST_COMFY_URL")
WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"

pytestmark = [pytest.mark.skipif(URL is None, reason="DQA_TEST_COMFY_URL names no server"), pytest.mark.slow]


@pytest.mark.parametrize(
    "name", ["fake_t2i_minimal_api", "fake_t2i_vanilla_api", "fake_t2v_vanilla_api", "fake_t2v_webm_vanilla_api"]
)
def test_a_weight_free_workflow_makes_a_file_and_then_the_same_from_the_cache(name: str, tmp_path: Path) -> None:
    workflow = load_workflow(WORKFLOWS / f"{name}.json")
    slots = find_slots(workflow)
    prompt = f"a large yellow square, red background {uuid.uuid4()}"
    graph = patched(workflow, slots, Change(prompt=prompt, seed=7))
    with Comfy(str(URL)) as comfy:
        first = comfy.run(graph, slots.outputs, timeout_s=120)
        again = comfy.run(graph, slots.outputs, timeout_s=120)
        path = comfy.download(first.files[0], tmp_path)
    assert path.stat().st_size > 100
    assert [made.node for made in first.files] == list(slots.outputs)
    assert again.files == first.files
    assert again.cached


def test_an_unknown_node_is_refused_in_words() -> None:
    graph = {"1": {"class_type": "NoSuchNode", "inputs": {}}}
    with Comfy(str(URL)) as comfy, pytest.raises(InputError, match="NoSuchNode"):
        comfy.run(graph)
