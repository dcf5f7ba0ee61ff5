from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from dqa.clip.clip import Clip
from dqa.clip.frame import Frame
from dqa.clip.limits import Limits
from dqa.config import Settings
from dqa.errors import InputError, MediaTooLarge, Undecodable, UnsupportedMedia
from dqa.record import Media
from tests.clip.media import corners, pattern, quadrants, video, write_video
from tests.conftest import RealClip, real_clips

LIMITS = Limits()


def read(path: Path, limits: Limits = LIMITS, max_side: int | None = None) -> tuple[list[Frame], Media]:
    clip = Clip.open(path, limits)
    return list(clip.frames(max_side)), clip.media


@pytest.mark.parametrize("real", real_clips(), ids=lambda real: real.id)
def test_real_clips(real: RealClip) -> None:
    frames, media = read(real.path)
    assert media.sha256 == hashlib.sha256(real.path.read_bytes()).hexdigest()
    assert (media.kind, media.corrupt_packets, media.fps) == ("video", 0, 16.0)
    assert [frame.index for frame in frames] == list(range(media.frames))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 16 for n in range(media.frames)])
    assert media.duration_s == pytest.approx(media.frames / 16)
    assert all(frame.image.shape == (media.height, media.width, 3) and frame.scale == 1.0 for frame in frames)
    assert all(frame.image.dtype == np.uint8 and frame.image.std() > 5 for frame in frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "odd width.mp4"])
def test_every_frame_comes_out_as_it_went_in(name: str, tmp_path: Path) -> None:
    width = 102 if "odd" in name else 96  # rows of 306 bytes are padded by the decoder
    written = [pattern(n, width=width) for n in range(12)]
    path = write_video(tmp_path / name, written, options={"crf": "4"})
    frames, media = read(path)
    assert (media.width, media.height, media.frames, media.fps) == (width, 64, 12, 10.0)
    assert media.duration_s == pytest.approx(1.2)
    for frame, picture in zip(frames, written, strict=True):
        assert np.abs(frame.image.astype(int) - picture).mean() < 8


def test_two_decodes_give_the_same_pixels(clips: list[RealClip]) -> None:
    first, second = (read(clips[0].path)[0] for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))


def test_frames_can_be_had_smaller_and_know_their_scale(clips: list[RealClip]) -> None:
    full, media = read(clips[-1].path)
    small, same = read(clips[-1].path, max_side=208)
    assert same == media
    assert max(small[0].image.shape) == 208
    assert small[0].scale == media.width / 208
    assert small[3].image.mean() == pytest.approx(full[3].image.mean(), abs=2)
    assert read(clips[-1].path, max_side=10_000)[0][0].scale == 1.0


def test_the_facts_are_known_at_the_end_only(tmp_path: Path) -> None:
    clip = Clip.open(video(tmp_path / "a.mp4"), LIMITS)
    frames = clip.frames()
    next(frames)
    with pytest.raises(RuntimeError, match="read to its end"):
        _ = clip.media
    assert sum(1 for _ in frames) == 11
    assert clip.media.frames == 12


def test_frames_from_the_middle(tmp_path: Path) -> None:
    clip = Clip.open(video(tmp_path / "a.mp4"), LIMITS)
    assert [frame.index for frame in clip.frames(first=9)] == [9, 10, 11]
    assert [frame.index for frame in clip.frames(first=12)] == []


@pytest.mark.parametrize(
    ("degrees", "mirror", "seen", "shape"),
    [
        (0, False, "rgbw", (64, 96)),
        (90, False, "gwrb", (96, 64)),
        (180, False, "wbgr", (64, 96)),
        (270, False, "brwg", (96, 64)),
        (0, True, "grwb", (64, 96)),
    ],
)
def test_turned_videos_come_out_upright(
    degrees: int, mirror: bool, seen: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    path = write_video(
        tmp_path / "a.mp4", [quadrants()] * 3, prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirror)
    )
    frames, media = read(path)
    assert corners(frames[1].image) == seen
    assert frames[1].image.shape[:2] == shape == (media.height, media.width)
    small = read(path, max_side=48)[0][1]
    assert (corners(small.image), small.scale) == (seen, 2.0)


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [Fraction(ms, 1000) for ms in (0, 100, 150, 400, 1000, 1040)]
    frames, media = read(video(tmp_path / "a.mp4", 6, times=times))
    assert [frame.time_s for frame in frames] == pytest.approx([float(time) for time in times])
    assert media.fps == pytest.approx(5 / 1.04)


def test_a_late_start_counts_from_the_first_frame(tmp_path: Path) -> None:
    times = [Fraction(5000 + 100 * n, 1000) for n in range(6)]
    frames, media = read(video(tmp_path / "a.webm", 6, times=times))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(6)])
    assert media.duration_s == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("colour", [("itu709", "MPEG"), ("itu709", "JPEG"), ("itu601", "JPEG"), ("itu601", "MPEG")])
def test_the_named_colour_matrix_and_range_are_believed(colour: tuple[str, str], tmp_path: Path) -> None:
    solid = np.full((64, 96, 3), (200, 40, 90), np.uint8)

    def tag(stream: object) -> None:
        context = stream.codec_context  # type: ignore[attr-defined]
        context.colorspace = {"itu709": 1, "itu601": 6}[colour[0]]
        context.color_range = {"MPEG": 1, "JPEG": 2}[colour[1]]

    path = write_video(tmp_path / "a.mp4", [solid] * 3, colour=colour, prepare=tag, options={"crf": "1"})
    assert np.abs(read(path)[0][1].image[30, 40].astype(int) - (200, 40, 90)).max() <= 3


def test_ten_bits_and_alpha_and_raw_rgb(tmp_path: Path) -> None:
    deep = write_video(tmp_path / "deep.mp4", [quadrants()] * 3, codec="libx265", pixel_format="yuv420p10le")
    assert corners(read(deep)[0][0].image) == "rgbw"
    clear = write_video(tmp_path / "clear.mov", [quadrants()] * 2, codec="qtrle", pixel_format="argb")
    assert corners(read(clear)[0][0].image) == "rgbw"
    raw = write_video(tmp_path / "raw.mov", [quadrants()] * 2, codec="rawvideo", pixel_format="rgb24")
    assert np.array_equal(read(raw)[0][1].image, quadrants())


def test_a_damaged_clip_is_read_on_and_its_damage_counted(clips: list[RealClip], tmp_path: Path) -> None:
    data = bytearray(next(clip.path for clip in clips if clip.id == "cogvideox_9").read_bytes())
    for at in range(100_000, 160_000, 500):
        data[at] ^= 0xFF
    (tmp_path / "a.mp4").write_bytes(data)
    frames, media = read(tmp_path / "a.mp4")
    assert 70 <= len(frames) <= 81
    assert 3 <= media.corrupt_packets <= 81
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))


@pytest.mark.parametrize(
    ("flags", "lost"),
    # A fragment that is missing altogether is listed nowhere; only the one that broke off tells.
    [("faststart", lambda frames: 40 - frames), ("frag_keyframe+empty_moov", lambda frames: 30 - frames)],
)
def test_a_truncated_mp4_plays_as_far_as_it_goes(flags: str, lost: Callable[[int], int], tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 40, container_options={"movflags": flags}, options={"g": "10", "bf": "0"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    frames, media = read(path)
    assert 10 < len(frames) < 40
    assert media.corrupt_packets == lost(len(frames)) > 0


def test_a_truncated_webm_is_told(tmp_path: Path) -> None:
    path = video(tmp_path / "a.webm", 40)
    assert read(path)[1].corrupt_packets == 0
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.8)])
    frames, media = read(path)
    assert 10 < len(frames) < 40
    assert media.corrupt_packets >= 1


def test_a_size_that_changes_midway_is_fitted_to_the_first(tmp_path: Path) -> None:
    small = video(tmp_path / "small.webm", 3)
    large = write_video(tmp_path / "large.webm", [pattern(n, 192, 128) for n in range(3)])
    joined = tmp_path / "joined.webm"
    _join(small, large, joined)
    frames, media = read(joined)
    assert len(frames) == 6
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    assert (media.width, media.height) == (96, 64)


def _join(first: Path, second: Path, out: Path) -> None:
    """The packets of two clips behind one another, as one stream."""
    with av.open(str(first)) as a, av.open(str(second)) as b, av.open(str(out), "w") as joined:
        stream = joined.add_stream_from_template(a.streams.video[0])
        for source, offset in ((a, 0), (b, 300)):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    packet.pts += offset
                    packet.dts += offset
                    joined.mux(packet)


@pytest.mark.parametrize("cover", [False, True])
def test_a_sound_file_is_no_video_even_with_a_cover(cover: bool, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 96, 64, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
            container.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnsupportedMedia, match="no video"):
        read(path)


def small(**change: int | float) -> Limits:
    return dataclasses.replace(LIMITS, **change)


@pytest.mark.parametrize(
    ("limits", "error", "hint"),
    [
        (small(max_bytes=1000), MediaTooLarge, "DQA_MAX_MEDIA_MB"),
        (small(max_pixels=96 * 64 - 1), MediaTooLarge, "DQA_MAX_PIXELS"),
        (small(max_frames=11), MediaTooLarge, "DQA_MAX_FRAMES"),
        (small(max_total_pixels=12 * 96 * 64 - 1), MediaTooLarge, "billion pixels"),
        (small(min_side=65), InputError, "65 x 65"),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_limits(limits: Limits, error: type[InputError], hint: str, suffix: str, tmp_path: Path) -> None:
    path = video(tmp_path / f"a.{suffix}")
    with pytest.raises(error, match=hint) as caught:
        read(path, limits)
    assert caught.value.where == str(path)
    assert str(path) not in caught.value.public()


def test_a_clip_at_the_limits_passes(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4")
    limits = Limits(max_bytes=path.stat().st_size, max_pixels=96 * 64, max_frames=12, max_total_pixels=12 * 96 * 64)
    assert len(read(path, dataclasses.replace(limits, min_side=64))[0]) == 12


def test_limits_come_from_the_settings() -> None:
    settings = Settings(home=Path("/x"), max_media_mb=1.5, max_pixels=9, max_frames=8, decode_timeout_s=7)  # type: ignore[call-arg]
    limits = Limits.from_settings(settings)
    assert (limits.max_bytes, limits.max_pixels, limits.max_frames, limits.timeout_s) == (1_500_000, 9, 8, 7)
    assert limits.max_total_pixels == Limits().max_total_pixels
    assert Limits.from_settings(Settings(home=Path("/x"))) == Limits()  # type: ignore[call-arg]


def test_a_decoder_without_memory_fails_alone(clips: list[RealClip]) -> None:
    with pytest.raises((MediaTooLarge, Undecodable)):
        read(clips[0].path, small(memory_bytes=64 * 2**20))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda data: data[: len(data) // 2], Undecodable),
        (lambda data: data[:40], Undecodable),
        (lambda data: data[:32] + b"\xa5" * 5000, Undecodable),
        (lambda data: b"", Undecodable),
        (lambda data: b"\xa5" * 5000, UnsupportedMedia),
        (lambda data: data.replace(b"avc1", b"zzz9"), UnsupportedMedia),
        (lambda data: data.replace(b"vide", b"soun"), UnsupportedMedia),
        (lambda data: data[:48] + bytes(data.index(b"moov") - 60) + data[data.index(b"moov") - 12 :], Undecodable),
    ],
    ids=["half", "head", "garbage after the head", "empty", "garbage", "codec unknown", "no video", "no frames"],
)
def test_what_can_not_be_decoded_says_so(make: object, error: type[InputError], tmp_path: Path) -> None:
    data = video(tmp_path / "good.mp4", 12).read_bytes()
    path = tmp_path / "bad.mp4"
    path.write_bytes(make(data))  # type: ignore[operator]
    with pytest.raises(error) as caught:
        read(path)
    assert type(caught.value) is error
    assert caught.value.exit_code == 3


def test_a_file_that_changes_between_opening_and_reading_is_noticed(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4")
    clip = Clip.open(path, LIMITS)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="changed"):
        next(clip.frames())


@pytest.mark.parametrize("name", ["$(touch pwned); `id`.mp4", "-i.mp4", "é 漢字 😀 'q\" .mp4", "%s%n.mp4"])
def test_odd_names_are_only_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video(tmp_path / "a.mp4", 3).rename(tmp_path / name)
    assert len(read(Path(name))[0]) == 3
    assert [path.name for path in tmp_path.iterdir()] == [name]
