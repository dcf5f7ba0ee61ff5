"""Weight-free runs on a real ComfyUI (0.3.64 or later), where ``DQA_TEST_COMFY_URL`` names one.

They leave a few small files in its input and output folders (``dqa/``). The nodes are tested where they are installed,
and their verdicts where ComfyUI can reach a DQA service.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from dqa.comfy.client import Comfy, Finished
from dqa.comfy.patch import Change, patched
from dqa.comfy.slots import find_slots
from dqa.comfy.workflow import Workflow, load_workflow, parse_workflow
from dqa.errors import Cancelled, DQAError, InputError, TookTooLong, UnavailableError
from tests.conftest import real_clips

URL = os.environ.get("DQA_TEST_COMFY_URL")
WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"
WANTED = "a large yellow square at the left, red background"
RUN_S = 300.0

pytestmark = [
    pytest.mark.skipif(URL is None, reason="DQA_TEST_COMFY_URL names no server"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


@pytest.fixture
def comfy() -> Iterator[Comfy]:
    with Comfy(str(URL)) as client:
        yield client


def needs(graph: dict[str, Any]) -> None:
    """Skips where the server lacks a node of the graph."""
    for kind in sorted({node["class_type"] for node in graph.values()}):
        if not httpx.get(f"{URL}/object_info/{kind}", timeout=60).json():
            pytest.skip(f"this ComfyUI has no node {kind}")


def fresh(workflow: Workflow, prompt: str = WANTED) -> dict[str, Any]:
    """With a seed that no earlier run had, so that nothing comes from the cache."""
    return patched(workflow, find_slots(workflow), Change(prompt=prompt, seed=uuid.uuid4().int % 2**32))


def saving(kind: str, **inputs: Any) -> dict[str, Any]:
    """The workflow of a video, saved by another node."""
    graph = fresh(load_workflow(WORKFLOWS / "words_t2v_api.json"))
    graph["9"] = {"class_type": kind, "inputs": {"images": ["60", 0], "filename_prefix": "dqa/words", **inputs}}
    return {name: node for name, node in graph.items() if name != "80"}


def frames(path: Path) -> int:
    with av.open(path) as opened:
        return sum(1 for _ in opened.decode(video=0))


@pytest.mark.parametrize(
    "name",
    ["words_t2i", "words_t2v", "fake_t2i_minimal", "fake_t2i_vanilla", "fake_t2v_vanilla", "fake_t2v_webm_vanilla",
     "fake_t2v_webp_vanilla"],
)  # fmt: skip
def test_a_weight_free_workflow_makes_a_file_and_then_the_same_from_the_cache(
    comfy: Comfy, name: str, tmp_path: Path
) -> None:
    workflow = load_workflow(WORKFLOWS / f"{name}_api.json")
    slots = find_slots(workflow)
    needs(dict(workflow.graph))
    graph = fresh(workflow)
    first = comfy.run(graph, slots.outputs, timeout_s=RUN_S)
    again = comfy.run(graph, slots.outputs, timeout_s=RUN_S)
    path = comfy.download(first.files[0], tmp_path)
    assert path.stat().st_size > 100
    assert [made.node for made in first.files] == list(slots.outputs)
    assert again.files == first.files
    assert again.cached
    assert not first.cached


def test_the_picture_obeys_the_words_and_tells_its_run(comfy: Comfy, tmp_path: Path) -> None:
    done = comfy.run(fresh(load_workflow(WORKFLOWS / "words_t2i_api.json")), timeout_s=RUN_S, metadata={"dqa": "run-1"})
    with Image.open(comfy.download(done.files[0], tmp_path)) as picture:
        assert picture.size == (320, 192)
        assert json.loads(picture.info["dqa"]) == "run-1"
        assert WANTED in picture.info["prompt"]
        red, green, blue = picture.convert("RGB").resize((8, 6)).getpixel((1, 3))  # type: ignore[misc]
    assert red > 180
    assert green > 180
    assert blue < 90


@pytest.mark.parametrize(
    ("kind", "suffix", "inputs"),
    [
        ("SaveWEBM", ".webm", {"codec": "vp9", "fps": 8.0, "crf": 32.0}),
        ("SaveAnimatedWEBP", ".webp", {"fps": 8.0, "lossless": False, "quality": 85, "method": "default"}),
        ("SaveAnimatedPNG", ".png", {"fps": 8.0, "compress_level": 4}),
    ],
)
def test_other_ways_to_save_a_video(
    comfy: Comfy, kind: str, suffix: str, inputs: dict[str, Any], tmp_path: Path
) -> None:
    graph = saving(kind, **inputs)
    needs(graph)
    done = comfy.run(graph, find_slots(parse_workflow(graph)).outputs, timeout_s=RUN_S)
    path = comfy.download(done.files[0], tmp_path)
    assert path.suffix == suffix
    if suffix == ".webm":
        assert frames(path) == 4
    else:
        with Image.open(path) as picture:
            assert getattr(picture, "n_frames", 1) == 4


def test_several_outputs_come_in_the_graphs_order(comfy: Comfy) -> None:
    graph = fresh(load_workflow(WORKFLOWS / "words_t2v_api.json"))
    graph["2"] = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
    graph["z"] = {"class_type": "PreviewImage", "inputs": {"images": ["15", 0]}}
    graph["a"] = {"class_type": "SaveImage", "inputs": {"images": ["60", 0], "filename_prefix": "dqa/words"}}
    done = comfy.run(graph, ["9", "a"], timeout_s=RUN_S)
    assert [made.node for made in done.files] == ["9", "z", "a", "a", "a", "a"] or [
        made.node for made in done.files
    ] == ["9", "a", "a", "a", "a", "z"]
    assert {made.kind for made in done.files if made.node == "z"} == {"temp"}
    assert done.texts == {"2": (WANTED,)}


def test_an_upload_is_loaded_and_broken_ones_fail_in_words(comfy: Comfy, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "ref.png")
    (tmp_path / "broken.png").write_text("no picture")
    graph = dict(load_workflow(WORKFLOWS / "load_scale_save_api.json").graph)
    for name in ("ref.png", "broken.png"):
        sent = comfy.upload(tmp_path / name)
        assert sent.startswith("dqa/")
        loads = {**graph, "1": {"class_type": "LoadImage", "inputs": {"image": sent}}}
        if name == "ref.png":
            assert len(comfy.run(loads, ["9"], timeout_s=RUN_S).files) == 1
            assert comfy.upload(tmp_path / name) == sent, "the same bytes are kept once"
        else:
            with pytest.raises(UnavailableError, match=r"node 1 \(LoadImage\)"):
                comfy.run(loads, ["9"], timeout_s=RUN_S)


def test_a_video_is_uploaded_and_a_frame_taken_from_it(comfy: Comfy, tmp_path: Path) -> None:
    graph = dict(load_workflow(WORKFLOWS / "video_extract_frame_api.json").graph)
    needs(graph)
    graph["1"] = {"class_type": "LoadVideo", "inputs": {"file": comfy.upload(real_clips()[0].path)}}
    done = comfy.run(graph, ["9"], timeout_s=RUN_S)
    assert comfy.download(done.files[0], tmp_path).suffix == ".png"


def test_what_the_server_refuses_is_said_in_words(comfy: Comfy) -> None:
    with pytest.raises(InputError, match="NoSuchNode"):
        comfy.run({"1": {"class_type": "NoSuchNode", "inputs": {}}})
    with pytest.raises(InputError, match="no outputs"):
        comfy.run({"1": {"class_type": "PrimitiveInt", "inputs": {"value": 1}}})
    graph = dict(load_workflow(WORKFLOWS / "tiny_ksampler_t2i_api.json").graph)
    loader = next(name for name, node in graph.items() if node["class_type"] == "CheckpointLoaderSimple")
    graph[loader] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "no-such-model.safetensors"}}
    with pytest.raises(InputError, match=rf"node {loader} \(CheckpointLoaderSimple\).*no-such-model") as refused:
        comfy.run(graph)
    assert "install that model" in refused.value.fix


def test_a_prompt_queued_without_the_wanted_output_is_taken_back(comfy: Comfy) -> None:
    graph = fresh(load_workflow(WORKFLOWS / "words_t2i_api.json"))
    graph["90"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "dqa/words"}}
    assert [made.node for made in comfy.run(graph, ["9"], timeout_s=RUN_S).files] == ["9"]
    with pytest.raises(InputError, match="without output 90"):
        comfy.run(graph, ["9", "90"], timeout_s=RUN_S)


def slow() -> dict[str, Any]:
    """Many pictures, each a node of its own, none of them ever made before: a run that can be stopped between two."""
    graph: dict[str, Any] = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1, "color": 0}}
    }
    for n in range(40):
        seed = uuid.uuid4().int % 2**32
        grain = {"image": ["1", 0], "seed": seed, "strength": 0.5}
        graph[f"{n}n"] = {"class_type": "ImageAddNoise", "inputs": grain}
        graph[f"{n}p"] = {"class_type": "PreviewImage", "inputs": {"images": [f"{n}n", 0]}}
    return graph


class Running:
    """A run in a thread of its own."""

    def __init__(self, comfy: Comfy, graph: dict[str, Any]) -> None:
        self.name = str(uuid.uuid4())
        self.told: list[tuple[str, float | None]] = []
        self.ended: Finished | DQAError | None = None
        self._thread = threading.Thread(target=self._run, args=(comfy, graph), daemon=True)
        self._thread.start()

    def _run(self, comfy: Comfy, graph: dict[str, Any]) -> None:
        try:
            self.ended = comfy.run(
                graph, prompt_id=self.name, timeout_s=RUN_S, progress=lambda *told: self.told.append(told)
            )
        except DQAError as error:
            self.ended = error

    def place(self) -> str | None:
        queue = httpx.get(f"{URL}/queue", timeout=60).json()
        return next((kind for kind, items in queue.items() for item in items if item[1] == self.name), None)

    def wait_for(self, place: str | None) -> None:
        until = time.monotonic() + RUN_S
        while self.place() != place:
            assert time.monotonic() < until, f"never {place}"
            time.sleep(0.05)

    def end(self) -> Finished | DQAError | None:
        self._thread.join(RUN_S)
        return self.ended


def test_one_waits_is_taken_off_and_the_other_is_interrupted(comfy: Comfy) -> None:
    first = Running(comfy, slow())
    first.wait_for("queue_running")
    with Comfy(str(URL)) as other:
        with pytest.raises(TookTooLong):
            other.run(slow(), timeout_s=0.2)
        assert first.place() == "queue_running", "cancelling one that waits stops no other"
        assert not httpx.get(f"{URL}/queue", timeout=60).json()["queue_pending"]
        other.cancel(first.name)
    assert isinstance(first.end(), Cancelled)
    assert any(stage.startswith("node ") for stage, _ in first.told), "progress came over the socket"


def test_free_makes_the_server_forget_its_cache(comfy: Comfy) -> None:
    graph = fresh(load_workflow(WORKFLOWS / "words_t2i_api.json"))
    assert not comfy.run(graph, timeout_s=RUN_S).cached
    comfy.free()
    time.sleep(1)  # the server frees between two runs, a moment after it answered
    assert not comfy.run(graph, timeout_s=RUN_S).cached


class TestNodes:
    """DQA's own nodes, where ``dqa comfy install`` put them."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        needs({"1": {"class_type": "DQAPrompt"}})

    def test_the_server_lists_them_with_their_types(self) -> None:
        from dqa.comfy.install import PACK
        from tests.comfy.node_pack.hosting import load_from

        for name, kind in load_from(PACK).NODE_CLASS_MAPPINGS.items():
            told = httpx.get(f"{URL}/object_info/{name}", timeout=60).json()[name]
            assert tuple(told["output"]) == kind.RETURN_TYPES
            assert tuple(told["output_name"]) == kind.RETURN_NAMES
            assert told["output_node"] is getattr(kind, "OUTPUT_NODE", False)
            assert told["input"] == json.loads(json.dumps(kind.INPUT_TYPES()))
            assert told["category"] == "DQA"

    def test_the_prompt_node_drives_a_graph(self, comfy: Comfy) -> None:
        graph = dict(load_workflow(WORKFLOWS / "words_t2i_api.json").graph)
        graph["1"] = {"class_type": "DQAPrompt", "inputs": {"prompt": "x", "negative": "", "seed": 0}}
        graph["60"]["inputs"]["seed"] = ["1", 2]
        graph["5"] = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
        slots = find_slots(parse_workflow(graph))
        assert (slots.positive, slots.seed) == (("1.prompt",), ("1.seed",))
        done = comfy.run(patched(parse_workflow(graph), slots, Change(prompt=WANTED, seed=9)), timeout_s=RUN_S)
        assert done.texts == {"5": (WANTED,)}

    def test_what_a_node_can_t_use_is_said_in_one_sentence(self, comfy: Comfy) -> None:
        graph = {"1": {"class_type": "DQAChoose", "inputs": {"a": "x", "b": "y"}}}
        with pytest.raises(UnavailableError, match=r"node 1 \(DQAChoose\): that is no evaluation"):
            comfy.run(graph, timeout_s=RUN_S)

    def test_verdicts_are_in_the_history(self, comfy: Comfy) -> None:
        clip = real_clips()[0]
        graph: dict[str, Any] = {
            "1": {"class_type": "LoadVideo", "inputs": {"file": comfy.upload(clip.path)}},
            "2": {"class_type": "DQAEvaluateVideo", "inputs": {"prompt": clip.prompt, "video": ["1", 0]}},
            "3": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 200}},
            "4": {"class_type": "DQADescribeReference", "inputs": {"reference": ["3", 0]}},
            "5": {
                "class_type": "DQACompare",
                "inputs": {"generated": ["3", 0], "canonical_reference_json": ["4", 1], "run_tag": uuid.uuid4().hex},
            },
            "6": {"class_type": "DQAChoose", "inputs": {"a": ["2", 6], "b": ["2", 3]}},
        }
        without = {name: node for name, node in graph.items() if name != "6"}
        try:
            done = comfy.run(without, timeout_s=RUN_S)
        except UnavailableError as error:
            if "DQA service" not in error.what:
                raise
            pytest.skip("this ComfyUI reaches no DQA service")
        record, described, compared = (json.loads(done.texts[name][0]) for name in ("2", "4", "5"))
        assert record["schema"] == "dqa.evaluation/1"
        assert record["prompt"] == clip.prompt
        assert described["mode"] == "describe"
        assert (compared["overall_score"], compared["mismatch_count"]) == (1.0, 0)
        with pytest.raises(UnavailableError, match=r"node 6 \(DQAChoose\)"):  # one clip twice is no choice
            comfy.run(graph, timeout_s=RUN_S)
