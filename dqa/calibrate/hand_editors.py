"""A person, or a program, as editor: line by line, or by files in the run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dqa.calibrate.editor import Edit, EditRequest
from dqa.calibrate.wording import wordings
from dqa.errors import Cancelled, InvalidPrompt, TookTooLong
from dqa.prompt import check_prompt
from dqa.report.files import write_text

_POLL_S = 0.2


class AskEditor:
    """Tells what to correct, and reads a whole new prompt from a line; an empty one leaves the axis.

    Args:
        tell: shows a line.
        read: the next line, without its end; None when there is no more.
    """

    name = "ask"

    def __init__(self, tell: Callable[[str], None], read: Callable[[], str | None]) -> None:
        self._tell = tell
        self._read = read

    def propose(self, request: EditRequest) -> Edit | None:
        """See :class:`~dqa.calibrate.editor.Editor`."""
        for target in request.targets:
            self._tell(f"{target.axis.name} ({target.axis.definition})")
            self._tell(f"  the reference: {target.ref}; the picture: {target.gen} ({target.verdict})")
        self._tell(f"  the prompt: {request.prompt}")
        while True:
            self._tell("  the new prompt (empty: leave this axis; end of input: stop, and go on another time):")
            line = self._read()
            if line is None:
                raise Cancelled("no more answers", fix="run it again with the same --run-tag to go on")
            if not line.strip():
                return None
            edit = _checked(line, request, self._tell)
            if edit is not None:
                return edit


class FileEditor:
    """Writes ``ask.json`` and waits for ``answer.json`` with the same ``ask``: ``{"ask", "prompt", "wording"?}``.

    ``{"ask", "prompt": null}`` leaves the axis. ``ask`` is a number that grows with every question.

    Args:
        folder: where both lie.
        tell: shows a line.
        timeout_s: longest to wait for one answer.
    """

    name = "files"

    def __init__(self, folder: Path, tell: Callable[[str], None], timeout_s: float = 3600.0) -> None:
        self._folder = folder
        self._tell = tell
        self._timeout_s = timeout_s

    def propose(self, request: EditRequest) -> Edit | None:
        """See :class:`~dqa.calibrate.editor.Editor`."""
        number = self._last() + 1
        (self._folder / "answer.json").unlink(missing_ok=True)
        write_text(self._folder / "ask.json", json.dumps(_question(request, number), indent=2) + "\n")
        self._tell(f"waiting for {self._folder / 'answer.json'} (ask {number})")
        until = time.monotonic() + self._timeout_s
        while time.monotonic() < until:
            answer = _object(self._folder / "answer.json")
            if answer.get("ask") == number:
                prompt = answer.get("prompt")
                return _checked(prompt, request, self._tell, answer.get("wording")) if prompt else None
            time.sleep(_POLL_S)
        raise TookTooLong("nobody answered ask.json in time", fix="answer it and run it again with the same --run-tag")

    def _last(self) -> int:
        number = _object(self._folder / "ask.json").get("ask")
        return number if isinstance(number, int) else 0


def _question(request: EditRequest, number: int) -> dict[str, Any]:
    return {
        "ask": number,
        "prompt": request.prompt,
        "axes": [
            {
                "axis": target.axis.name,
                "definition": target.axis.definition,
                "verdict": target.verdict,
                "ref": target.ref,
                "gen": target.gen,
                "ways": list(wordings(target.axis, target.ref)),
            }
            for target in request.targets
        ],
        "reference": request.reference,
        "used": list(request.used),
    }


def _checked(line: object, request: EditRequest, tell: Callable[[str], None], wording: object = None) -> Edit | None:
    """The edit, unless the prompt is none or was tried; then the reason is told."""
    try:
        prompt = check_prompt(line if isinstance(line, str) else "")
    except InvalidPrompt as error:
        tell(f"  {error.public()}")
        return None
    if prompt in request.seen:
        tell("  that prompt was tried already")
        return None
    said = wording if isinstance(wording, str) and wording.strip() else "by hand"
    return Edit(prompt, (said.strip()[:200],) * len(request.targets))


def _object(path: Path) -> dict[str, Any]:
    try:
        data: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}
