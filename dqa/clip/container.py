"""Which container a file is, by its bytes; its name plays no part.

Only what is on the list is ever handed to a decoder, and then as that format and no other: FFmpeg never gets
to guess, since its guesses include playlists (HLS, concat, SDP) that name further files to open.

Generic Matroska is left out on purpose. WebM is the subset of it that a web page can show, and the one that
generators write; the rest can hold any codec and attachments, which is more surface than use.
"""

from __future__ import annotations

import enum
from pathlib import Path

from dqa.errors import Undecodable, UnsupportedMedia

FORMATS = "mp4, mov, webm, gif, webp, png or jpg"
_HEAD_BYTES = 4096
_EBML = b"\x1a\x45\xdf\xa3"
_EBML_DOCTYPE = b"\x42\x82"
_SEGMENT = b"\x18\x53\x80\x67"
# QuickTime files from before 2000 and from some cameras start without the ftyp box.
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# These share the ftyp box with mp4, but are pictures or sound that the mp4 reader can't show.
_OTHER_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx ", b"jp2 ")


class Container(enum.StrEnum):
    """The formats DQA opens. PNG includes animated PNG, GIF and WebP their animated forms."""

    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"
    GIF = "gif"
    WEBP = "webp"
    PNG = "png"
    JPG = "jpg"

    @property
    def is_picture(self) -> bool:
        """Whether this is read by the picture decoder; such a file with a single frame is a still."""
        return self in (Container.GIF, Container.WEBP, Container.PNG, Container.JPG)


def sniff(path: Path) -> Container:
    """The container of a file, by its first bytes.

    Raises:
        UnsupportedMedia: not on the list.
        Undecodable: the file is empty.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return sniff_bytes(file.read(_HEAD_BYTES), where=str(path))


def sniff_bytes(head: bytes, *, where: str | None = None) -> Container:
    """The container of a file that starts with ``head``; raises as :func:`sniff` does.

    >>> sniff_bytes(b"GIF89a" + bytes(10)).value
    'gif'
    """
    if not head:
        raise Undecodable("the file is empty", fix=f"give an {FORMATS} file", where=where)
    found = _by_signature(head) or _iso_media(head) or _ebml(head)
    if found is None:
        raise UnsupportedMedia("not a supported video or image", fix=f"give an {FORMATS} file", where=where)
    return found


def _by_signature(head: bytes) -> Container | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Container.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Container.JPG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Container.GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Container.WEBP
    return None


def _iso_media(head: bytes) -> Container | None:
    kind = head[4:8]
    if kind == b"ftyp":
        brand = head[8:12]
        if brand in _OTHER_BRANDS:
            return None
        return Container.MOV if brand == b"qt  " else Container.MP4
    return Container.MOV if kind in _QUICKTIME_ATOMS and int.from_bytes(head[:4], "big") != 0 else None


def _ebml(head: bytes) -> Container | None:
    if not head.startswith(_EBML):
        return None
    at = head.find(_EBML_DOCTYPE, 4, 64)
    # The element's size is one byte with the top bit set: 0x84 for the four letters of "webm".
    return Container.WEBM if at > 0 and head[at + 2 : at + 7] == b"\x84webm" else None


def webm_is_cut_short(head: bytes, size: int) -> bool:
    """Whether a WebM file of ``size`` bytes that starts with ``head`` ends before its Segment says it does.

    WebM has no list of its packets, so a copy that broke off plays as a shorter clip and nothing else tells.
    """
    if not head.startswith(_EBML):
        return False
    header = _vint(head, 4)
    if header is None or not head.startswith(_SEGMENT, header[1] + header[0]):
        return False
    segment = _vint(head, header[1] + header[0] + len(_SEGMENT))
    return segment is not None and segment[1] + segment[0] > size


def _vint(data: bytes, at: int) -> tuple[int, int] | None:
    """An EBML number and the offset behind it; None if it is cut off or means "unknown"."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    raw = data[at : at + width]
    if not 1 <= width <= 8 or len(raw) < width:
        return None
    value = int.from_bytes(raw, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else (value, at + width)
