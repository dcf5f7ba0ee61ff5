"""Rows A04, A05, A06 and A11 of the list of attacks, on files: hostile media end as one clear error, no more."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from dqa.clip.clip import Clip
from dqa.clip.frame import Frame
from dqa.clip.frameserver import frame_jpeg
from dqa.clip.limits import Limits
from dqa.errors import InputError, MediaRefused, MediaTooLarge, Undecodable, UnsupportedMedia
from dqa.record import Media
from tests.children import children, forget_others
from tests.clip.media import corners, png_that_claims, quadrants, video

LIMITS = Limits(timeout_s=30)


@pytest.fixture(autouse=True)
def _own_children() -> None:
    forget_others()


def read(path: Path, roots: list[Path] | None = None) -> tuple[list[Frame], Media]:
    clip = Clip.open(path, LIMITS, roots)
    return list(clip.frames()), clip.media


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """The bytes with ``value`` written ``offset`` bytes behind the name of the first such box in the moov."""
    at = data.index(box, data.index(b"moov")) + 4 + offset
    return data[:at] + value + data[at + len(value) :]


# What an honest mp4 has at each place, and the lie put there.
LIES: dict[str, tuple[Callable[[bytes], bytes], tuple[type[InputError], ...]]] = {
    "65535 x 65535 pixels": (lambda d: patched(d, b"avc1", 24, b"\xff\xff\xff\xff"), (MediaTooLarge, Undecodable)),
    "0 x 0 pixels": (lambda d: patched(d, b"avc1", 24, bytes(4)), (Undecodable,)),
    "2^31 frames": (lambda d: patched(d, b"stsz", 8, b"\x7f\xff\xff\xff"), (MediaTooLarge, Undecodable)),
    "2^32 frames": (lambda d: patched(d, b"stsz", 8, b"\xff\xff\xff\xff"), (MediaTooLarge, Undecodable)),
    "2^32 ticks a second": (lambda d: patched(d, b"mdhd", 12, b"\xff\xff\xff\xff"), (Undecodable,)),
    "no ticks a second": (lambda d: patched(d, b"mdhd", 12, bytes(4)), (Undecodable,)),
    "frames of no duration": (lambda d: patched(d, b"stts", 12, bytes(4)), (Undecodable,)),
    "frames of negative duration": (lambda d: patched(d, b"stts", 12, b"\xff\xff\xff\xff"), (Undecodable,)),
    "frames of 4 GB": (lambda d: patched(d, b"stsz", 12, b"\xff\xff\xff\xff" * 4), (MediaTooLarge, Undecodable)),
    "frames outside the file": (lambda d: patched(d, b"stco", 8, b"\x7f\xff\xff\xff"), (Undecodable,)),
    "a time long before the start": (lambda d: patched(d, b"elst", 12, b"\x80\x00\x00\x00"), (Undecodable,)),
    "a moov that never ends": (lambda d: patched(d, b"moov", -8, b"\x7f\xff\xff\xff"), (Undecodable,)),
    "a moov that is cut": (lambda d: d[: d.index(b"moov") + 200], (Undecodable,)),
    "a box in itself": (lambda d: d.replace(b"minf", b"moov"), (Undecodable, UnsupportedMedia)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a04_a_lying_mp4_is_read_or_refused_and_the_parent_lives(lie: str, tmp_path: Path) -> None:
    honest = video(tmp_path / "honest.mp4", 12, container_options={"movflags": "faststart"})
    tell, errors = LIES[lie]
    path = tmp_path / "lie.mp4"
    path.write_bytes(tell(honest.read_bytes()))
    assert path.read_bytes() != honest.read_bytes()
    try:
        frames, media = read(path)
    except errors:
        pass
    else:
        times = [frame.time_s for frame in frames]
        assert times[0] == 0.0
        assert times == sorted(set(times))
        assert media.frames == len(frames) <= 12
        assert 0 <= media.fps < 100_000
        assert 0 < media.duration_s < 3600
    assert children() == []
    assert len(read(honest)[0]) == 12


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/secret.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:{port}/"/></svg>',
        '<?xml version="1.0"?><MPD><Period><AdaptationSet><BaseURL>http://127.0.0.1:{port}/</BaseURL></AdaptationSet></Period></MPD>',
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.gif"])
def test_a05_a_playlist_is_no_video_and_nothing_it_names_is_touched(text: str, name: str, tmp_path: Path) -> None:
    secret = video(tmp_path / "secret.mp4", 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        path = tmp_path / name
        path.write_text(text.format(port=server.getsockname()[1], secret=secret))
        with pytest.raises(UnsupportedMedia):
            read(path)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a05_a_reference_inside_a_real_mov_is_not_followed(tmp_path: Path) -> None:
    """A QuickTime file may keep its samples elsewhere (a data reference); the decoder can't open that file."""
    video(tmp_path / "secret.mov", 12)
    data = (tmp_path / "secret.mov").read_bytes()
    url = b"file://" + str(tmp_path / "secret.mov").encode()
    # "url " with flag 1 means "in this file"; flag 0 means that its text says where.
    at = data.index(b"url \x00\x00\x00\x01")
    outside = data[:at] + b"url \x00\x00\x00\x00" + data[at + 8 :]
    body = outside.index(b"mdat")
    size = struct.unpack(">I", outside[body - 4 : body])[0]
    hollow = outside[: body + 4] + bytes(size - 8) + outside[body + size - 4 :]
    path = tmp_path / "hollow.mov"
    path.write_bytes(hollow + url)
    with pytest.raises(Undecodable):
        read(path)


def test_a06_a_webp_of_a_million_frames_is_refused_by_its_header(tmp_path: Path) -> None:
    image = Image.fromarray(quadrants())
    image.save(tmp_path / "a.webp", save_all=True, append_images=[Image.new("RGB", image.size)], duration=20)
    data = (tmp_path / "a.webp").read_bytes()
    at = data.rindex(b"ANMF")
    bomb = data + data[at:] * 30_000
    bomb = bomb[:4] + struct.pack("<I", len(bomb) - 8) + bomb[8:]
    (tmp_path / "a.webp").write_bytes(bomb)
    with pytest.raises(MediaTooLarge, match="too many frames"):
        read(tmp_path / "a.webp")


def test_a06_a_gif_of_endless_frames_is_stopped_at_the_limit(tmp_path: Path) -> None:
    images = [Image.new("P", (32, 32), n) for n in range(2)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=20)
    data = (tmp_path / "a.gif").read_bytes()
    at = data.rindex(b"\x21\xf9")
    (tmp_path / "a.gif").write_bytes(data[:-1] + data[at:-1] * 600 + b";")
    clip = Clip.open(tmp_path / "a.gif", Limits(max_frames=500))
    with pytest.raises(MediaTooLarge, match="too many frames"):
        list(clip.frames())


def test_a06_a_gif_frame_larger_than_its_canvas_is_a_bomb_too(tmp_path: Path) -> None:
    Image.new("P", (32, 32)).save(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    at = data.index(b",\x00\x00\x00\x00")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises((MediaTooLarge, Undecodable)):
        read(tmp_path / "a.gif")


@pytest.mark.parametrize("size", [(20_000, 20_000), (60_000, 60_000)])
def test_a06_a_picture_of_too_many_pixels_costs_no_memory(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_that_claims(*size))
    peak: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for child in children():
                try:
                    if "dqa.clip.decoder" in child.cmdline():  # before that it is a fork of the tests themselves
                        peak.append(child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(MediaTooLarge):
            read(tmp_path / "a.png")
    finally:
        stop.set()
        watcher.join()
    assert max(peak, default=0) < 200 * 2**20


def test_a06_colours_and_orientation_are_right(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(quadrants()).convert("CMYK").save(tmp_path / "a.jpg", quality=95, exif=exif)
    frames, media = read(tmp_path / "a.jpg")
    assert corners(frames[0].image) == "brwg"
    assert (media.width, media.height) == (64, 96)


A11 = [
    "../secret.mp4",
    "/etc/passwd",
    "a/../../secret.mp4",
    "link.mp4",
    "folder/secret.mp4",
    "\\\\host\\share\\a.mp4",
    "//host/share/a.mp4",
    "a.mp4\0.png",
    "a.mp4\r\nSet-Cookie: x",
    "NUL.mp4",
    "aux",
    "http://127.0.0.1/a.mp4",
    "concat:a.mp4|/etc/passwd",
    "fd:0",
]


@pytest.mark.parametrize("given", A11)
def test_a11_only_files_under_the_roots(given: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    secret = video(tmp_path / "secret.mp4", 3)
    (root / "link.mp4").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    with pytest.raises(InputError) as caught:
        frame_jpeg(given, 0, LIMITS, roots=[root])
    expected = "media-not-found" if given.startswith(("concat:", "fd:")) else MediaRefused.type
    assert caught.value.type == expected
    assert str(tmp_path) not in caught.value.public()
    assert not any(ord(c) < 32 for c in str(caught.value))


def test_a11_a_link_that_turns_outwards_between_check_and_read_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    secret = video(tmp_path / "secret.mp4", 3)
    clip = Clip.open(video(root / "a.mp4", 3), LIMITS, [root])
    (root / "a.mp4").rename(root / "b.mp4")
    (root / "a.mp4").symlink_to(secret)
    with pytest.raises(MediaRefused):
        next(clip.frames())


def test_a03_no_error_tells_a_path_or_a_librarys_words(tmp_path: Path) -> None:
    honest = video(tmp_path / "honest.mp4", 12).read_bytes()
    said: list[str] = []
    rng = np.random.default_rng(0)
    for _ in range(10):
        data = bytearray(honest)
        for at in rng.integers(len(data) - 700, len(data), 40):
            data[at] = rng.integers(256)
        path = tmp_path / "bad.mp4"
        path.write_bytes(data)
        try:
            read(path)
        except InputError as error:
            said.append(error.public().lower())
    assert len(said) >= 3
    assert not [text for text in said for word in ("tmp", "av.", "errno", "0x", "traceback") if word in text]
