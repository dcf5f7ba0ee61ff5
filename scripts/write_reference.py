"""Writes docs/reference/ from the code: the settings, and the help of every command. A test holds them together.

python scripts/write_reference.py
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.main import get_command

from dqa.cli import guard
from dqa.cli.app import app
from dqa.config import Settings

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def settings_page() -> str:
    """One row per setting."""
    rows = [
        f"| `{name}` | `DQA_{name.upper()}` | {_default(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return (
        "# Settings\n\n"
        "From flags, then `DQA_*` variables, then `$DQA_HOME/config.toml`; the first that speaks wins. "
        "An unknown name is an error.\nWritten by `scripts/write_reference.py`.\n\n"
        "| key in config.toml | variable | default | what it is |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if name == "home":
        return "`~/.dqa`"
    return "none" if field.default in (None, ()) else f"`{field.default}`"


def cli_page() -> str:
    """The help of `dqa` and of each command, as a terminal 100 columns wide shows it."""
    pages = [_help(), *(_help(*command) for command in _commands(get_command(app)))]
    return "# Commands\n\nWritten by `scripts/write_reference.py`.\n\n" + "\n\n".join(pages) + "\n"


def _commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, groups opened up."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*above, name))
        else:
            yield (*above, name)


def _help(*command: str) -> str:
    shown = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}), redirect_stdout(shown):
        code = guard.run([*command, "--help"])
    assert code == 0, command
    text = "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())
    return f"## dqa {' '.join(command)}".rstrip() + f"\n\n```text\n{text}\n```"


PAGES = {"settings.md": settings_page, "commands.md": cli_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (FOLDER / page).write_text(write(), encoding="utf-8")
        print(f"docs/reference/{page}")
