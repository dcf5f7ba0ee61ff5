"""Decodes png, jpg, gif and webp, still or animated, in the decoder process.

Colours come out as a viewer shows them: palettes, greys, 16 bits and CMYK become RGB, transparency lies on white, the
EXIF orientation is applied. Embedded colour profiles are not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image, ImageFile, ImagePalette, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

from dqa.clip.outlet import Outlet, Refusal
from dqa.clip.protocol import Code, End, Request
from dqa.clip.timeline import Timeline

# Pillow would import these on first need, when nothing can be opened any more.
_NEEDED = (ImageFile, ImagePalette, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)
Image.preinit()

_FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP"}
# Browsers show a frame of 10 ms or less for 100 ms: such files date from viewers that could do no better.
_SHORTEST_S = 0.010
_DEFAULT_S = 0.100
_ORIENTATION_TAG = 0x0112
_T = Image.Transpose
_TURNS = {
    2: _T.FLIP_LEFT_RIGHT,
    3: _T.ROTATE_180,
    4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE,
    6: _T.ROTATE_270,
    7: _T.TRANSVERSE,
    8: _T.ROTATE_90,
}


def decode(file: BinaryIO, request: Request, outlet: Outlet) -> None:
    """Sends the picture, or every frame of the animation, to the outlet.

    Raises:
        Refusal: it can't be decoded, or breaks a limit.
    """
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = request.max_pixels
    try:
        with Image.open(file, formats=[_FORMATS[request.container]]) as image:
            _send(image, outlet)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refusal(Code.TOO_MANY_PIXELS) from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise Refusal(Code.BROKEN) from None


def _send(image: Image.Image, outlet: Outlet) -> None:
    # A GIF knows its number of frames only once it was read to the end; the others have it in the header.
    frames = 1 if image.format == "GIF" else int(getattr(image, "n_frames", 1))
    outlet.check_size(*image.size, frames)
    timeline, clock_s, shown_s, corrupt = Timeline(0), 0.0, 0.0, 0
    size: tuple[int, int] | None = None
    turn: Image.Transpose | None = None
    for picture in _frames(image):
        if picture is None:
            corrupt += 1
            break
        flat, shown_s = picture
        if size is None:
            # Not before the first frame is there: in a PNG this loads the pixels too, and what fails to load once
            # is blank, without an error, when it is asked for again.
            turn = _turn(image)
        upright = flat if turn is None else flat.transpose(turn)
        size = size or outlet.open(*upright.size)
        time_s = timeline.place(clock_s)
        clock_s += shown_s
        if outlet.due():
            outlet.frame(time_s, _fitted(upright, size).tobytes())
        else:
            outlet.skip()
    outlet.end(End(corrupt, 0.0, shown_s))


def _frames(image: Image.Image) -> Iterator[tuple[Image.Image, float] | None]:
    """RGB frames and how long each is shown, in seconds; None where the rest is lost."""
    # An animated PNG may carry a picture for viewers that can't animate; it is no part of the animation.
    start = 1 if image.info.get("default_image") else 0
    for n in range(start, 2**31):
        try:
            image.seek(n)
            image.load()
        except EOFError:
            return
        except (OSError, SyntaxError, ValueError):
            if n == start:
                raise
            yield None
            return
        yield _flat(image), _shown_s(image)


def _flat(image: Image.Image) -> Image.Image:
    """RGB in 8 bits, transparency on white."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if not transparent:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba).convert("RGB")


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - EXIF is parsed from hostile bytes; a picture without it is still one
        return None


def _shown_s(image: Image.Image) -> float:
    milliseconds: Any = image.info.get("duration", 0)
    seconds = float(milliseconds) / 1000 if isinstance(milliseconds, int | float) else 0.0
    return seconds if seconds > _SHORTEST_S else _DEFAULT_S


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BOX)
