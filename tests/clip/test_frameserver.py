from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dqa.clip.frameserver import encode_jpeg, frame_jpeg
from dqa.clip.limits import Limits
from dqa.errors import MediaNotFound, MediaRefused, UnsupportedMedia
from tests.clip.media import animation, corners, pattern, quadrants, video, write_video

LIMITS = Limits()


def pixels(jpeg: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return np.asarray(image)


def test_the_frame_asked_for(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 12)
    for n in (0, 7, 11):
        distance = [np.abs(pixels(frame_jpeg(path, n, LIMITS)).astype(int) - pattern(k)).mean() for k in range(12)]
        assert int(np.argmin(distance)) == n


@pytest.mark.parametrize("index", [12, 10**9, -1])
def test_there_is_no_such_frame(index: int, tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match=f"no frame {index}"):
        frame_jpeg(video(tmp_path / "a.mp4", 12), index, LIMITS)


def test_smaller_on_request(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 12)
    assert pixels(frame_jpeg(path, 3, LIMITS, max_side=48)).shape == (32, 48, 3)
    assert pixels(frame_jpeg(path, "representative", LIMITS, max_side=48)).shape == (32, 48, 3)
    assert pixels(frame_jpeg(path, "representative", LIMITS)).shape == (64, 96, 3)


def test_the_representative_of_a_large_clip_has_its_full_size(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [pattern(n, 1440, 96) for n in range(12)], options={"preset": "ultrafast"})
    assert pixels(frame_jpeg(path, "representative", LIMITS)).shape == (96, 1440, 3)
    assert pixels(frame_jpeg(path, "representative", LIMITS, max_side=1000)).shape[1] == 1000


def test_it_decodes_no_further_than_the_frame(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.gif", 12)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) // 2))
    assert pixels(frame_jpeg(path, 1, LIMITS)).shape == (64, 96, 3)


def test_only_the_roots(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 3)
    (tmp_path / "root").mkdir()
    with pytest.raises(MediaRefused):
        frame_jpeg(path, 0, LIMITS, roots=[tmp_path / "root"])
    assert frame_jpeg("a.mp4", 0, LIMITS, roots=[tmp_path])
    (tmp_path / "a.txt").write_text("#EXTM3U")
    with pytest.raises(UnsupportedMedia):
        frame_jpeg("a.txt", 0, LIMITS, roots=[tmp_path])


def test_colours_survive() -> None:
    assert corners(pixels(encode_jpeg(quadrants()))) == "rgbw"
