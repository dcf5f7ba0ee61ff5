"""Takes the one file out of a multipart form as it streams by."""

from __future__ import annotations

from typing import Self

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dqa.service.problems import InvalidRequest

_FIELD = b"file"
_MAX_PARTS = 16
_MAX_HEADER_BYTES = 4096


class FilePart:
    """Feeds a form through, and yields the bytes of its field ``file``. A form of too many parts is refused early."""

    def __init__(self, boundary: bytes) -> None:
        self._parts = 0
        self._files = 0
        self._in_file = False
        self._name = ""
        self._ended = False
        self._header = [b"", b""]
        self._disposition = b""
        self._out: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_header_field": lambda data, start, end: self._grow(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._grow(1, data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_end": self._end,
            },
        )

    @classmethod
    def of(cls, content_type: str) -> Self | None:
        """A reader for a form; None when the body is the file itself.

        Raises:
            InvalidRequest: a form without a boundary.
        """
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            return None
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= 256:
            raise _malformed()
        return cls(boundary)

    def feed(self, chunk: bytes) -> list[bytes]:
        """What of this chunk belongs to the file."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _malformed() from None
        out, self._out = self._out, []
        return out

    def finish(self) -> str:
        """The file's name as sent; raises ``InvalidRequest`` if the form was cut short or held no file."""
        if not self._ended:
            raise _malformed()
        if self._files != 1:
            raise InvalidRequest("the form has no field named file", fix="send one file, in the field file")
        return self._name

    def _begin(self) -> None:
        self._parts += 1
        self._disposition = b""
        self._header = [b"", b""]
        if self._parts > _MAX_PARTS:
            raise InvalidRequest(f"the form has over {_MAX_PARTS} fields", fix="send one file, in the field file")

    def _grow(self, which: int, data: bytes) -> None:
        self._header[which] += data
        if len(self._header[which]) > _MAX_HEADER_BYTES:
            raise InvalidRequest("a header in the form is too long", fix="shorten the file name")

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._in_file = options.get(b"name") == _FIELD
        if self._in_file:
            self._files += 1
            self._name = options.get(b"filename", b"").decode("utf-8", errors="replace")
        if self._files > 1:
            raise InvalidRequest("the form has several files", fix="send one file, in the field file")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._out.append(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _malformed() -> InvalidRequest:
    return InvalidRequest("the form is malformed", fix="send multipart/form-data with one field named file")
