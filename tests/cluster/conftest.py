"""Commands as the command line's own tests run them."""

from __future__ import annotations

import os

import pytest

from tests.cli.conftest import clip, shell

__all__ = ["clip", "shell"]


@pytest.fixture(autouse=True)
def no_cluster_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have one."""
    for name in [name for name in os.environ if name.startswith(("RAY_", "DQA_RAY_"))]:
        monkeypatch.delenv(name)
