"""The client against a stand-in with ComfyUI's ways: late history, partial validation, lost answers, restarts."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dqa.comfy.client import Comfy, Made
from dqa.comfy.patch import Change, patched
from dqa.comfy.slots import find_slots
from dqa.comfy.workflow import load_workflow
from dqa.errors import (
    Cancelled,
    InputError,
    InsufficientMemory,
    ServiceUnavailable,
    TookTooLong,
    UnavailableError,
    UsageError,
)
from tests.comfy.standin import StandIn, serving

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"
GRAPH: dict[str, Any] = json.loads((WORKFLOWS / "tiny_ksampler_t2v_api.json").read_text())


@pytest.fixture
def server() -> StandIn:
    return StandIn()


@pytest.fixture
def comfy(server: StandIn) -> Iterator[Comfy]:
    with serving(server) as url, Comfy(url, patience_s=3) as client:
        yield client


def test_a_run_gives_its_file_and_downloads_it(server: StandIn, comfy: Comfy, tmp_path: Path) -> None:
    done = comfy.run(GRAPH, ["9"], metadata={"dqa": "run-1"})
    (made,) = done.files
    assert (made.node, made.subfolder, made.kind) == ("9", "video", "output")
    path = comfy.download(made, tmp_path / "out")
    assert path.name == made.filename
    assert json.loads(path.read_bytes()) == GRAPH
    assert comfy.download(made, tmp_path / "out") != path  # a second one overwrites nothing
    assert server.submitted[0]["extra"]["extra_pnginfo"] == {"dqa": "run-1"}
    assert not done.cached


def test_the_history_may_be_late(server: StandIn, comfy: Comfy) -> None:
    server.history_late_s = 1.5
    assert len(comfy.run(GRAPH).files) == 1
    assert len(server.submitted) == 1


def test_the_same_graph_again_is_cached_and_gives_the_same_file(server: StandIn, comfy: Comfy) -> None:
    first, second = comfy.run(GRAPH), comfy.run(GRAPH)
    assert second.cached
    assert first.files == second.files


def test_videos_under_another_key_and_texts_are_found(comfy: Comfy) -> None:
    graph = {**GRAPH, "9": {**GRAPH["9"], "class_type": "VHS_VideoCombine"}}
    graph["20"] = {"class_type": "PreviewAny", "inputs": {"source": ["9", 0]}}
    done = comfy.run(graph)
    assert [made.node for made in done.files] == ["9"]
    assert done.texts == {"20": ("0.8",)}


def test_progress_comes_over_the_socket_and_binary_previews_do_not_disturb(server: StandIn, comfy: Comfy) -> None:
    server.seconds = 0.5
    told: list[tuple[str, float | None]] = []
    comfy.run(GRAPH, progress=lambda stage, share: told.append((stage, share)))
    assert ("node 3", 0.4) in told
    assert ("node 3", 1.0) in told


@pytest.mark.parametrize(
    ("change", "says", "mend"),
    [
        ({"class_type": "KSamplr"}, "node KSamplr does not exist", "update ComfyUI or install the node pack"),
        ({"class_type": "VAEDecode"}, "no outputs", "Save Video"),
    ],
)
def test_what_the_server_refuses_is_said_in_words(comfy: Comfy, change: dict[str, str], says: str, mend: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        comfy.run({**GRAPH, "9": {**GRAPH["9"], **change}})
    assert mend in refused.value.fix


def test_a_missing_model_names_node_and_model(server: StandIn, comfy: Comfy) -> None:
    server.missing_model = "tiny_random_sd15.safetensors"
    with pytest.raises(InputError, match=r"node 4 \(CheckpointLoaderSimple\).*tiny_random_sd15") as refused:
        comfy.run(GRAPH)
    assert "install" in refused.value.fix


def test_a_prompt_queued_without_the_wanted_output_is_taken_back(server: StandIn, comfy: Comfy) -> None:
    graph = {**GRAPH, "30": {"class_type": "SaveImage", "inputs": {}}}
    server.broken_output = "30"
    assert [made.node for made in comfy.run(graph, ["9"]).files] == ["9"]
    server.seconds = 5
    with pytest.raises(InputError, match="without output 30"):
        comfy.run({**graph, "x": GRAPH["6"]}, ["30"])
    assert not server.pending


def test_a_failed_node_an_interrupt_and_no_memory_are_told_apart(server: StandIn, comfy: Comfy) -> None:
    server.fail = "mat1 and mat2 shapes cannot be multiplied"
    with pytest.raises(UnavailableError, match=r"node 3 \(KSampler\): mat1"):
        comfy.run(GRAPH)
    server.fail = "CUDA out of memory. Tried to allocate 2 GiB"
    with pytest.raises(InsufficientMemory):
        comfy.run(GRAPH)
    server.fail, server.seconds = "", 3
    name = str(uuid.uuid4())
    with pytest.raises(Cancelled), interrupting(server, comfy, name):
        comfy.run(GRAPH, prompt_id=name)


def test_a_failure_before_the_first_node_is_none_the_less_one(server: StandIn, comfy: Comfy) -> None:
    server.fail, server.fail_early = "no node could be run", True
    with pytest.raises(UnavailableError, match="no node could be run"):
        comfy.run(GRAPH)


def test_files_come_in_the_order_of_the_graph_whatever_the_servers(server: StandIn, comfy: Comfy) -> None:
    graph = {**GRAPH, "30": {"class_type": "SaveImage", "inputs": {}}, "12": {"class_type": "SaveVideo", "inputs": {}}}
    done = comfy.run(graph)
    assert [made.node for made in done.files] == ["9", "30", "12"]
    assert list(server.history[done.prompt_id]["outputs"]) == ["12", "30", "9"]


def test_a_text_that_a_node_gives_bare_is_one_text(server: StandIn, comfy: Comfy) -> None:
    done = comfy.run(GRAPH)
    name = str(uuid.uuid4())
    server.history[name] = {**server.history[done.prompt_id], "outputs": {"20": {"text": "grade A"}}}
    assert comfy.run(GRAPH, prompt_id=name, taken_up=True).texts == {"20": ("grade A",)}


class interrupting:
    """Interrupts a run from outside, as somebody at ComfyUI's own page would."""

    def __init__(self, server: StandIn, comfy: Comfy, name: str) -> None:
        self.thread = threading.Thread(target=self._interrupt, args=(server, comfy.url, name))

    def _interrupt(self, server: StandIn, url: str, name: str) -> None:
        while server.running is None:
            time.sleep(0.01)
        httpx.post(f"{url}/interrupt", json={"prompt_id": name})

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.thread.join()


def test_a_run_that_takes_too_long_is_taken_off_the_server_and_no_other(server: StandIn, comfy: Comfy) -> None:
    server.seconds = 30
    with pytest.raises(TookTooLong):
        comfy.run(GRAPH, timeout_s=0.5)
    until = time.monotonic() + 60
    while server.running and time.monotonic() < until:
        time.sleep(0.05)
    assert server.running is None
    other = {"id": "other", "number": 0, "graph": GRAPH, "extra": {}, "without": set()}
    server.pending.append(other)
    while server.running is None:
        time.sleep(0.01)
    with pytest.raises(TookTooLong):
        comfy.run(GRAPH, timeout_s=0.5)
    assert server.running is other
    assert "other" not in server.interrupted
    server.interrupted.add("other")


class LosesAnAnswer(httpx.HTTPTransport):
    """The first prompt arrives, its answer does not."""

    lost = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if request.url.path == "/prompt" and not self.lost:
            self.lost = True
            answer.read()
            raise httpx.ReadError("the connection broke", request=request)
        return answer


def test_an_answer_that_is_lost_does_not_run_the_prompt_twice(server: StandIn) -> None:
    server.seconds = 0.5
    transport = LosesAnAnswer()
    with serving(server) as url, Comfy(url, patience_s=3, transport=transport) as comfy:
        assert len(comfy.run(GRAPH).files) == 1
    assert transport.lost
    assert len(server.submitted) == 1


class Odd(httpx.HTTPTransport):
    """Does something else with the first requests of one kind."""

    def __init__(self, method: str, path: str, answers: list[int | httpx.HTTPError]) -> None:
        super().__init__()
        self.kind, self.answers = (method, path), answers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.answers and request.method == self.kind[0] and request.url.path.startswith(self.kind[1]):
            answer = self.answers.pop(0)
            if isinstance(answer, int):
                return httpx.Response(answer, text="no answer of ComfyUI's", request=request)
            raise answer
        return super().handle_request(request)


def test_a_server_that_is_too_busy_to_answer_is_not_gone(server: StandIn) -> None:
    busy = Odd("GET", "/history", [httpx.ReadTimeout("busy")] * 3)
    told: list[str] = []
    with serving(server) as url, Comfy(url, patience_s=0.1, transport=busy) as comfy:
        assert len(comfy.run(GRAPH, progress=lambda stage, _: told.append(stage)).files) == 1
    assert busy.answers == []
    assert told.count("waiting for ComfyUI to answer") == 3


@pytest.mark.parametrize("kind", [("POST", "/prompt"), ("GET", "/history"), ("GET", "/queue")])
def test_a_proxy_without_its_server_is_waited_for(server: StandIn, kind: tuple[str, str]) -> None:
    proxy = Odd(*kind, [502, 503])
    with serving(server) as url, Comfy(url, patience_s=20, transport=proxy) as comfy:
        assert len(comfy.run(GRAPH).files) == 1
    assert proxy.answers == []
    assert len(server.submitted) == 1


@pytest.mark.parametrize(("status", "mend"), [(413, "too large"), (401, "login"), (500, "log")])
def test_an_answer_that_is_no_verdict_on_the_workflow_is_not_taken_for_one(
    server: StandIn, status: int, mend: str
) -> None:
    with serving(server) as url, Comfy(url, transport=Odd("POST", "/prompt", [status])) as comfy:
        with pytest.raises(UnavailableError, match=f"{status}") as refused:
            comfy.run(GRAPH)
        assert mend in refused.value.fix


def test_only_a_comfyui_passes_for_one(server: StandIn) -> None:
    with serving(server) as url:
        with Comfy(url) as comfy:
            comfy.ping()
        with Comfy(url, transport=Odd("GET", "/queue", [httpx.ReadTimeout("busy")])) as busy:
            busy.ping()
        with Comfy(f"{url}/elsewhere") as other, pytest.raises(ServiceUnavailable, match="is no ComfyUI"):
            other.ping()


def test_a_late_run_is_said_to_be_late_though_it_can_t_be_taken_back(server: StandIn) -> None:
    server.seconds = 30
    gone = Odd("POST", "/queue", [httpx.ConnectError("gone")] * 100)
    with serving(server) as url, Comfy(url, patience_s=0.1, transport=gone) as comfy, pytest.raises(TookTooLong):
        comfy.run(GRAPH, timeout_s=0.2)


def test_a_server_that_forgot_is_asked_again_once(server: StandIn, comfy: Comfy) -> None:
    server.forget = True
    assert len(comfy.run(GRAPH).files) == 1
    assert len(server.submitted) == 2


def test_a_server_that_goes_and_comes_back(server: StandIn) -> None:
    server.seconds = 0.5
    with serving(server) as url:
        port = int(url.rsplit(":", 1)[1])
    found: list[int] = []
    with Comfy(url, patience_s=20) as client:
        runner = threading.Thread(target=lambda: found.append(len(client.run(GRAPH).files)))
        runner.start()
        time.sleep(0.5)
        with serving(server, port):
            runner.join(timeout=30)
    assert found == [1]


def test_no_server_is_said_with_its_address() -> None:
    with (
        Comfy("http://127.0.0.1:9", patience_s=0.1) as client,
        pytest.raises(ServiceUnavailable, match=r":9;"),
    ):
        client.run(GRAPH)


def test_upload_uses_the_name_that_the_server_gives(comfy: Comfy, tmp_path: Path) -> None:
    for number, content in enumerate((b"one", b"two", b"two")):
        file = tmp_path / str(number) / "ref.png"
        file.parent.mkdir()
        file.write_bytes(content)
    names = [comfy.upload(tmp_path / str(n) / "ref.png") for n in range(3)]
    assert names == ["dqa/ref.png", "dqa/ref (1).png", "dqa/ref (1).png"]


def test_free_asks_for_the_memory(server: StandIn, comfy: Comfy) -> None:
    comfy.free()
    assert server.freed == 1


@pytest.mark.parametrize("name", ["../../evil.sh", "/etc/passwd", "..", "a\\b\\c.mp4", "x\n.mp4", "CON .", ""])
def test_a_servers_file_name_stays_inside_the_folder(server: StandIn, comfy: Comfy, tmp_path: Path, name: str) -> None:
    server.files[name] = b"content"
    path = comfy.download(Made("9", name, "", "output"), tmp_path / "out")
    assert path.resolve().parent == (tmp_path / "out").resolve()
    assert path.read_bytes() == b"content"
    assert "\n" not in path.name


def test_a_file_that_is_gone_or_too_large_leaves_nothing(server: StandIn, comfy: Comfy, tmp_path: Path) -> None:
    server.files["big.mp4"] = b"x" * 200_000
    with pytest.raises(UnavailableError, match="too large"):
        comfy.download(Made("9", "big.mp4", "", "output"), tmp_path, most_bytes=1000)
    with pytest.raises(UnavailableError, match="no longer has"):
        comfy.download(Made("9", "gone.mp4", "", "output"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_prompt_negative_and_seed_go_into_their_slots_and_the_original_stays() -> None:
    workflow = load_workflow(WORKFLOWS / "tpl_sdxl_simple_example.json")
    prompt = '"; touch pwned; "'
    graph = patched(workflow, find_slots(workflow), Change(prompt, "blurry", 7))
    assert graph["6"]["inputs"]["text"] == graph["15"]["inputs"]["text"] == prompt
    assert graph["16"]["inputs"]["text"] == "blurry"
    assert (graph["10"]["inputs"]["noise_seed"], graph["11"]["inputs"]["noise_seed"]) == (7, 0)
    assert workflow.graph["6"]["inputs"]["text"] != prompt


def test_what_a_workflow_has_no_slot_for_is_refused() -> None:
    workflow = load_workflow(WORKFLOWS / "tpl_image_flux2.json")
    slots = find_slots(workflow)
    with pytest.raises(InputError, match="no negative slot"):
        patched(workflow, slots, Change(negative="blurry"))
    for seed in (-1, 2**64):
        with pytest.raises(UsageError):
            patched(workflow, slots, Change(seed=seed))
