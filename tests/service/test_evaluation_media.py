"""The judged clip for a player: whole or one range, and nothing that is not the judged clip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dqa.service.ranges import RangeRefused, parse_range
from tests.service.running import CLIP, running, wait_until
from tests.web.site import Site, evaluation

CONTENT = CLIP.read_bytes()
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("media")
    clips = home / "clips"
    clips.mkdir()
    with running(home / "home", roots=clips) as service:
        yield Site(service, clips)


@pytest.fixture(scope="module")
def address(site: Site) -> str:
    return judged(site, "judged.mp4")


def judged(site: Site, name: str, content: bytes = CONTENT, folder: Path | None = None) -> str:
    path = (folder or site.clips) / name
    path.write_bytes(content)
    record = evaluation(path, "a wolf")
    site.record(record)
    return f"/v1/evaluations/{record.id}/media"


def test_the_whole_clip(site: Site, address: str) -> None:
    answer = site.client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert answer.content == CONTENT
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private")
    head = site.client.head(address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(SIZE))
    again = site.client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-100", slice(SIZE - 100, None)),
        (f"bytes=10-{10**18}", slice(10, None)),
        (f"bytes=-{10**18}", slice(0, None)),
    ],
)
def test_one_range(site: Site, address: str, asked: str, part: slice) -> None:
    answer = site.client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[part])
    first, last, _ = part.indices(SIZE)
    assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{SIZE}"


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", "bytes=-0", "bytes=0-1,5-6", "bytes=" + ",".join(f"{i}-" for i in range(1000))]
)
def test_what_can_not_be_sent_is_refused(site: Site, address: str, asked: str) -> None:
    answer = site.client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.json()["type"]) == (416, "urn:dqa:problem:range-refused")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["lines=0-1", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=0x1-2", ""])
def test_what_is_no_range_is_ignored(site: Site, address: str, asked: str) -> None:
    answer = site.client.get(address, headers={"Range": asked})
    assert (answer.status_code, len(answer.content)) == (200, SIZE)


def test_a_range_of_another_version_is_the_whole_file(site: Site, address: str) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert site.client.get(address, headers=headers).status_code == 200
    headers["If-Range"] = site.client.head(address).headers["etag"]
    assert site.client.get(address, headers=headers).status_code == 206


def test_an_upload_is_served_too(site: Site) -> None:
    media_id = site.service.upload(CLIP)
    (stored,) = (site.service.home / "media").glob(f"{media_id}*")
    record = evaluation(stored, "an upload")
    site.record(record)
    assert site.client.get(f"/v1/evaluations/{record.id}/media").content == CONTENT
    assert site.client.delete(f"/v1/evaluations/{record.id}").status_code == 204
    assert site.client.get(f"/v1/evaluations/{record.id}/media").status_code == 404


def test_a_file_that_changed_since_is_not_the_clip(site: Site) -> None:
    address = judged(site, "changes.mp4", CONTENT + b"1")
    assert site.client.get(address).status_code == 200
    (site.clips / "changes.mp4").write_bytes(CONTENT + b"2")
    answer = site.client.get(address)
    assert answer.status_code == 404
    assert "changed" in answer.json()["detail"]
    (site.clips / "changes.mp4").unlink()
    assert site.client.get(address).status_code == 404


def test_neither_a_file_outside_nor_a_link_to_one_is_read(site: Site, tmp_path: Path) -> None:
    outside = judged(site, "outside.mp4", CONTENT + b"3", tmp_path)
    answer = site.client.get(outside)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:media-refused")
    assert str(tmp_path) not in answer.text
    linked = judged(site, "linked.mp4", CONTENT + b"4")
    shutil.move(site.clips / "linked.mp4", tmp_path / "linked.mp4")
    (site.clips / "linked.mp4").symlink_to(tmp_path / "linked.mp4")
    assert site.client.get(linked).status_code == 403


@pytest.mark.parametrize("name", ["ev_01m806z1k2dt4rhqpnng55d65f", "..%2f..%2fetc%2fpasswd", "x" * 500])
def test_no_evaluation_no_clip(site: Site, name: str) -> None:
    assert site.client.get(f"/v1/evaluations/{name}/media").status_code == 404


def test_a_client_that_leaves_costs_no_open_file(site: Site) -> None:
    big = judged(site, "big.mp4", CONTENT + bytes(50_000_000))
    process = psutil.Process(site.service.process.pid)
    for _ in range(20):
        with site.client.stream("GET", big) as answer:
            next(answer.iter_bytes(1000))
    path = str(site.clips / "big.mp4")
    wait_until(lambda: path not in [file.path for file in process.open_files()], 60)


def test_ranges_are_read_quickly_however_long() -> None:
    with pytest.raises(RangeRefused):
        parse_range("bytes=" + "0-,1-" * 100_000, 10)
    assert parse_range("bytes=" + "9" * 100_000 + "-", 10) is None
