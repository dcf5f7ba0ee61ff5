"""Who edits in ``dqa calibrate run``, made from its options."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dqa.cli.output import say
from dqa.cli.text_model import text_model
from dqa.config import Settings
from dqa.errors import UsageError

if TYPE_CHECKING:
    from dqa.calibrate.editor import Editor, Gains
    from dqa.cli.calibrating import Bench

EditorName = Literal["rules", "llm", "agent", "ask", "files"]


@dataclass(frozen=True, slots=True)
class Who:
    """The options that name an editor."""

    editor: EditorName
    url: str | None
    model: str | None
    letta_url: str | None
    letta_key: str | None


def check(who: Who) -> None:
    """Refuses options of an editor that was not chosen; a key may stand in the environment for other commands.

    Raises:
        UsageError: there is one.
    """
    if who.editor != "llm" and (who.url or who.model):
        raise UsageError(
            "--editor-url and --editor-model belong to --editor llm", fix="say --editor llm, or leave them"
        )
    if who.editor != "agent" and who.letta_url:
        raise UsageError("--letta-url belongs to --editor agent", fix="say --editor agent, or leave it")


def editor_for(who: Who, bench: Bench, gains: Gains, folder: Path) -> Editor:
    """The editor.

    Args:
        gains: what wordings brought in earlier runs.
        folder: the run's, where an editor's files lie.

    Raises:
        UnavailableError: the model, the Letta server or its agent is not there.
    """
    from dqa.calibrate.hand_editors import AskEditor, FileEditor
    from dqa.calibrate.rules import RuleEditor

    if who.editor == "rules":
        return RuleEditor(bench.axes, gains)
    if who.editor == "ask":
        return AskEditor(say, _next_line)
    if who.editor == "files":
        return FileEditor(folder, say)
    return _agent(who, bench.settings, gains) if who.editor == "agent" else _model(who, bench.settings)


def _agent(who: Who, settings: Settings, gains: Gains) -> Editor:
    from dqa.agenthost.calibrator import AgentEditor, find_calibrator
    from dqa.agenthost.letta import LettaHost
    from dqa.cli.letta_options import connection

    link = connection(settings, who.letta_url, who.letta_key)
    host = LettaHost(link.letta_url, link.letta_key)
    host.check()
    return AgentEditor(host, find_calibrator(host), gains, say)


def _model(who: Who, settings: Settings) -> Editor:
    from dqa.calibrate.llm_editor import LlmEditor

    model = text_model(settings, "editor", who.url, who.model)
    return LlmEditor(model, model.model)


def _next_line() -> str | None:
    return sys.stdin.readline() or None
