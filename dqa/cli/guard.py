"""What every command runs under: each failure becomes one sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from dqa.cli.output import StdoutClosed, StdoutUnwritable, flush, say
from dqa.errors import DQAError, UnavailableError

INTERRUPTED = 130
PIPE_CLOSED = 141  # what a shell reports for a program ended by SIGPIPE


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    _replace_closed_streams()
    _tolerate_odd_names()
    try:
        return _command(arguments)
    except StdoutClosed:
        _abandon_stdout()
        return PIPE_CLOSED
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted")
        return INTERRUPTED
    except TyperException as error:
        say(_usage_sentence(error))
        return 2
    except DQAError as error:
        say(error.sentence())
        if isinstance(error, StdoutUnwritable):
            _abandon_stdout()
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last line of defence: a sentence and a log instead of a traceback
        from dqa.cli.logs import crash_sentence

        say(crash_sentence(error))
        if isinstance(error, OSError):  # perhaps a full disk under typer's help: the last flush would fail once more
            _abandon_stdout()
        return UnavailableError.exit_code


def _command(arguments: Sequence[str] | None) -> int:
    from dqa.cli.app import app

    result = typer.main.get_command(app).main(args=arguments, prog_name="dqa", standalone_mode=False)
    flush()
    return result if isinstance(result, int) else 0


def _usage_sentence(error: TyperException) -> str:
    """``dqa: missing option '--prompt'; see dqa evaluate --help``"""
    what = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "dqa"
    return f"{what[:1].lower()}{what[1:]}; see {command} --help."


def _replace_closed_streams() -> None:
    """Who closed stdout or stderr (``2>&-``) wants nothing of it; what goes to the other must not be lost for that."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the whole process


def _tolerate_odd_names() -> None:
    """A file name that is not valid UTF-8 must not end a report on it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _abandon_stdout() -> None:
    """Points stdout to nowhere, so that the interpreter's last flush doesn't complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
