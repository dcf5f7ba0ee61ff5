"""DQA: grades AI-generated video against its prompt, learns taste from choices, refines the prompt.

>>> from dqa import evaluate
>>> record = evaluate("clip.mp4", "a dark wolf prowling through a moonlit forest")  # doctest: +SKIP
>>> record.grade  # doctest: +SKIP
'B+'

Names are imported on first use, so that ``import dqa`` is quick and loads no model code.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dqa.config import Settings, load_settings
    from dqa.errors import DQAError
    from dqa.evaluator import Evaluator, evaluate
    from dqa.record import EvaluationRecord

_HOMES = {
    "DQAError": "dqa.errors",
    "EvaluationRecord": "dqa.record",
    "Evaluator": "dqa.evaluator",
    "Settings": "dqa.config",
    "evaluate": "dqa.evaluator",
    "load_settings": "dqa.config",
}

__all__ = ["DQAError", "EvaluationRecord", "Evaluator", "Settings", "__version__", "evaluate", "load_settings"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dqa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
