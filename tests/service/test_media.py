"""Uploads and the frame server."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import httpx
import pytest

from dqa.config import Settings
from dqa.errors import UnavailableError
from dqa.service import uploads
from dqa.service.app import create_app
from dqa.store import Store
from tests.service.running import CLIP, RunningService, running


def test_a_form_and_a_raw_body_with_the_same_content_are_one_media(service: RunningService, media: str) -> None:
    raw = service.client.post(
        "/v1/media", content=CLIP.read_bytes(), headers={"Content-Type": "application/octet-stream"}
    )
    assert (raw.status_code, raw.json()["media_id"]) == (200, media)
    stored = list((service.home / "media").iterdir())
    assert f"{media}.mp4" in {p.name for p in stored}
    assert not [p for p in stored if p.suffix == ".part"]


def test_a_new_content_is_201(service: RunningService) -> None:
    answer = service.client.post("/v1/media", content=CLIP.read_bytes() + b"\0")
    assert answer.status_code == 201
    assert answer.json()["bytes"] == CLIP.stat().st_size + 1


def test_a_senders_name_is_only_shown(service: RunningService) -> None:
    content = CLIP.read_bytes() + b"\0\0"
    answer = service.client.post("/v1/media", files={"file": ("../../etc/x\u202e<script>.exe", content)})
    assert answer.json()["name"] == "x<script>.exe"
    assert (service.home / "media" / f"{answer.json()['media_id']}.mp4").read_bytes() == content


@pytest.mark.parametrize("content", [b"#EXTM3U\n", b"<svg/>", b"hello" * 1000, b"PK\3\4" + bytes(100)])
def test_what_is_no_media_is_refused(service: RunningService, content: bytes) -> None:
    answer = service.client.post("/v1/media", files={"file": ("a.mp4", content)})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:dqa:problem:unsupported-media")


def test_an_empty_upload_is_refused(service: RunningService) -> None:
    assert service.client.post("/v1/media", files={"file": ("a.mp4", b"")}).status_code == 422
    assert service.client.post("/v1/media").status_code == 422


def test_a_form_without_the_file_or_with_two_is_refused(service: RunningService) -> None:
    clip = CLIP.read_bytes()
    assert service.client.post("/v1/media", files={"other": ("a.mp4", clip)}).status_code == 422
    two = [("file", ("a.mp4", clip)), ("file", ("b.mp4", clip))]
    assert service.client.post("/v1/media", files=two).status_code == 422
    cut = httpx.Request("POST", service.url, files={"file": ("a.mp4", clip)})
    broken = cut.read()[:-100]
    headers = {"Content-Type": cut.headers["content-type"]}
    assert service.client.post("/v1/media", content=broken, headers=headers).status_code == 422


def test_frames_are_pictures_a_browser_may_keep(service: RunningService, media: str) -> None:
    for which in ("representative", "0", "5"):
        path = f"/v1/media/{media}/frames/{which}.jpg"
        answer = service.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert "immutable" in answer.headers["cache-control"]
        again = service.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    small = service.client.get(f"/v1/media/{media}/frames/0.jpg", params={"max_side": 64})
    assert len(small.content) < len(service.client.get(f"/v1/media/{media}/frames/0.jpg").content)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("{media}/frames/100000.jpg", 404),
        ("md_01m806z1k2dt4rhqpnng55d65f/frames/0.jpg", 404),
        ("..%2f..%2fetc%2fpasswd/frames/0.jpg", 404),
        ("{media}/frames/-1.jpg", 422),
        ("{media}/frames/x.jpg", 422),
        ("{media}/frames/0.jpg?max_side=0", 422),
        ("{media}/frames/0.png", 404),
    ],
)
def test_frames_that_are_not_there(service: RunningService, media: str, path: str, status: int) -> None:
    answer = service.client.get(f"/v1/media/{path.format(media=media)}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_media_that_does_not_decode_is_said_so_without_paths(service: RunningService) -> None:
    broken = CLIP.read_bytes()[:40] + bytes(5000)
    media = service.client.post("/v1/media", content=broken).json()["media_id"]
    answer = service.client.get(f"/v1/media/{media}/frames/0.jpg")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:dqa:problem:undecodable")
    assert str(service.home) not in answer.text
    assert service.client.get("/healthz").status_code == 200


def test_uploads_over_the_limit_leave_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "home", max_media_mb=0.02) as service:
        assert CLIP.stat().st_size > 20_000
        announced = service.client.post("/v1/media", content=CLIP.read_bytes() + bytes(100_000))
        streamed = service.client.post("/v1/media", content=iter([CLIP.read_bytes()]))
        for answer in (announced, streamed):
            assert (answer.status_code, answer.json()["type"]) == (413, "urn:dqa:problem:body-too-large")
        assert list((tmp_path / "home" / "media").glob("*")) == []


def test_a_disk_that_fills_during_an_upload_is_one_clear_sentence(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    sink = uploads._Sink(tmp_path / "up.part", 10**9)
    sink._file.close()
    sink._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - closed by discard
    with pytest.raises(UnavailableError, match="the disk is full"):
        asyncio.run(sink.write(CLIP.read_bytes() + bytes(2**20)))
    sink.discard()
    assert not (tmp_path / "up.part").exists()


@pytest.mark.parametrize("step", ["mkdir", "open", "replace"])
def test_a_disk_without_room_for_another_file_is_the_same_sentence(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(Settings(home=tmp_path))
    part = store.media.temporary()
    part.write_bytes(b"x")
    take = {
        "mkdir": store.media.temporary,
        "open": lambda: uploads._Sink(tmp_path / "up.part", 10**9),
        "replace": lambda: store.media.add(part, "0" * 64, ".mp4", "a.mp4"),
    }

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, step, full)
        with pytest.raises(UnavailableError, match="the disk is full"):
            take[step]()
    store.close()


def test_a_full_disk_is_named_wherever_it_shows(tmp_path: Path) -> None:
    failing: list[OSError] = [OSError(errno.ENOSPC, "No space left on device", "/secret"), FileNotFoundError("/secret")]
    app = create_app(Settings(home=tmp_path))

    @app.get("/full")
    def full() -> None:
        raise failing.pop(0)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get("/full") for _ in range(2)]

    room, gone = asyncio.run(ask())
    assert (room.status_code, room.json()["detail"].partition(";")[0]) == (503, "the disk is full")
    assert gone.status_code == 500, "anything else is a fault of ours"
    assert "secret" not in room.text + gone.text


def test_a_quiet_stream_is_kept_open(tmp_path: Path) -> None:
    with running(tmp_path, module="tests.attacks.impatient") as service:
        name = service.ask(service.upload(), "a wolf hang:1.5").json()["id"]
        with service.client.stream("GET", f"/v1/evaluations/{name}/events") as answer:
            text = "".join(answer.iter_text())
    assert text.count(": still here\n\n") >= 2
    assert "event: done" in text
