"""The nodes against a service that really runs; its evaluations are scripted by the prompt, its comparisons real."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import socket
import sys
import threading
import time
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.comfy.node_pack.conftest import TOKEN
from tests.comfy.node_pack.hosting import Host, Interrupted, run
from tests.service.running import CLIP, RunningService, wait_until
from tests.web.counting import counting_clip


def frames(count: int = 6, shade: float = 0.2, width: int = 65) -> Any:
    """A batch as ComfyUI has it: a bright square that moves over a plain ground; odd sizes are allowed."""
    made = np.full((count, 48, width, 3), shade, dtype=np.float32)
    for number in range(count):
        made[number, 16:32, 8 + 4 * number : 24 + 4 * number] = (0.9, 0.2, 0.2)
    return made


def pictures_of(pack: Any) -> Any:
    return sys.modules[f"{pack.__name__}.pictures"]


class Video:
    """As ComfyUI's VIDEO of a file: it copies the packets into mp4, and loses some that come from elsewhere."""

    def __init__(self, path: Path | str = CLIP) -> None:
        self._path = str(path)

    def save_to(self, path: str, **_: object) -> None:
        assert "mp4" in self.get_container_format()
        shutil.copy(self._path, path)

    def get_container_format(self) -> str:
        with av.open(self._path) as container:
            return container.format.name

    def get_components(self) -> SimpleNamespace:
        with av.open(self._path) as container:
            rate = container.streams.video[0].average_rate
            made = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return SimpleNamespace(images=np.stack(made).astype(np.float32) / 255, frame_rate=rate, audio=None)


class VideoFromComponents:
    """As ComfyUI's VIDEO of frames: to save them or name their format it encodes yuv420p, which has no odd sizes."""

    def __init__(self, images: Any) -> None:
        self._images = images

    def save_to(self, path: str, **_: object) -> None:
        raise av.error.ExternalError(542398533, "Generic error in an external library", path)

    def get_components(self) -> SimpleNamespace:
        return SimpleNamespace(images=self._images, frame_rate=Fraction(24000, 1001), audio=None)


def test_the_prompt_drives_the_graph_from_one_place(pack: Any) -> None:
    got = run(pack, "DQAPrompt", prompt="a wolf", negative="blurry", seed=2**64 - 1)
    assert (got["prompt"], got["negative"], got["seed"]) == ("a wolf", "blurry", 2**64 - 1)


@pytest.mark.parametrize("how", ["images", "one image", "video", "old video", "file"])
def test_a_clip_is_graded_however_it_comes(connected: Host, pack: Any, service: RunningService, how: str) -> None:
    (connected.output / "video").mkdir()
    shutil.copy(CLIP, connected.output / "video" / "clip_00001_.mp4")
    given: dict[str, dict[str, Any]] = {
        "images": {"images": frames(), "fps": 12.0},
        "one image": {"images": frames(1)},
        "video": {"video": Video()},
        "old video": {"video": SimpleNamespace(save_to=partial(shutil.copy, CLIP))},  # before ComfyUI 0.3.46
        "file": {"file": "video/clip_00001_.mp4"},
    }
    got = run(pack, "DQAEvaluateVideo", prompt="sleep:0.6 a wolf", **given[how])
    record = json.loads(got["report_json"])
    assert record == service.get(got["evaluation_id"])
    assert (got["score"], got["grade"], got["accept"], got["action"]) == (0.7, "B+", True, "accept")
    assert got["reasoning"] == record["reasoning"]
    assert got["ui"] == {"text": [got["report_json"]]}
    assert connected.shown == sorted(connected.shown)
    assert connected.shown[-1] == 100
    if how in ("video", "old video", "file"):
        assert record["media"]["sha256"] == hashlib.sha256(CLIP.read_bytes()).hexdigest()


def test_a_video_of_frames_is_sent_as_frames_are(pack: Any, tmp_path: Path) -> None:
    sent = frames(5)
    pictures_of(pack).save_video(VideoFromComponents(sent), str(tmp_path / "a.mp4"), lambda: None)
    pictures_of(pack).write_mp4(sent, 24000 / 1001, str(tmp_path / "b.mp4"), lambda: None)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(("name", "codec"), [("x.webm", "libvpx"), ("x.mkv", "libx264")])
def test_a_video_of_another_container_is_encoded(pack: Any, tmp_path: Path, name: str, codec: str) -> None:
    clip = counting_clip(tmp_path / name, 12, 8, codec)
    pictures_of(pack).save_video(Video(clip), str(tmp_path / "x.mp4"), lambda: None)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert (container.streams.video[0].codec_context.name, container.streams.video[0].average_rate) == ("h264", 8)
        assert sum(1 for _ in container.decode(video=0)) == 12


@pytest.mark.filterwarnings("error")
def test_values_that_no_colour_has_become_the_nearest(pack: Any) -> None:
    batch = np.array([np.nan, np.inf, -np.inf, -3, 7, 1.5, 0.5, 1], np.float32).reshape(1, 1, 8, 1)
    picture = np.asarray(Image.open(io.BytesIO(pictures_of(pack).as_png(batch))))
    assert picture[0, :, 0].tolist() == [0, 255, 0, 0, 255, 255, 127, 255]


def test_a_score_under_the_own_bar_is_not_accepted(connected: Host, pack: Any) -> None:
    got = run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1), accept_at=0.71, user="mira")
    assert got["accept"] is False
    assert json.loads(got["report_json"])["user"] == "mira"


def test_a_report_can_be_saved_for_clients_that_see_files_only(connected: Host, pack: Any) -> None:
    got = run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1), save_report=True)
    saved = got["ui"]["files"]
    assert saved == [{"filename": f"{got['evaluation_id']}.json", "subfolder": "dqa", "type": "output"}]
    assert json.loads((connected.output / "dqa" / saved[0]["filename"]).read_text()) == json.loads(got["report_json"])


def test_frames_survive_the_way_to_the_service(pack: Any, tmp_path: Path) -> None:
    sent = frames(5)
    pictures_of(pack).write_mp4(sent, 23.976, str(tmp_path / "x.mp4"), lambda: None)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(23.976, abs=1e-3)
        back = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert back.shape == sent.shape
    assert np.abs(back / 255 - sent).mean() < 0.02


def test_a_torch_batch_with_alpha_is_a_batch_too(pack: Any) -> None:
    import torch

    batch = torch.from_numpy(np.concatenate([frames(1), np.ones((1, 48, 65, 1), np.float32)], axis=3))
    picture = Image.open(io.BytesIO(pictures_of(pack).as_png(batch)))
    assert (picture.mode, picture.size, picture.info) == ("RGB", (65, 48), {})
    assert picture.getpixel((0, 0)) == (51, 51, 51)


def test_describe_then_compare_to_its_words(connected: Host, pack: Any) -> None:
    axes = "brightness, contrast,\nsaturation"
    described = run(pack, "DQADescribeReference", reference=frames(1, 0.1), axes=axes)
    assert set(json.loads(described["canonical_reference_json"])["axes"]) == {"brightness", "contrast", "saturation"}
    assert described["description"] == json.loads(described["report_json"])["description"]
    words = described["canonical_reference_json"]
    same = run(pack, "DQACompare", generated=frames(1, 0.1), canonical_reference_json=words, axes=axes, run_tag="i1")
    assert (same["overall_score"], same["mismatch_count"]) == (1.0, 0)
    report = json.loads(same["report_json"])
    assert report["run_tag"] == "i1"
    assert same["ui"] == {"text": [same["report_json"]]}
    assert json.loads(same["canonical_reference_json"])["axes"] == json.loads(words)["axes"]
    other = run(pack, "DQACompare", generated=frames(1, 0.9), canonical_reference_json=words, axes=axes)
    assert other["overall_score"] < 1.0


def test_compare_with_a_picture_and_describe_by_mode(connected: Host, pack: Any) -> None:
    got = run(pack, "DQACompare", generated=frames(1), reference=frames(1), axes="brightness", prompt="a red square")
    assert (got["overall_score"], got["mismatch_count"]) == (1.0, 0)
    assert json.loads(got["report_json"])["prompt_used"] == "a red square"
    told = run(pack, "DQACompare", reference=frames(1), mode="describe", axes="brightness")
    assert math.isnan(told["overall_score"])
    assert told["mismatch_count"] == -1
    assert json.loads(told["canonical_reference_json"])["axes"].keys() == {"brightness"}


def test_where_nothing_could_be_judged_there_is_no_zero(connected: Host, pack: Any) -> None:
    words = "hair: long\nbrightness: dark"
    got = run(
        pack, "DQACompare", generated=frames(1), canonical_reference_json=words, axes='drop_groups = ["wardrobe"]'
    )
    assert json.loads(got["report_json"])["axes"]["hair"]["verdict"] == "unjudged"
    assert "clothing" not in json.loads(got["report_json"])["axes"]


def test_choose_gives_an_address_and_waits_for_nobody(connected: Host, pack: Any, service: RunningService) -> None:
    a, b = (run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(n)) for n in (2, 3))
    got = run(pack, "DQAChoose", a=a["report_json"], b=b["evaluation_id"], user="mira")
    assert got["address"].startswith(f"{service.url}/choose?a={a['evaluation_id']}&b={b['evaluation_id']}&user=mira")
    assert TOKEN not in got["address"]
    assert service.client.get(got["address"]).status_code == 200
    assert json.loads(got["ui"]["text"][0])["address"] == got["address"]
    assert service.client.get("/v1/selections", params={"user": "mira"}).json()["items"] == []


def test_the_token_is_in_nothing_that_a_node_gives(connected: Host, pack: Any) -> None:
    got = run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1), save_report=True)
    told = run(pack, "DQADescribeReference", reference=frames(1), axes="brightness")
    files = b"".join(path.read_bytes() for path in connected.output.rglob("*") if path.is_file())
    assert TOKEN not in f"{got}{told}"
    assert TOKEN.encode() not in files


@pytest.mark.parametrize(
    ("node", "inputs", "said"),
    [
        ("DQAEvaluateVideo", {"prompt": "a wolf"}, "needs one clip"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "images": frames(1), "file": "x.mp4"}, "needs one clip"),
        ("DQAEvaluateVideo", {"prompt": "  ", "images": frames(1)}, "prompt"),
        ("DQAEvaluateVideo", {"prompt": "fail", "images": frames(1)}, "no frame could be decoded"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "images": frames(1)[0]}, "no batch of pictures"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "video": object()}, "connect a VIDEO output"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "images": frames(2), "fps": 0.0}, "fps must lie"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "../secret.mp4"}, "outside ComfyUI's output folder"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "/etc/passwd"}, "outside ComfyUI's output folder"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "none.mp4"}, "no such file"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "a\0b.mp4"}, "no such file"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "x" * 5000}, "no such file"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "video": Video(__file__)}, "can't be read"),
        ("DQAEvaluateVideo", {"prompt": "a wolf", "file": "text.mp4"}, "not a supported video or image"),
        ("DQACompare", {"generated": frames(1)}, "needs one reference"),
        ("DQACompare", {"reference": frames(1)}, "what was generated is missing"),
        ("DQACompare", {"mode": "describe"}, "the reference is missing"),
        ("DQADescribeReference", {"reference": frames(1), "axes": "hairdo"}, "'hairdo' is no axis"),
        ("DQAChoose", {"a": "wolf", "b": "wolf"}, "no evaluation"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    connected: Host, pack: Any, node: str, inputs: dict[str, Any], said: str
) -> None:
    (connected.output / "text.mp4").write_text("no clip")
    with pytest.raises(RuntimeError, match=said) as caught:
        run(pack, node, **inputs)
    assert type(caught.value).__name__ == "DQAProblem"
    assert "\n" not in str(caught.value)


def test_without_a_service_a_node_says_so(host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("DQA_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(RuntimeError, match=f"does not answer at http://127.0.0.1:{port}; start it, or set DQA_URL"):
            run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1))


def test_a_wrong_token_is_refused_and_never_quoted(connected: Host, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_TOKEN", "another-secret")
    with pytest.raises(RuntimeError, match="refuses the token; set DQA_TOKEN") as caught:
        run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1))
    assert "another-secret" not in f"{caught.value!r}"


def test_a_job_that_takes_too_long_is_given_up_and_cancelled(
    connected: Host, pack: Any, service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQA_TIMEOUT_S", "2")
    with pytest.raises(RuntimeError, match="not done in 2 seconds"):
        run(pack, "DQAEvaluateVideo", prompt="sleep:120 too long", images=frames(1))
    wait_until(lambda: _idle(service), 30)


def test_an_interrupt_stops_the_node_and_the_job(connected: Host, pack: Any, service: RunningService) -> None:
    def stop() -> None:
        wait_until(lambda: not _idle(service), 30)
        connected.interrupted = True

    threading.Thread(target=stop, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        run(pack, "DQAEvaluateVideo", prompt="sleep:120 interrupted", images=frames(1))
    assert time.monotonic() - began < 100, "it did not wait for the job"
    wait_until(lambda: _idle(service), 30)


def _idle(service: RunningService) -> bool:
    from dqa.config import Settings
    from dqa.store import Store

    store = Store.open(Settings(home=service.home))
    try:
        return store.jobs.count("running") + store.jobs.count("queued") == 0
    finally:
        store.close()
