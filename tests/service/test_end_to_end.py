"""``dqa serve`` with the real models and real clips: the same verdict as everywhere else, and it survives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa import Evaluator
from dqa.config import Settings
from tests.conftest import RealClip, real_clips
from tests.service.running import RunningService, running, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIP: RealClip = real_clips()[0]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("real")
    with running(home / "home", module="dqa serve", roots=CLIP.path.parent) as service:
        yield service


def verdict(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what may differ between two runs."""
    return {key: value for key, value in record.items() if key not in ("id", "created", "timings_s")}


def test_the_service_gives_the_verdict_the_library_gives(real: RunningService, tmp_path: Path) -> None:
    local = Evaluator(Settings(home=tmp_path)).evaluate(CLIP.path, CLIP.prompt, media_name=CLIP.path.name)
    media = real.upload(CLIP.path)
    by_path = real.ask(CLIP.path.name, CLIP.prompt, wait=True)
    by_id = real.ask(media, CLIP.prompt, wait=True)
    assert (by_path.status_code, by_id.status_code) == (200, 200), by_path.text + by_id.text
    assert verdict(by_path.json()) == verdict(local.model_dump(mode="json"))
    uploaded = by_id.json()
    assert uploaded["reproduce"].pop("media") == media
    expected = local.model_dump(mode="json")
    expected["reproduce"].pop("media")
    assert verdict(uploaded) == verdict(expected)


def test_a_killed_worker_costs_time_and_not_the_verdict(real: RunningService) -> None:
    name = real.ask(CLIP.path.name, CLIP.prompt).json()["id"]
    wait_until(lambda: real.state(name) == "running", 60)
    worker = real.workers()[0]
    children = worker.children(recursive=True)
    worker.kill()
    assert real.ended(name, 120)["grade"] is not None
    stages = [data["stage"] for _, kind, data in real.events(name) if kind == "progress"]
    assert stages[0] == "decode"
    assert not [child for child in children if child.is_running() and child.status() != "zombie"], (
        "nothing is left over"
    )


def test_a_broken_clip_is_undecodable_and_costs_no_worker(real: RunningService) -> None:
    broken = real.client.post("/v1/media", content=CLIP.path.read_bytes()[:3000]).json()["media_id"]
    workers = {p.pid for p in real.workers()}
    answer = real.ask(broken, CLIP.prompt, wait=True)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:dqa:problem:undecodable")
    assert {p.pid for p in real.workers()} == workers
