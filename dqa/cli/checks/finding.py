"""One finding of ``dqa doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, and what to do about it.

    Attributes:
        level: ``fail`` only for what the chosen profile can't do without.
        fix: what to do; empty where nothing needs doing.
    """

    check: str
    level: Level
    found: str
    fix: str = ""
