"""The one thing that Letta's own database is asked for: a group's turn counter, for which Letta has no route."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from dqa.agenthost.runtime.environment import Environment
from dqa.agenthost.runtime.layout import existing_layout, read_secret
from dqa.agenthost.runtime.postgres import Postgres
from dqa.agenthost.runtime.state import read_state
from dqa.config import Settings
from dqa.errors import UsageError

_GROUP = re.compile(r"group-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def turn_counter_reset(settings: Settings) -> Callable[[str], None] | None:
    """What sets a sleeptime group's counter to 0, so that it wakes on turn 5, not 1; None with another's server."""
    layout = existing_layout(settings.home)
    state = read_state(layout.state_file)
    password = read_secret(layout.secret_file("postgres_password"))
    if state is None or state.postgres_port is None or password is None:
        return None
    programs = Environment(Path(state.environment)).postgres_programs
    postgres = Postgres(programs, layout.database, state.postgres_port, password, identity=None)

    def reset(group_id: str) -> None:
        if not _GROUP.fullmatch(group_id):
            raise UsageError(f"{group_id!r} is no id of a group", fix="give one that the server gave")
        postgres.query(f"update groups set turns_counter = 0 where id = '{group_id}'")  # noqa: S608 - checked above

    return reset
