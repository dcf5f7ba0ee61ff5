"""Reads and edits the text of a memory block without touching what is not ours.

Two forms exist in the field, and a block keeps the one it has:

* **lines**: flat text, one ``KEY: value`` a line; a list is JSON (also over several lines) or comma separated.
* **json**: one JSON object.

Whatever is not set stays byte for byte: foreign keys, comments, order, spacing, broken values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from pydantic import JsonValue

from dqa.errors import UsageError

Form = Literal["lines", "json"]

_KEY_LINE = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)[ \t]*:(?P<gap>[ \t]*)(?P<value>.*)", re.DOTALL)
_NEXT_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*[ \t]*:", re.MULTILINE)
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class BlockError(UsageError):
    """A block can't be edited without losing what somebody wrote in it."""

    type = "block"
    title = "The memory block can't be edited"


@dataclass(frozen=True, slots=True)
class _Span:
    """Where the value of a key stands in the text; ``text[start:end]`` is the value."""

    key: str
    start: int
    end: int


class Block(Protocol):
    """A parsed block. ``text`` is always what would be stored."""

    @property
    def form(self) -> Form: ...

    @property
    def text(self) -> str: ...

    @property
    def problems(self) -> list[str]: ...

    def names(self) -> list[str]: ...

    def raw(self, key: str) -> list[str]: ...

    def set(self, key: str, value: JsonValue) -> None: ...


def parse(text: str) -> Block:
    """Reads a block of either form. Never raises: what is broken is listed in ``problems``.

    >>> block = parse("# mine\\nMAX_RETRIES: 3\\nFAILURE_PATTERNS: blur, jitter\\n")
    >>> value(block, "FAILURE_PATTERNS")
    ['blur', 'jitter']
    >>> block.set("FAILURE_PATTERNS", ["flicker", "blur"])
    >>> block.text
    '# mine\\nMAX_RETRIES: 3\\nFAILURE_PATTERNS: flicker, blur\\n'
    """
    return _JsonBlock(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else _LineBlock(text)


def value(block: Block, key: str, default: JsonValue = None) -> JsonValue:
    """The value of ``key`` as data; the last one where a key stands twice; ``default`` where it stands nowhere.

    In the lines form a value that is no JSON is text, and text with commas is a list.
    """
    found = block.raw(key)
    if not found:
        return default
    return _loose(found[-1]) if block.form == "lines" else json.loads(found[-1])


def update(text: str, values: Mapping[str, JsonValue]) -> str:
    """``text`` with the keys of ``values`` set, in the form it has.

    Raises:
        BlockError: the text is broken JSON, where a key can't be placed safely.
    """
    block = parse(text)
    for key, new in values.items():
        block.set(key, new)
    return block.text


def first_text(form: Form, values: Mapping[str, JsonValue]) -> str:
    """A new block's text.

    >>> first_text("lines", {"MAX_RETRIES": 3, "FAILURE_PATTERNS": []})
    'MAX_RETRIES: 3\\nFAILURE_PATTERNS: []\\n'
    """
    return update("{\n}\n" if form == "json" else "", values)


@dataclass
class _LineBlock:
    """``KEY: value`` lines. Everything between two values is kept as it is."""

    text: str
    form: Form = field(default="lines", init=False)

    @property
    def problems(self) -> list[str]:
        return [
            f"the value of {span.key} starts like JSON but is not"
            for span in _line_spans(self.text)
            if self.text[span.start : span.end].startswith(("[", "{"))
            and _decoded(self.text[span.start : span.end]) is None
        ]

    def names(self) -> list[str]:
        return list(dict.fromkeys(span.key for span in _line_spans(self.text)))

    def raw(self, key: str) -> list[str]:
        return [self.text[span.start : span.end] for span in _line_spans(self.text) if span.key == key]

    def set(self, key: str, value: JsonValue) -> None:
        places = [span for span in _line_spans(self.text) if span.key == key]
        if not places:
            gap = "" if not self.text or self.text.endswith("\n") else "\n"
            self.text += f"{gap}{key}: {_line_value(value, '[]')}\n"
            return
        span = places[-1]
        old = self.text[span.start : span.end]
        new = _line_value(value, old)
        if span.start and self.text[span.start - 1] == ":" and new:
            new = f" {new}"
        self.text = self.text[: span.start] + new + self.text[span.end :]


def _line_spans(text: str) -> Iterator[_Span]:
    at = 0
    while at < len(text):
        stop = _line_end(text, at)
        match = _KEY_LINE.fullmatch(text, at, stop)
        if match is None:
            at = stop + 1
            continue
        start = match.start("value")
        end = _value_end(text, start, stop)
        while end > start and text[end - 1] in " \t\r":
            end -= 1
        yield _Span(match["key"], start, end)
        at = _line_end(text, end) + 1


def _value_end(text: str, start: int, stop: int) -> int:
    """Where a value ends: its line, or for JSON over several lines, its closing bracket."""
    opened = text[start : start + 1]
    if opened not in ("[", "{"):
        return stop
    # Valid JSON has no line that looks like a key's. So each value is read as far as the next key at most, and a block
    # full of broken values costs no more than its length.
    following = _NEXT_KEY.search(text, stop)
    complete = _decode_at(text[start : following.start() if following else len(text)], 0)
    end = len(text) if complete is None else start + complete[1]
    if end <= stop:
        return stop
    if complete is not None and not text[end : _line_end(text, end)].strip():
        return end
    # Broken JSON ends where the next key begins, so that one bad value takes nothing else with it.
    at = stop + 1
    while at < len(text):
        line = text[at : _line_end(text, at)]
        if _KEY_LINE.fullmatch(line) or line.startswith("#") or not line.strip():
            break
        stop = at + len(line)
        at = stop + 1
    return stop


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


@dataclass
class _JsonBlock:
    """One JSON object. Values are replaced in place; the rest of the text is never rewritten."""

    text: str
    form: Form = field(default="json", init=False)

    @property
    def problems(self) -> list[str]:
        _, broken = _json_spans(self.text)
        return [broken] if broken else []

    def names(self) -> list[str]:
        return list(dict.fromkeys(span.key for span in _json_spans(self.text)[0]))

    def raw(self, key: str) -> list[str]:
        return [self.text[span.start : span.end] for span in _json_spans(self.text)[0] if span.key == key]

    def set(self, key: str, value: JsonValue) -> None:
        spans, broken = _json_spans(self.text)
        if broken:
            raise BlockError(broken, fix="correct the block's JSON by hand (nothing in it was changed)")
        places = [span for span in spans if span.key == key]
        indent = _indent(self.text)
        new = json.dumps(value, ensure_ascii=False, indent=indent or None)
        new = new.replace("\n", "\n" + " " * indent)
        if places:
            self.text = self.text[: places[-1].start] + new + self.text[places[-1].end :]
            return
        self._append(spans, f"{json.dumps(key)}: {new}", indent)

    def _append(self, spans: list[_Span], member: str, indent: int) -> None:
        gap = "\n" + " " * indent if indent else ""
        if spans:
            at, new = spans[-1].end, f",{gap or ' '}{member}"
            self.text = self.text[:at] + new + self.text[at:]
        else:
            opened, closed = self.text.index("{") + 1, self.text.rindex("}")
            self.text = self.text[:opened] + gap + member + ("\n" if indent else "") + self.text[closed:]


def _json_spans(text: str) -> tuple[list[_Span], str]:
    """The members of the top object, and what is wrong with the text (empty when nothing is)."""
    spans: list[_Span] = []
    at = _skip(text, text.index("{") + 1)
    if text[at : at + 1] == "}":
        return spans, _tail_problem(text, at + 1)
    while True:
        name = _decode_at(text, at)
        if name is None or not isinstance(name[0], str):
            return spans, f"broken JSON at character {at}: a key in double quotes was expected"
        at = _skip(text, name[1])
        if text[at : at + 1] != ":":
            return spans, f"broken JSON at character {at}: ':' was expected after {name[0]!r}"
        at = _skip(text, at + 1)
        member = _decode_at(text, at)
        if member is None:
            return spans, f"broken JSON at character {at}: the value of {name[0]} can't be read"
        spans.append(_Span(name[0], at, member[1]))
        at = _skip(text, member[1])
        if text[at : at + 1] == "}":
            return spans, _tail_problem(text, at + 1)
        if text[at : at + 1] != ",":
            return spans, f"broken JSON at character {at}: ',' or '}}' was expected after the value of {name[0]}"
        at = _skip(text, at + 1)


def _tail_problem(text: str, at: int) -> str:
    return f"broken JSON: text after the closing brace at character {at}" if text[at:].strip() else ""


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _indent(text: str) -> int:
    match = re.search(r"\{\r?\n( +)\S", text)
    return len(match[1]) if match and not match[0].endswith("}") else (2 if "\n" in text.strip() else 0)


def _decode_at(text: str, at: int) -> tuple[JsonValue, int] | None:
    try:
        found, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return cast(JsonValue, found), end


def _decoded(text: str) -> tuple[JsonValue] | None:
    found = _decode_at(text, 0)
    return (found[0],) if found is not None and not text[found[1] :].strip() else None


def _loose(text: str) -> JsonValue:
    """A value of the lines form as data."""
    decoded = _decoded(text) if text else None
    if decoded is not None:
        return decoded[0]
    if "," in text and not text.startswith(("[", "{")):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _line_value(value: JsonValue, old: str) -> str:
    """``value`` on one line, a list in the style the key has now (one item alone would read back as text)."""
    if isinstance(value, str):
        return " ".join(value.split())
    commas = not old.startswith(("[", "{")) and old.strip() != ""
    if commas and isinstance(value, list) and len(value) > 1 and all(_plain(item) for item in value):
        return ", ".join(str(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _plain(item: JsonValue) -> bool:
    """May stand in a comma separated list and be read back as itself."""
    if not isinstance(item, str) or item != " ".join(item.split()) or not item or "," in item:
        return False
    return item[0] not in '[{"' and _decoded(item) is None
