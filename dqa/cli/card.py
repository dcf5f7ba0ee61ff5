"""A verdict for the eye: one clip as a card, several as a ranking with what sets them apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dqa.cli.output import clean, emit, one_line
from dqa.record import ChannelResult, EvaluationRecord
from dqa.report.compare import in_words
from dqa.synthesis import final_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_COLOURS = {"A": "green", "A-": "green", "B+": "green", "B": "green", "B-": "yellow", "C": "dark_orange", "F": "red"}


def show_card(name: str, record: EvaluationRecord) -> None:
    """Prints everything one verdict says."""
    _print(
        [_headline(name, record), _channels(record), *_paragraphs(record), _text(f"\nEvaluation {record.id}", "dim")]
    )


def show_ranking(ranked: Sequence[tuple[str, EvaluationRecord]]) -> None:
    """Prints several verdicts, best first, and why each is where it is."""
    _print([_ranking(ranked), *_apart(ranked), *_each(ranked)])


def score_text(score: float | None) -> str:
    """A score for the eye; the record keeps it unrounded."""
    return "-" if score is None else f"{score:.2f}"


def _final_text(record: EvaluationRecord) -> str:
    return "-" if record.final is None else final_text(record.final)


def _print(parts: Sequence[RenderableType]) -> None:
    emit(to_text(lambda console: [console.print(part) for part in parts]))


def to_text(draw: Callable[[Console], object]) -> str:
    """What ``draw`` prints, coloured if stdout is a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 120
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False, width=width)
    with console.capture() as capture:
        draw(console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(clean(text), style=style)


def _headline(name: str, record: EvaluationRecord) -> Text:
    from rich.text import Text

    colour = _COLOURS.get(record.grade or "", "magenta")
    line = Text()
    line.append(f" {record.grade or 'no grade'} ", style=f"bold reverse {colour}")
    line.append(f"  {_final_text(record)}  {record.action}", style=f"bold {colour}")
    line.append(f"   {one_line(name)}\n", style="bold")
    line.append(f"{_shortened(one_line(record.prompt))}\n", style="italic")
    media = record.media
    shape = f"{media.width}x{media.height}"
    if media.kind == "video":
        shape += f", {media.duration_s:.1f} s at {media.fps:.3g} fps"
    adherence = "not judged" if record.prompt_adherence is None else score_text(record.prompt_adherence)
    line.append(f"{media.kind}, {shape}; profile {record.profile}; prompt adherence {adherence}", style="dim")
    return line


def _shortened(text: str, limit: int = 400) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def _channels(record: EvaluationRecord) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, justify in (("channel", "left"), ("score", "right"), ("conf.", "right"), ("weight", "right")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("status", no_wrap=True)
    table.add_column("reason", ratio=1)
    for name, result in record.channels.items():
        weight = record.weights.get(name)
        table.add_row(
            _text(name, "bold"),
            score_text(result.score),
            score_text(result.confidence if result.score is not None else None),
            score_text(weight),
            _text(result.status, "" if result.status == "ok" else "dim"),
            _text(result.reason),
        )
        for part, score, reason in _parts(result):
            table.add_row(_text(f"  {part}", "dim"), _text(score_text(score), "dim"), "", "", "", _text(reason, "dim"))
    return table


def _parts(result: ChannelResult) -> Iterator[tuple[str, float | None, str]]:
    for name, dimension in (result.dimensions or {}).items():
        yield name.replace("_", " "), dimension.score, dimension.reason
    for name, axis in (result.axes or {}).items():
        yield name, axis.score, axis.reason


def _paragraphs(record: EvaluationRecord) -> Iterator[Text]:
    yield _text(record.reasoning)
    for title, lines in (("Advice", record.advice), ("Notes", record.notes)):
        if lines:
            yield _text(f"\n{title}", "bold")
            yield from (_text(f"  - {line}") for line in lines)


def _ranking(ranked: Sequence[tuple[str, EvaluationRecord]]) -> Table:
    from rich import box
    from rich.table import Table

    channels = list(ranked[0][1].channels)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("#", "clip", "grade", "final", "action", *channels):
        table.add_column(title, justify="right" if title in ("#", "final", *channels) else "left", overflow="fold")
    for place, (name, record) in enumerate(ranked, start=1):
        colour = _COLOURS.get(record.grade or "", "magenta")
        scores = [_cell(record.channels.get(channel)) for channel in channels]
        grade = _text(record.grade or "none", f"bold {colour}")
        table.add_row(str(place), _text(one_line(name)), grade, _final_text(record), record.action, *scores)
    return table


def _cell(result: ChannelResult | None) -> Text:
    if result is None:
        return _text("-")
    return _text(score_text(result.score)) if result.score is not None else _text(result.status, "dim")


def _apart(ranked: Sequence[tuple[str, EvaluationRecord]]) -> Iterator[Text]:
    yield _text("What sets them apart", "bold")
    for place, ((name, better), (other, worse)) in enumerate(pairwise(ranked), start=1):
        names = (f"{one_line(name)}", f"{one_line(other)}")
        yield _text(f"  {place} over {place + 1}: {' '.join(in_words(better, worse, names))}")


def _each(ranked: Sequence[tuple[str, EvaluationRecord]]) -> Iterator[Text]:
    for place, (name, record) in enumerate(ranked, start=1):
        yield _text(f"\n{place}. {one_line(name)}", "bold")
        yield _text(f"   {record.reasoning}")
        yield from (_text(f"   - {line}") for line in record.advice)
        yield _text(f"   Evaluation {record.id}", "dim")
