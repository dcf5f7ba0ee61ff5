"""How a prompt can say a value of an axis: the phrases, in the order they are tried."""

from __future__ import annotations

from dqa.calibrate.axes import Axis


def wordings(axis: Axis, value: str) -> tuple[str, ...]:
    """Phrases for a value (without its figure): those the value brings, then the lever's; each once.

    >>> from dqa.calibrate.axes import default_axes
    >>> wordings(default_axes()["background_colour"], "red")
    ('red background', 'everything behind is red')
    """
    known = axis.value(value)
    said = [] if known is None else list(known.say)
    return tuple(dict.fromkeys([*said, *(template.replace("{value}", value) for template in axis.lever)]))


def first_wording(axis: Axis, value: str) -> str:
    """The best of :func:`wordings`."""
    return wordings(axis, value)[0]


def swaps(axis: Axis, value: str) -> tuple[str, ...]:
    """A word or two for a value, that can stand where another value's stands."""
    known = axis.value(value)
    said = [] if known is None else list(known.words)
    return tuple(dict.fromkeys([*said, *(template.replace("{value}", value) for template in axis.words)]))
