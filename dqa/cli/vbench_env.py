"""``dqa models vbench-env``: the environment that the official ``vbench`` package runs in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, Quiet
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.errors import UsageError


def command(
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is there and which dimensions can run.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the environment; the weights stay.")] = False,
    non_commercial: Annotated[
        bool,
        typer.Option("--non-commercial", help="Also run what may not be used commercially: AMT, and MUSIQ (pyiqa)."),
    ] = False,
    python: Annotated[
        Path | None, typer.Option("--python", metavar="PATH", help="A Python 3.11; default the running one.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Make the environment of the official vbench package, for --benchmark-backend vbench.

    It takes over 2 GB and some minutes, once; run again, it goes on where it was, or says that all is there. VBench's
    weights are not fetched: the list says which file goes where. Exit code 4 if it can't be made or does not work.
    """
    from dqa.models.vbench_env.environment import VBenchEnvironment

    if check + remove + (non_commercial or python is not None) > 1:
        raise UsageError(
            "these don't go together", fix="give --check, --remove or neither", where="dqa models vbench-env"
        )
    environment = VBenchEnvironment(runtime.settings_from(home=home).home)
    if remove:
        there = environment.remove()
        if not quiet:
            say(f"{environment.folder} {'removed' if there else 'was not there'}; weights are kept.")
        return 0
    if not check:
        tell = _silent if quiet else _told
        environment.create(tell, python=python, non_commercial=non_commercial)
    environment.require()
    _show(environment, as_json=as_json)
    return 0


def _show(environment: Any, *, as_json: bool) -> None:
    """What the environment holds, asked of itself, and which dimensions can run."""
    from dqa.models.vbench_env.client import VBenchRunner
    from dqa.models.vbench_env.dimensions import NOT_FOR_ONE_CLIP, OFFICIAL

    runner = VBenchRunner(environment)
    try:
        hello = runner.hello()
    finally:
        runner.close()
    blocked = environment.blocked()
    if as_json:
        emit_json(
            {
                "folder": str(environment.folder),
                "weights": str(environment.weights),
                "python": hello.python,
                "versions": hello.versions,
                "non_commercial": environment.non_commercial,
                "dimensions": {name: {"runs": name not in blocked, "lacks": blocked.get(name)} for name in OFFICIAL},
                "not_for_one_clip": NOT_FOR_ONE_CLIP,
            }
        )
        return
    emit(f"{environment.folder}: Python {hello.python}, {', '.join(f'{k} {v}' for k, v in hello.versions.items())}")
    emit(f"weights: {environment.weights}")
    for name in OFFICIAL:
        emit(f"{name}: {one_line(blocked.get(name, 'runs'))}")
    for name, why in NOT_FOR_ONE_CLIP.items():
        emit(f"{name}: not for one clip; it {why}")


def _told(words: str) -> None:
    say(one_line(words))


def _silent(words: str) -> None:
    del words
