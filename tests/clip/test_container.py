from __future__ import annotations

from pathlib import Path

import pytest

from dqa.clip.container import Container, sniff, sniff_bytes, webm_is_cut_short
from dqa.errors import Undecodable, UnsupportedMedia
from tests.clip.media import animation, video
from tests.conftest import real_clips

HOSTILE = {
    "hls": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "dash": b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/</BaseURL></MPD>',
    "html": b"<!doctype html><video src=x>",
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "matroska": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska\x42\x87\x81\x04",
    "tiff": b"II*\x00\x08\x00\x00\x00",
    "bmp": b"BM\x36\x00\x00\x00",
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\x03\x04",
    "text": b"this is not a video\n" * 50,
    "zeros": bytes(4096),
    "one byte": b"\x00",
    "mpegts": b"\x47\x40\x11\x10" + bytes(184),
    "elf": b"\x7fELF\x02\x01\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_listed_is_refused_whatever_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UnsupportedMedia, match="give an mp4, mov"):
        sniff(path)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "webm"])
def test_videos_are_told_by_their_bytes(suffix: str, tmp_path: Path) -> None:
    path = video(tmp_path / f"a.{suffix}", 3)
    assert sniff(path.rename(tmp_path / "renamed.txt")) == suffix


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_told_by_their_bytes(suffix: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{suffix}", 3)
    assert sniff(path) == suffix
    assert sniff(path).is_picture


def test_real_clips_are_mp4() -> None:
    assert {sniff(clip.path) for clip in real_clips()} == {Container.MP4}


def test_jpg_and_old_quicktime() -> None:
    assert sniff_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF") is Container.JPG
    assert sniff_bytes(b"\x00\x00\x10\x00moov") is Container.MOV
    assert not Container.MOV.is_picture


def test_an_empty_file_says_so() -> None:
    with pytest.raises(Undecodable, match="empty"):
        sniff_bytes(b"")


def test_a_webm_that_broke_off_is_noticed(tmp_path: Path) -> None:
    data = video(tmp_path / "a.webm", 10).read_bytes()
    assert not webm_is_cut_short(data[:4096], len(data))
    assert webm_is_cut_short(data[:4096], len(data) - 1)


def test_a_webm_of_unknown_length_is_not_taken_for_cut() -> None:
    head = b"\x1a\x45\xdf\xa3\x84\x42\x82\x81w" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
    assert not webm_is_cut_short(head, 10)
    assert not webm_is_cut_short(head[:12], 10)
    assert not webm_is_cut_short(b"GIF89a", 10)
