"""Decodes mp4, mov and webm, packet by packet, in the decoder process.

One thread on purpose: with FFmpeg's frame threads the concealment of a damaged frame depends on timing, and the same
file must give the same pixels. The process runs beside its reader as it is.

Pixels that are not square are shown as they are coded. A file that names no colour matrix is read as BT.601, as
FFmpeg, OpenCV and the writers of most generated clips do; one that names its matrix and range is believed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.subtitles import codeccontext, stream
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from dqa.clip.container import webm_is_cut_short
from dqa.clip.orientation import Orientation
from dqa.clip.outlet import Buffer, Outlet, Refusal
from dqa.clip.protocol import Code, End, Request
from dqa.clip.timeline import Timeline, sane_rate

# PyAV would import these on first need, when nothing can be opened any more.
_NEEDED = (codeccontext, stream)
_DEMUXER = {"mp4": "mov", "mov": "mov", "webm": "matroska"}
_IO_BYTES = 2**20
_HEAD_BYTES = 4096
# A demuxer that fails this often in a row has lost the thread, and would go on failing for ever.
_MAX_FAILURES = 64


def decode(file: BinaryIO, request: Request, outlet: Outlet) -> None:
    """Sends every frame of a video to the outlet.

    Raises:
        Refusal: it has no video, or breaks a limit.
    """
    av.logging.set_level(None)
    cut_short = webm_is_cut_short(file.read(_HEAD_BYTES), os.fstat(file.fileno()).st_size)
    file.seek(0)
    try:
        container = av.open(
            file, "r", format=_DEMUXER[request.container], metadata_errors="replace", buffer_size=_IO_BYTES
        )
    except FFmpegError:
        raise Refusal(Code.BROKEN) from None
    with container:
        track = _video_track(container)
        outlet.check_size(track.width, track.height, max(1, track.frames))
        _Decoder(container, track, request, outlet).run(int(cut_short))


class _Decoder:
    def __init__(self, container: InputContainer, track: VideoStream, request: Request, outlet: Outlet) -> None:
        self._container = container
        self._track = track
        self._outlet = outlet
        self._rate = _rate(track)
        self._timeline = Timeline(self._rate)
        self._canvas: _Canvas | None = None
        self._corrupt = 0
        self._tail_s = 0.0
        self._read = 0
        self._is_iso = _DEMUXER[request.container] == "mov"
        track.codec_context.thread_count = 1
        # A stream may change its size midway. The exact check comes with the frame; this one is for the decoder, which
        # counts its padding too, to refuse before it takes the memory.
        track.codec_context.options = {"max_pixels": str(2 * request.max_pixels + 2**18)}

    def run(self, corrupt: int) -> None:
        for frame in self._frames():
            self._send(frame)
        self._outlet.end(End(corrupt + self._corrupt + self._missing(), self._rate, self._tail_s))

    def _missing(self) -> int:
        """Packets that the table of an mp4 or mov lists and the file does not hold: it was cut short."""
        listed = len(self._track.index_entries) if self._is_iso else 0
        return max(0, listed - self._read)

    def _frames(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                self._corrupt += 1
                continue
            flagged = packet.is_corrupt or any(frame.is_corrupt for frame in frames)
            self._corrupt += flagged
            yield from frames

    def _packets(self) -> Iterator[Any]:
        failures = 0
        while failures < _MAX_FAILURES:
            try:
                for packet in self._container.demux(self._track):
                    failures = 0
                    self._read += packet.size > 0
                    yield packet
                return
            except FFmpegError:
                failures += 1
                self._corrupt += 1

    def _send(self, frame: VideoFrame) -> None:
        self._outlet.check_size(frame.width, frame.height)
        if self._canvas is None:
            self._canvas = _Canvas(frame, self._outlet)
        time_s = self._timeline.place(_seconds(frame.pts, frame.time_base))
        self._tail_s = max(0.0, _seconds(frame.duration, frame.time_base) or 0.0)
        if self._outlet.due():
            self._outlet.frame(time_s, self._canvas.pixels(frame))
        else:
            self._outlet.skip()


class _Canvas:
    """Turns frames into upright RGB of the size of the first one, as a player's window does."""

    def __init__(self, first: VideoFrame, outlet: Outlet) -> None:
        self._orientation = Orientation(_matrix(first))
        sent = outlet.open(*self._orientation.size(first.width, first.height))
        self._size = self._orientation.size(*sent)
        self._reformatter = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> Buffer:
        width, height = self._size
        alpha = any(component.is_alpha for component in frame.format.components)
        shrinks = width < frame.width or height < frame.height
        picture = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba" if alpha else "rgb24",
            interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
            threads=1,
        )
        flat = _on_white(picture) if alpha else _packed(picture, width * 3)
        return self._orientation.apply(width, height, flat)


def _packed(picture: VideoFrame, row_bytes: int) -> Buffer:
    """The pixels without the padding at the ends of the rows; not copied if there is none."""
    plane = picture.planes[0]
    data = memoryview(plane)
    if plane.line_size == row_bytes:
        return data[: row_bytes * picture.height]
    starts = range(0, plane.line_size * picture.height, plane.line_size)
    return b"".join(data[start : start + row_bytes] for start in starts)


def _on_white(picture: VideoFrame) -> bytes:
    size = (picture.width, picture.height)
    image = Image.frombytes("RGBA", size, bytes(_packed(picture, picture.width * 4)))
    return Image.alpha_composite(Image.new("RGBA", size, (255, 255, 255, 255)), image).convert("RGB").tobytes()


def _video_track(container: InputContainer) -> VideoStream:
    for track in container.streams.video:
        # Without a decoder there is no codec context, whatever the stubs say.
        decodable = getattr(track, "codec_context", None) is not None
        # The cover of a sound file is a video track by name only.
        if decodable and not track.disposition & Disposition.attached_pic:
            return track
    # Tracks of no known kind are what is left of a table of contents that was cut.
    whole = any(track.type in ("video", "audio", "subtitle") for track in container.streams)
    raise Refusal(Code.NO_VIDEO if whole else Code.BROKEN)


def _rate(track: VideoStream) -> float:
    rates = (sane_rate(float(rate)) for rate in (track.average_rate, track.guessed_rate) if rate)
    return next((rate for rate in rates if rate), 0.0)


def _seconds(stamp: int | None, base: Fraction | None) -> float | None:
    return None if stamp is None or base is None else float(stamp * base)


def _matrix(frame: VideoFrame) -> bytes | None:
    side_data: Any = frame.side_data
    data = side_data.get(SideData.DISPLAYMATRIX)
    return None if data is None else bytes(data)
