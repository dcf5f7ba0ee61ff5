"""Pictures and clips of a run that may be killed at any moment: each is made once, and asked for anew if it failed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from dqa.errors import DQAError
from dqa.journal import Journal

_NOT_MADE = "not made"


def made_once(journal: Journal, run: str, file: Path, make: Callable[[str], Path]) -> Path:
    """The picture or clip at ``file``, which has no suffix yet: as it lies there, or made now.

    Args:
        journal: the run's log; a failure is written into it.
        run: the run's id.
        file: where it lies, or will, with the suffix that it turns out to have.
        make: makes it under a request id. After a kill that is the id of the request that may be under way; after a
            failure another one, since generators remember what failed under its id.

    Raises:
        DQAError: what ``make`` raised.
    """
    if there := sorted(path for path in file.parent.glob(f"{file.name}.*") if path.is_file()):
        return there[0]
    failures = sum(event["event"] == _NOT_MADE and event["stem"] == file.name for event in journal.events)
    try:
        return make(str(uuid.uuid5(uuid.NAMESPACE_URL, f"dqa:{run}:{file.name}:{failures}")))
    except DQAError as error:
        journal.write({"event": _NOT_MADE, "stem": file.name, "why": error.public()})
        raise
