"""One service for the tests that leave it as it was; those that kill or fill it start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.running import RunningService, running


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("service")
    root = home / "clips"
    root.mkdir()
    with running(home / "home", roots=root) as started:
        yield started


@pytest.fixture(scope="package")
def media(service: RunningService) -> str:
    return service.upload()
