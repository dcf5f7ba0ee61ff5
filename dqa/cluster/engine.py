"""Grading on a cluster: how many evaluators, with what each, for how long."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dqa.cluster.connect import connected
from dqa.cluster.crew import Ask, Crew, Outcome
from dqa.cluster.member import MARK
from dqa.cluster.messages import Line
from dqa.config import Settings
from dqa.errors import UnavailableError
from dqa.models.profiles import load_profile
from dqa.taste.taste import Taste

__all__ = ["Line", "grade"]

_PROCESS_GB = 1.5
"""Host memory of an evaluator besides its models: Python, torch, a clip of full HD and its decoder (measured 1.0)."""


def grade(
    settings: Settings,
    lines: Sequence[Line],
    *,
    factory: str,
    taste: Callable[[str], Taste | None],
    say: Callable[[str], None],
    size: int | None = None,
) -> Generator[tuple[int, Outcome]]:
    """Grades lines on the cluster of ``settings``, or on one that is started for it.

    Args:
        settings: of the evaluators; their state folder and the clips must be there on every machine.
        lines: what to grade.
        factory: ``module:function`` that makes an evaluator of settings and a source of tastes.
        taste: finds a user's serving taste.
        say: tells a person something.
        size: evaluators at once; default one for each GPU, or on a CPU profile as many as processors and memory allow.

    Yields:
        Each line's index and verdict or error, as they are done.

    Raises:
        UsageError: the cluster takes anyone.
        ConfigError: a machine has another version of DQA, or not the state folder.
        UnavailableError: there is no cluster, it has no GPU where the profile wants one, or no evaluator stays up.
    """
    if not lines:
        return
    with connected(settings.ray_address) as ray, _mark(settings.home) as mark:
        device = load_profile(settings.profile).device
        most = size or _room(ray.cluster_resources(), device, settings)
        resources: dict[str, float] = {"num_cpus": 1, "num_gpus": 1 if device == "cuda" else 0}
        ask = Ask(_without_secrets(settings), factory, mark, taste, say)
        yield from Crew(ray, ask, lines, min(most, len(lines)), resources).work()


def _room(resources: dict[str, Any], device: Literal["cpu", "cuda", "remote"], settings: Settings) -> int:
    if device == "cuda":
        gpus = int(resources.get("GPU", 0))
        if gpus < 1:
            raise UnavailableError(
                f"profile {settings.profile} wants a GPU, and the cluster has none", fix="use another --profile"
            )
        return gpus
    models = sum(component.memory_gb for component in load_profile(settings.profile).components)
    by_memory = resources.get("memory", 0) / 1e9 / (_PROCESS_GB + models)
    return max(1, int(min(resources.get("CPU", 1), by_memory)))


def _without_secrets(settings: Settings) -> Settings:
    """What evaluators need not know: they neither serve nor open the store."""
    return settings.model_copy(update={"token": None, "database_url": None})


@contextmanager
def _mark(home: Path) -> Generator[str]:
    """A file by which a machine recognises the state folder."""
    folder = home / MARK
    name = secrets.token_hex(8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise UnavailableError(
            f"the state folder can't be written ({what})", fix="set DQA_HOME", where=str(home)
        ) from None
    try:
        yield name
    finally:
        (folder / name).unlink(missing_ok=True)
