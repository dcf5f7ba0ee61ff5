"""The arguments of ``propose_edit`` for a calibrator's task, by the rule editor: no language model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_NOTHING: Mapping[str, Any] = {}


@lru_cache(maxsize=4)
def correction(text: str) -> Mapping[str, Any]:
    """The arguments for the task that a message holds; empty where it holds none.

    An axis that the rules have nothing (more) to say on is left.
    """
    if "\ntask: " not in text:  # most messages: the calibrator is loaded for none of them
        return _NOTHING
    from dqa.calibrate.axes import Axes, default_axes
    from dqa.calibrate.editor import together
    from dqa.calibrate.rules import RuleEditor
    from dqa.calibrate.task import axis_of, read_task

    asked = read_task(text)
    if asked is None:
        return _NOTHING
    request, gains = asked
    own = {target.axis.name: target.axis for target in request.targets}
    axes = Axes(tuple({**{axis.name: axis for axis in default_axes()}, **own}.values()))
    edit = RuleEditor(axes, gains).propose(request)
    if edit is None:
        return {"axis": axis_of(request), "wording": "", "prompt": "", "leave": True}
    return {"axis": axis_of(request), "wording": together(edit.wordings), "prompt": edit.prompt, "leave": False}
