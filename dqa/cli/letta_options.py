"""Which Letta server a command talks to: the options, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dqa.config import Settings

if TYPE_CHECKING:
    from dqa.agenthost.runtime import Connection

LettaUrl = Annotated[
    str | None,
    typer.Option("--letta-url", metavar="URL", help="The Letta server. [the one of dqa up]", show_default=False),
]
LettaKey = Annotated[
    str | None,
    typer.Option(
        "--letta-key",
        metavar="KEY",
        envvar="LETTA_API_KEY",
        help="Its password or API key; better given as LETTA_API_KEY.",
        show_default=False,
    ),
]


def connection(settings: Settings, letta_url: str | None, letta_key: str | None) -> Connection:
    """How to reach the server that is named, or that of ``dqa up``.

    Raises:
        UnavailableError: no server is named, and dqa up runs none.
    """
    from dqa.agenthost.runtime import Connection, connect

    if letta_url is None:
        return connect(settings)
    token = settings.token.get_secret_value() if settings.token else None
    return Connection(settings.service_url, token, letta_url, letta_key)
