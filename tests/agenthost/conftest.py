"""What the tests of agents share: a real deployment, Letta and PostgreSQL and a scripted brain; and one in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from dqa.agenthost import runtime
from dqa.agenthost.runtime.health import free_port
from dqa.config import Settings
from tests.agenthost.scripted import EMBEDDING, HANDLE, ScriptedBrain
from tests.agenthost.world import ARCHIVE, RECORD, World


@dataclass
class Stack:
    """A running deployment. ``brain.answer`` decides what every agent on ``scripted.HANDLE`` says."""

    settings: Settings
    options: runtime.UpOptions
    brain: ScriptedBrain
    told: list[str] = field(default_factory=list[str])

    @property
    def media(self) -> Path:
        """The folder that the worker reads clips from."""
        return self.settings.roots[0]

    @property
    def connection(self) -> runtime.Connection:
        return runtime.connect(self.settings)

    def up(self) -> runtime.Status:
        return runtime.up(self.settings, self.options, self.told.append)

    def down(self) -> None:
        runtime.down(self.settings, self.told.append)

    def letta(self) -> httpx.Client:
        """A client of the server's API, with the key; every POST is sent once."""
        link = self.connection
        return httpx.Client(
            base_url=f"{link.letta_url}/v1",
            headers={"Authorization": f"Bearer {link.letta_key}"},
            timeout=300,
            trust_env=False,
            follow_redirects=True,
        )


def environment_folder() -> Path:
    """Where the environments are kept between runs: $DQA_TEST_LETTA_CACHE, else a folder of this user's in /tmp."""
    named = os.environ.get("DQA_TEST_LETTA_CACHE")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"dqa-test-letta-{os.geteuid()}"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        pytest.fail(f"{folder} belongs to somebody else; set DQA_TEST_LETTA_CACHE to a folder of yours")
    return folder


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The deployment, started once for all tests that ask for it; the first run makes the environments (minutes)."""
    top = Path(tempfile.mkdtemp(prefix="dqa-stack-"))
    top.chmod(0o755)  # the service user must get in, where root runs the tests
    roots = (top / "media",)
    roots[0].mkdir()
    settings = Settings(home=top / "home", port=free_port(), roots=roots, agent_model=HANDLE, agent_embedding=EMBEDDING)
    brain = ScriptedBrain()
    options = runtime.UpOptions(letta_port=free_port(), brain_url=brain.url, environment=environment_folder())
    stack = Stack(settings, options, brain)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
        brain.close()
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def scripted(stack: Stack) -> Iterator[ScriptedBrain]:
    """The stack's brain, as new before and after the test."""
    stack.brain.reset()
    yield stack.brain
    stack.brain.reset()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(monkeypatch)
    world.route("POST", "/v1/evaluations", RECORD)
    world.route("GET", "/v1/evaluations/ev_1", RECORD)
    world.route("GET", ARCHIVE, [])
    world.route("POST", ARCHIVE, [{"id": "passage-1"}])
    return world


@pytest.fixture
def agents(world: World) -> World:
    world.route("GET", "/v1/agents/", lambda r: [{"id": f"id-{r.url.params['name']}", "name": r.url.params["name"]}])
    return world
