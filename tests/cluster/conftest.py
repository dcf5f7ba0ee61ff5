"""Commands as the command line's own tests run them."""

from __future__ import annotations

from tests.cli.conftest import clip, shell

__all__ = ["clip", "shell"]
