"""A person as writer, line by line."""

from __future__ import annotations

from collections.abc import Callable

from dqa.errors import Cancelled, InvalidPrompt
from dqa.refine.llm import usable
from dqa.refine.ports import WriteRequest
from dqa.refine.rules import RuleWriter


class AskWriter:
    """Tells how the last clip did, and reads a prompt from a line; an empty one takes what the rules suggest.

    Args:
        tell: shows a line.
        read: the next line, without its end; None when there is no more.
    """

    name = "ask"

    def __init__(self, tell: Callable[[str], None], read: Callable[[], str | None]) -> None:
        self._tell = tell
        self._read = read

    def write(self, request: WriteRequest) -> str:
        """See :class:`~dqa.refine.ports.Writer`."""
        suggested = RuleWriter().write(request)
        self._tell(f"the brief: {request.brief}")
        for tried in request.tried[-1:]:
            self._tell(f"  tried: {tried.prompt} (grade {tried.grade or 'none'})")
            for advice in tried.advice:
                self._tell(f"  advice: {advice}")
        for pattern in request.standards.avoid:
            self._tell(f"  has gone with rejected clips: {pattern}")
        self._tell(f"  suggested: {suggested}")
        while True:
            self._tell("  the prompt (empty: as suggested; end of input: stop, and go on another time):")
            line = self._read()
            if line is None:
                raise Cancelled("no more answers", fix="run it again with the same --out to go on")
            try:
                return usable(line) if line.strip() else suggested
            except InvalidPrompt as error:
                self._tell(f"  {error.public()}")
