"""``dqa serve``: the HTTP service, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName
from dqa.cli.output import emit_json


def command(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on. [DQA_HOST; 127.0.0.1]", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port; 0 takes a free one. [DQA_PORT; 8765]", show_default=False)
    ] = None,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Run the service until it is stopped (Ctrl-C).

    It listens on this machine only, unless DQA_HOST says otherwise; then DQA_TOKEN is required. It reads media from
    uploads, and from the folders in DQA_ROOTS. With --json, the settings it starts with are printed first.
    """
    settings = runtime.settings_from(host=host, port=port, profile=profile, home=home)
    if as_json:
        emit_json(
            {"host": settings.host, "port": settings.port, "profile": settings.profile, "home": str(settings.home)}
        )
    return runtime.serve(settings)
