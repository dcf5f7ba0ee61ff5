"""``dqa serve``: the HTTP service, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName


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
    uploads, and from the folders in DQA_ROOTS. Once it listens, its address is printed as JSON, with
    or without --json: {"url", "pid"}; the log goes to stderr.
    """
    settings = runtime.settings_from(host=host, port=port, profile=profile, home=home)
    del as_json  # the one line that is data is JSON already
    return runtime.serve(settings)
