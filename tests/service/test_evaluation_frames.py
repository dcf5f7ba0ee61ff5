"""The frames of a judged clip: from uploads and the roots only, unchanged, cached, and not for who has left."""

from __future__ import annotations

import io
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.service.running import CLIP, RunningService, running


@pytest.fixture(scope="module")
def judged(service: RunningService, media: str) -> str:
    return service.ask(media, "a wolf", wait=True).json()["id"]


@pytest.fixture(scope="module")
def rooted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, Path]]:
    folder = tmp_path_factory.mktemp("rooted")
    root = folder / "clips"
    root.mkdir()
    with running(folder / "home", roots=root) as service:
        yield service, root


def size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        return image.size


def test_frames_come_at_the_size_asked_for_and_once(service: RunningService, judged: str) -> None:
    at = f"/v1/evaluations/{judged}/frames"
    for name in ("representative", "0", "32"):
        answer = service.client.get(f"{at}/{name}.jpg", params={"max_side": 160})
        assert answer.status_code == 200
        assert max(size(answer.content)) == 160
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        again = service.client.get(
            f"{at}/{name}.jpg", params={"max_side": 160}, headers={"If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    full = service.client.get(f"{at}/3.jpg")
    assert size(full.content) == size(service.client.get(f"{at}/4.jpg").content)
    assert full.headers["etag"] != answer.headers["etag"]


@pytest.mark.parametrize("name", ["ev_00000000000000000000000000", "ev_1", "..%2f..", "md_1"])
def test_there_are_no_frames_of_what_is_no_evaluation(service: RunningService, name: str) -> None:
    assert service.client.get(f"/v1/evaluations/{name}/frames/0.jpg").status_code == 404


def test_a_frame_beyond_the_end_is_not_there(service: RunningService, judged: str) -> None:
    assert service.client.get(f"/v1/evaluations/{judged}/frames/33.jpg").status_code == 404
    assert service.client.get(f"/v1/evaluations/{judged}/frames/-1.jpg").status_code == 422


def test_a_file_that_changed_since_is_not_passed_off_as_the_one_judged(rooted: tuple[RunningService, Path]) -> None:
    service, root = rooted
    clip = root / "last.mp4"
    shutil.copy(CLIP, clip)
    name = service.ask(str(clip), "a wolf", wait=True).json()["id"]
    at = f"/v1/evaluations/{name}/frames/0.jpg"
    assert service.client.get(at).status_code == 200
    shutil.copy(CLIP.with_name("wan21_01_base.mp4"), clip)
    changed = service.client.get(at)
    assert (changed.status_code, changed.json()["type"]) == (404, "urn:dqa:problem:media-not-found")
    assert "changed since it was judged" in changed.json()["detail"]
    shutil.copy(CLIP, clip)
    assert service.client.get(at).status_code == 200
    clip.unlink()
    assert service.client.get(at).status_code == 404


def test_a_file_outside_the_roots_stays_unread(rooted: tuple[RunningService, Path], tmp_path: Path) -> None:
    service, root = rooted
    inside, outside = root / "moved.mp4", tmp_path / "moved.mp4"
    inside.write_bytes(CLIP.read_bytes() + b"\1")
    name = service.ask(str(inside), "a wolf", wait=True).json()["id"]
    inside.rename(outside)
    inside.symlink_to(outside)
    answer = service.client.get(f"/v1/evaluations/{name}/frames/0.jpg")
    assert answer.status_code == 403
    assert str(tmp_path) not in answer.text


def test_frames_that_nobody_waits_for_are_not_decoded(service: RunningService, judged: str) -> None:
    """Forty requests of clients that leave at once cost less than eight of clients that stay."""
    process = psutil.Process(service.process.pid)
    stayed = _cpu(process, lambda: [_ask(service, judged, n, stay=True) for n in range(8)])
    left = _cpu(process, lambda: [_ask(service, judged, n, stay=False) for n in range(40)])
    assert left < stayed * 2.5, (left, stayed)


def _ask(service: RunningService, name: str, n: int, *, stay: bool) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            f"GET /v1/evaluations/{name}/frames/{n % 33}.jpg?max_side=9{n:02} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        )
        while stay and b"\xff\xd9" not in (line.recv(65536) or b"\xff\xd9"):
            pass


def _cpu(process: psutil.Process, act: object) -> float:
    before = process.cpu_times()
    assert callable(act)
    act()
    quiet = 0
    while quiet < 5:  # until no decoder lives any more
        quiet = 0 if [p for p in process.children() if "decoder" in " ".join(p.cmdline())] else quiet + 1
        time.sleep(0.1)
    after = process.cpu_times()
    return sum(getattr(after, k) - getattr(before, k) for k in ("user", "system", "children_user", "children_system"))
