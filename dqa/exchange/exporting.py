"""A user's choices as a file, for DQA itself and for other tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal

from pydantic import JsonValue

from dqa.errors import RecordNotFound
from dqa.exchange import label_studio, trl
from dqa.record import EvaluationRecord
from dqa.store import Store
from dqa.store.dossier import choice_line
from dqa.store.selections import Selection
from dqa.taste.style import NO_STYLE, Style

Format = Literal["jsonl", "trl", "label-studio"]

_CACHED = 256


class Export:
    """The choices of one user in one format.

    Attributes:
        left_out: after :meth:`pieces`, how many choices the format can't hold, by reason.

    Args:
        store: where they are kept.
        user: whose.
        style: what the user says they like; part of TRL's prompts.
    """

    def __init__(self, store: Store, user: str, style: Style = NO_STYLE) -> None:
        self.left_out: Counter[str] = Counter()
        self._store = store
        self._user = user
        self._style = style
        self._record: Callable[[str], EvaluationRecord | None] = lru_cache(_CACHED)(self._find)

    def pieces(self, kind: Format, *, records: bool = False) -> Iterator[str]:
        """The file's text, piece by piece.

        Args:
            kind: ``jsonl`` (what :func:`~dqa.exchange.importing.import_choices` reads back), ``trl`` (a line a
                preference) or ``label-studio`` (one list of annotated tasks).
            records: in ``jsonl``, put the evaluations' records in the place of their ids, so that another store can
                take them.
        """
        choices = self._store.users.choices(self._user)
        if kind == "jsonl":
            return (f"{json.dumps(self._line(choice, records))}\n" for choice in choices)
        if kind == "trl":
            return (f"{json.dumps(pair)}\n" for choice in choices if (pair := self._preference(choice)) is not None)
        return self._tasks(choices)

    def _line(self, choice: Selection, records: bool) -> dict[str, JsonValue]:
        line = choice_line(choice)
        if records:
            for side in ("a", "b"):
                record = self._record(str(line[side]))
                line[side] = line[side] if record is None else json.loads(record.to_json())
        return line

    def _preference(self, choice: Selection) -> dict[str, JsonValue] | None:
        sides = (choice.a, choice.b) if choice.chosen == "a" else (choice.b, choice.a)
        chosen, rejected = (self._record(clip) for clip in sides)
        if choice.chosen == "tie":
            self.left_out["ties"] += 1
        elif chosen is None or rejected is None:
            self.left_out["with a clip that has no evaluation here"] += 1
        elif chosen.prompt != rejected.prompt:
            self.left_out["between clips of different prompts"] += 1
        else:
            return trl.write(chosen, rejected, self._style)
        return None

    def _tasks(self, choices: Iterator[Selection]) -> Iterator[str]:
        yield "["
        written = 0
        for choice in choices:
            if choice.chosen == "tie":
                self.left_out["ties"] += 1
                continue
            task = label_studio.write(choice, self._record(choice.a), self._record(choice.b))
            yield f"{',' if written else ''}\n{json.dumps(task)}"
            written += 1
        yield "\n]\n"

    def _find(self, clip: str) -> EvaluationRecord | None:
        try:
            return self._store.get_record(clip)
        except RecordNotFound:
            return None
