from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dqa.clip.clip import Clip
from dqa.clip.frame import Frame
from dqa.clip.limits import Limits
from dqa.errors import InputError, MediaTooLarge, Undecodable
from dqa.record import Media
from tests.clip.media import animation, corners, pattern, png_that_claims, quadrants

LIMITS = Limits()
PICTURE = Image.fromarray(quadrants())


def read(path: Path, limits: Limits = LIMITS, max_side: int | None = None) -> tuple[list[Frame], Media]:
    clip = Clip.open(path, limits)
    return list(clip.frames(max_side)), clip.media


def still(path: Path) -> Frame:
    frames, media = read(path)
    assert (media.kind, media.frames, media.fps, media.duration_s) == ("image", 1, 0.0, 0.0)
    assert frames[0].image.shape == (media.height, media.width, 3)
    return frames[0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp"])
def test_stills(name: str, tmp_path: Path) -> None:
    PICTURE.save(tmp_path / name)
    assert corners(still(tmp_path / name).image) == "rgbw"


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "L", "1"])
def test_palettes_greys_and_alpha(mode: str, tmp_path: Path) -> None:
    made = PICTURE.quantize(16) if mode == "P" else PICTURE.convert(mode)
    made.save(tmp_path / "a.png")
    image = still(tmp_path / "a.png").image
    expected = np.asarray(made.convert("RGB"))
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.dstack([quadrants(), np.zeros((64, 96), np.uint8)])
    pixels[:32, :48, 3] = 255
    pixels[32:, 48:, 3] = 128
    for name in ("a.png", "a.webp"):
        Image.fromarray(pixels, "RGBA").save(tmp_path / name, lossless=True)
        image = still(tmp_path / name).image
        assert corners(image) == "rwww"
        assert image[50, 80].tolist() == pytest.approx([245, 245, 245], abs=2)


def test_a_transparent_palette_entry_lies_on_white(tmp_path: Path) -> None:
    indexed = Image.new("P", (32, 32), 0)
    indexed.putpalette([10, 20, 30, 200, 0, 0])
    indexed.paste(1, (0, 0, 16, 32))
    for name in ("a.gif", "a.png"):
        indexed.save(tmp_path / name, transparency=0)
        image = still(tmp_path / name).image
        assert image[8, 24].tolist() == [255, 255, 255]
        assert image[8, 4].tolist() == [200, 0, 0]


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    image = still(tmp_path / "a.png").image
    assert np.abs(image[..., 0].astype(int) - (ramp / 257)).max() <= 1.0
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[-1, -1].tolist() == [255, 255, 255]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    PICTURE.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert corners(still(tmp_path / "a.jpg").image) == "rgbw"


@pytest.mark.parametrize(
    ("tag", "seen"),
    [
        (1, "rgbw"),
        (2, "grwb"),
        (3, "wbgr"),
        (4, "bwrg"),
        (5, "rbgw"),
        (6, "brwg"),
        (7, "wgbr"),
        (8, "gwrb"),
        (99, "rgbw"),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation(tag: int, seen: str, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    PICTURE.save(tmp_path / f"a.{suffix}", exif=exif)
    frame = still(tmp_path / f"a.{suffix}")
    assert corners(frame.image) == seen
    assert frame.image.shape == ((96, 64, 3) if 5 <= tag <= 8 else (64, 96, 3))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_broken_exif_block_does_not_hide_the_picture(exif: bytes, tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    assert corners(still(tmp_path / "a.jpg").image) == "rgbw"


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_keep_their_times(suffix: str, tmp_path: Path) -> None:
    frames, media = read(animation(tmp_path / f"a.{suffix}", 4, [80, 120, 40, 500]))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.08, 0.2, 0.24])
    assert (media.kind, media.frames) == ("video", 4)
    assert media.duration_s == pytest.approx(0.74)
    assert media.fps == pytest.approx(3 / 0.24)
    for n, frame in enumerate(frames):
        assert np.abs(frame.image.astype(int) - pattern(n)).mean() < 12


def test_frames_without_a_duration_last_as_long_as_in_a_browser(tmp_path: Path) -> None:
    frames, _ = read(animation(tmp_path / "a.gif", 3, 0))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2])


def test_a_gif_that_draws_only_what_changed(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.gif", 6)
    frames, _ = read(path, max_side=48)
    assert [frame.image.shape for frame in frames] == [(32, 48, 3)] * 6
    assert frames[0].scale == 2.0


def test_the_default_picture_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    images = [Image.fromarray(pattern(n)) for n in range(3)]
    PICTURE.save(tmp_path / "a.png", save_all=True, append_images=images, default_image=True, duration=100)
    frames, media = read(tmp_path / "a.png")
    assert media.frames == 3
    assert np.array_equal(frames[0].image, pattern(0))


def test_an_animation_that_breaks_off_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.gif", 12)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    frames, media = read(path)
    assert 2 <= len(frames) < 12
    assert media.corrupt_packets >= 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif"])
def test_a_truncated_still_is_undecodable(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5):
        (tmp_path / name).write_bytes(data[: int(len(data) * share)])
        with pytest.raises(Undecodable):
            read(tmp_path / name)


@pytest.mark.parametrize("data", [b"garbage", b"", b"\xff" * 200, zlib.compress(bytes(1000))[:8]])
def test_a_png_of_garbage_is_undecodable_and_not_a_blank_picture(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_that_claims(96, 64, data))
    with pytest.raises(Undecodable):
        read(tmp_path / "a.png")


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (10**6, 17)])
def test_a_bomb_is_refused_by_its_header(width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(MediaTooLarge, match=r"16\.6 million"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_a_picture_too_small_to_judge(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="too small to be judged; give one of at least 16 x 16"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_too_many_frames(suffix: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{suffix}", 6)
    with pytest.raises(MediaTooLarge, match="at most 5 frames"):
        read(path, Limits(max_frames=5))
    with pytest.raises(MediaTooLarge, match="too many frames"):
        read(path, Limits(max_total_pixels=5 * 96 * 64))


def test_one_picture_in_an_animated_format_is_a_still(tmp_path: Path) -> None:
    animation(tmp_path / "a.gif", 1)
    assert still(tmp_path / "a.gif").time_s == 0.0
