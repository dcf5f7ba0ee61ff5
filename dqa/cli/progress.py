"""Progress on stderr: a bar on a terminal, plain lines in a log, nothing with ``--quiet``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from dqa.cli.output import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Progress(Protocol):
    """Told of each item as it starts, moves through its stages and ends. Used with ``with``."""

    def __enter__(self) -> Progress: ...
    def __exit__(self, *_: object) -> None: ...
    def item(self, name: str) -> None:
        """The next item starts."""
        ...

    def stage(self, stage: str, share: float) -> None:
        """The current item is in ``stage``, ``share`` (0 to 1) of it done."""
        ...

    def done(self, outcome: str) -> None:
        """The current item ended, with ``outcome`` in a few words."""
        ...


def make_progress(total: int, *, quiet: bool, already: int = 0) -> Progress:
    """The progress display for ``total`` items, of which ``already`` were done by an earlier run."""
    if quiet:
        return _Silent()
    return _Bar(total, already) if sys.stderr.isatty() else _Lines(total, already)


class _Silent:
    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def item(self, name: str) -> None:
        del name

    def stage(self, stage: str, share: float) -> None:
        del stage, share

    def done(self, outcome: str) -> None:
        del outcome


class _Lines(_Silent):
    """One line an item, with the rate and the time left."""

    def __init__(self, total: int, already: int) -> None:
        self._total, self._already = total, already
        self._finished = 0
        self._started = time.monotonic()
        self._name = ""

    def item(self, name: str) -> None:
        self._name = name

    def done(self, outcome: str) -> None:
        self._finished += 1
        per_item = (time.monotonic() - self._started) / self._finished
        place = self._already + self._finished
        left = self._total - place
        pace = f"{per_item:.1f} s each" + (f", about {clock(left * per_item)} left" if left else "")
        _write(f"[{place}/{self._total}] {self._name}: {outcome} ({pace})")


class _Bar(_Silent):
    def __init__(self, total: int, already: int) -> None:
        self._total, self._already = total, already
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._finished = 0
        self._name = ""

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            *((TextColumn("{task.fields[place]}", markup=False),) if self._total > 1 else ()),
            TimeElapsedColumn(),
            *((TimeRemainingColumn(elapsed_when_finished=True),) if self._total > 1 else ()),
            console=Console(stderr=True, markup=False, emoji=False, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=self._total, completed=self._already, place=self._place())
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def item(self, name: str) -> None:
        self._name = name
        self._show(name, 0.0)

    def stage(self, stage: str, share: float) -> None:
        self._show(f"{self._name}: {stage}", share)

    def done(self, outcome: str) -> None:
        self._finished += 1
        self._show(f"{self._name}: {outcome}", 0.0)
        if self._bar is not None and self._total > 1:
            self._bar.console.print(f"{one_line(self._name)}: {one_line(outcome)}")

    def _show(self, description: str, share: float) -> None:
        if self._bar is not None and self._task is not None:
            done = self._already + self._finished + min(max(share, 0.0), 1.0)
            self._bar.update(self._task, description=one_line(description)[:60], completed=done, place=self._place())

    def _place(self) -> str:
        return f"{self._already + self._finished}/{self._total}"


def clock(seconds: float) -> str:
    """``75`` -> ``1:15``; ``3675`` -> ``1:01:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _write(text: str) -> None:
    try:
        sys.stderr.write(one_line(text) + "\n")
        sys.stderr.flush()
    except OSError:
        return
