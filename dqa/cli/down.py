"""``dqa down``: stops what ``dqa up`` started."""

from __future__ import annotations

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, Quiet
from dqa.cli.output import emit_json, say


def command(home: Home = None, as_json: AsJson = False, quiet: Quiet = False) -> int:
    """Stop everything that dqa up started for this state folder. What it learned and stored is kept."""
    from dqa.agenthost import runtime as deployment

    settings = runtime.settings_from(home=home)
    deployment.down(settings, _nothing if quiet else say)
    if as_json:
        emit_json(deployment.status(settings).to_json())
    return 0


def _nothing(text: str) -> None:
    del text
