"""A service for the nodes to ask, and ComfyUI around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.comfy.node_pack.hosting import Host, hosted, load_pack
from tests.service.running import RunningService, running

TOKEN = "a-token-that-is-nobody-elses"


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service") / "home", token=TOKEN) as started:
        yield started


@pytest.fixture(scope="package")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_pack(tmp_path_factory.mktemp("comfy"))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """ComfyUI without any setting of DQA's."""
    made = Host(tmp_path / "comfy")
    with hosted(made):
        yield made


@pytest.fixture
def connected(host: Host, service: RunningService, monkeypatch: pytest.MonkeyPatch) -> Host:
    """ComfyUI whose environment names the service."""
    monkeypatch.setenv("DQA_URL", service.url)
    monkeypatch.setenv("DQA_TOKEN", TOKEN)
    return host
