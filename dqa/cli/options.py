"""The options that several commands share, with one wording each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from dqa.errors import UsageError


def finite(option: str, value: float) -> float:
    """The value of ``option``, which "inf" and "nan" are none for.

    Raises:
        UsageError: it is not a finite number.
    """
    if not math.isfinite(value):
        raise UsageError("input should be a finite number", fix="correct it", where=option)
    return value


Home = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="The state folder. [DQA_HOME; ~/.dqa]", show_default=False),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="Which models judge. [DQA_PROFILE; embedded]", show_default=False),
]
User = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="Whose taste counts. [DQA_USER; default]", show_default=False),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Seed of everything random. [DQA_SEED; 0]", show_default=False),
]
BenchmarkBackend = Annotated[
    str | None,
    typer.Option(
        "--benchmark-backend",
        metavar="measured|vbench",
        help="What judges the benchmark channel. [DQA_BENCHMARK_BACKEND; the profile's]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr; errors only.")]
