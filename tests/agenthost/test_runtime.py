"""Folders, secrets, environments, plans and the two launchers: what needs no server."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from dqa.agenthost import runtime
from dqa.agenthost.runtime import environment as environments
from dqa.agenthost.runtime import launch, layout, lifecycle, planning
from dqa.agenthost.runtime.environment import Environment
from dqa.agenthost.runtime.health import free_port
from dqa.agenthost.runtime.identity import can_enter, service_identity
from dqa.agenthost.runtime.letta_server import LettaServer
from dqa.agenthost.runtime.options import UpOptions
from dqa.agenthost.runtime.plan import settings_variables
from dqa.agenthost.runtime.postgres import Postgres
from dqa.agenthost.runtime.state import ProcessState
from dqa.config import Settings, load_settings
from dqa.errors import ConfigError, UnavailableError, UsageError
from dqa.resources import deployment_folder

HERE = Path(runtime.__file__).parent


def silent(text: str) -> None:
    """Hears what is told, and says nothing."""


def test_secrets_are_made_once_kept_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "token"
    first = layout.kept_secret(path)
    assert len(first) >= 32
    assert layout.kept_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert layout.kept_secret(path, "given") == "given" == layout.read_secret(path)
    assert layout.kept_secret(tmp_path / "secrets" / "other") != first


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A state folder that a service user can enter; pytest's own folders let nobody in."""
    top = Path(tempfile.mkdtemp(prefix="dqa-home-"))
    top.chmod(0o755)
    yield top / "home"
    shutil.rmtree(top)


def test_folders_are_private_and_reachable_by_whom_they_serve(open_home: Path) -> None:
    made = layout.make_layout(open_home, service_identity())
    for name in ("run", "logs", "secrets"):
        assert (open_home / name).stat().st_mode & 0o777 == 0o700
    assert made.letta == open_home / "letta"
    assert made.environment.is_dir()
    assert layout.existing_layout(open_home) == made


def test_a_folder_that_the_service_user_can_not_enter_is_put_elsewhere(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = service_identity()
    if identity is None:
        pytest.skip("only root drops to a service user")
    monkeypatch.setattr(layout, "ELSEWHERE", open_home.parent / "elsewhere")
    open_home.mkdir(mode=0o700)
    made = layout.make_layout(open_home, identity)
    assert (open_home / "letta").is_symlink()
    assert made.letta.parent == open_home.parent / "elsewhere"
    assert can_enter(made.environment, identity)
    assert not can_enter(open_home / "secrets", identity)
    assert layout.make_layout(open_home, identity) == made

    made.database.mkdir()
    (made.database / "rows").write_text("of an earlier life")
    (made.environment / "server").mkdir()
    shutil.rmtree(open_home)
    open_home.mkdir(mode=0o700)
    assert layout.make_layout(open_home, identity) == made
    assert not made.database.exists(), "its password went with the state folder"
    assert (made.environment / "server").is_dir()
    assert [path.read_text() for path in made.letta.glob("earlier-*/database/rows")] == ["of an earlier life"]


def test_a_state_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(UnavailableError, match="state folder can't be prepared"):
        layout.make_layout(tmp_path / "home", None)


def test_another_process_gets_the_very_same_settings(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, roots=(tmp_path / "a", tmp_path / "b c"), token=SecretStr("t0ken"), budget_gb=1.5, workers=3
    )
    assert load_settings(environ=settings_variables(settings)) == settings


def test_a_taken_port_is_named_with_the_way_to_change_it(open_home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(home=open_home, port=free_port())
        with pytest.raises(UnavailableError, match=rf"port {port}, for the Letta server, is taken.*--letta-port"):
            planning.make_plan(settings, UpOptions(letta_port=port), silent)
        with pytest.raises(UnavailableError, match=rf"port {port}, for the brain, is taken.*--brain-port"):
            planning.make_plan(settings, UpOptions(letta_port=free_port(), brain_port=port), silent)


def test_two_servers_on_one_port_are_refused_before_anything_is_made(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "prepare", lambda *_: pytest.fail("began to make the environments"))
    port, other = free_port(), free_port()
    settings = Settings(home=open_home, port=other)
    with pytest.raises(ConfigError, match=rf"--letta-port and --brain-port are both {port}"):
        planning.make_plan(settings, UpOptions(letta_port=port, brain_port=port), silent)
    with pytest.raises(ConfigError, match=rf"--brain-port and --port or DQA_PORT are both {other}"):
        planning.make_plan(settings, UpOptions(letta_port=port, brain_port=other), silent)


@pytest.mark.parametrize("options", [UpOptions(letta_port=0), UpOptions(letta_port=8283, brain_port=0)])
def test_port_0_is_no_word_for_the_default(
    open_home: Path, options: UpOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "prepare", lambda *_: pytest.fail("began to make the environments"))
    monkeypatch.setattr(planning, "port_is_free", lambda *_: True)
    with pytest.raises(ConfigError, match="0 is no port"):
        planning.make_plan(Settings(home=open_home, port=free_port()), options, silent)


@pytest.mark.parametrize("url", ["localhost:8283", "file:///etc/passwd", ""])
def test_a_letta_address_must_be_one(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="--letta-url"):
        runtime.up(Settings(home=tmp_path, port=0), UpOptions(letta_url=url), silent)


def test_a_letta_server_that_does_not_answer_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    options = UpOptions(letta_url=f"http://127.0.0.1:{free_port()}", letta_key="key")
    with pytest.raises(UnavailableError, match="no Letta server answers"):
        runtime.up(Settings(home=tmp_path, port=0), options, silent)
    assert runtime.status(Settings(home=tmp_path, port=free_port())).processes == ()


def test_nothing_runs_in_a_new_state_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new", port=free_port())
    told: list[str] = []
    runtime.down(settings, told.append)
    assert told == ["nothing is running"]
    assert not (tmp_path / "new").exists()
    assert runtime.status(settings).to_json() == {
        "service": {"url": settings.service_url, "healthy": False},
        "letta": {"url": None, "healthy": False, "password_file": None},
        "agents": {},
    }
    with pytest.raises(UnavailableError, match="dqa up"):
        runtime.connect(settings)
    assert runtime.turn_counter_reset(settings) is None


def test_three_failed_starts_in_a_row_end_the_waiting_but_not_those_of_last_week() -> None:
    entry = ProcessState(name="letta", phase="restarting", detail="ended by itself (exit code 1)", restarts=5)
    lifecycle._require_hope(entry, restarts_before=5)
    with pytest.raises(UnavailableError, match=r"letta can't be started \(ended by itself"):
        lifecycle._require_hope(entry, restarts_before=2)


# The environments


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lists of packages that name none, in place of workers/letta."""
    folder = tmp_path / "workers" / "letta"
    folder.mkdir(parents=True)
    (folder / "list.txt").write_text("# nothing\n")
    monkeypatch.setattr(environments, "deployment_folder", lambda name: tmp_path / name)
    return folder


def builder(tmp_path: Path, told: list[str]) -> environments._Builder:
    made = layout.make_layout(tmp_path / "home", None)
    return environments._Builder(made, None, told.append)


def test_a_virtual_environment_is_made_once_and_again_when_broken_or_old(tmp_path: Path, lists: Path) -> None:
    told: list[str] = []
    build = builder(tmp_path, told)
    folder = tmp_path / "home" / "letta" / "environment" / "small"
    probe = environments._imports("json")

    def make() -> int:
        told.clear()
        build.make("small", "list.txt", build.virtual, probe)
        return len(told)

    assert make() == 1
    assert make() == 0
    (folder / "bin" / "python3").unlink()
    assert make() == 1, "a broken one was kept"
    (lists / "list.txt").write_text("# another version\n")
    assert make() == 1, "an old one was kept"
    assert make() == 0
    assert sorted(p.name for p in folder.parent.iterdir()) == ["small"], "something was left behind"


def test_what_can_not_be_installed_leaves_nothing_and_names_the_log(tmp_path: Path, lists: Path) -> None:
    (lists / "list.txt").write_text("./not-a-package\n")
    build = builder(tmp_path, [])
    with pytest.raises(UnavailableError, match=r"could not be made \(ERROR.*environment\.log"):
        build.make("small", "list.txt", build.virtual, lambda _: True)
    assert list((tmp_path / "home" / "letta" / "environment").iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_fetched(
    tmp_path: Path, lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "_NEEDED_BYTES", 1e18)
    build = builder(tmp_path, [])
    with pytest.raises(UnavailableError, match="GB are free"):
        build.make("small", "list.txt", build.virtual, lambda _: True)


def test_only_plain_files_below_the_wanted_names_leave_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "letta-1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("l/alembic/a.py", "l/alembic.ini", "l/other.py", "l/alembic/../../escaped", "../up/alembic/b"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("l/alembic/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    environments._unpack(archive, tmp_path / "out", ("alembic/", "alembic.ini"))
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == ["alembic.ini", "alembic/a.py"]
    assert not (tmp_path / "escaped").exists()


def test_the_newest_migration_is_the_one_that_none_replaces(tmp_path: Path) -> None:
    versions = tmp_path / "migrations" / "alembic" / "versions"
    versions.mkdir(parents=True)
    for name, before in (("aaa", "None"), ("bbb", '"aaa"'), ("ccc", '"bbb"')):
        (versions / f"{name}_x.py").write_text(
            f'revision: str = "{name}"\ndown_revision: Union[str, None] = {before}\n'
        )
    assert Environment(tmp_path).migration_head == "ccc"


def test_every_listed_package_has_one_exact_version() -> None:
    for name in ("server.lock.txt", "tools.requirements.txt", "postgres.requirements.txt"):
        lines = (deployment_folder("workers") / "letta" / name).read_text(encoding="utf-8").splitlines()
        listed = [line for line in lines if line and not line.startswith("#")]
        assert listed
        assert not [line for line in listed if not re.match(r"^[a-z0-9._-]+==[0-9a-z.]+( ; .*)?$", line)], name
    text = (deployment_folder("workers") / "letta" / "server.lock.txt").read_text(encoding="utf-8")
    assert environments.LETTA in text
    assert "\npsycopg2==" not in text, "it would have to be compiled"


# The server's secrets

FAKE_APP = """
import os
from pathlib import Path
def start_server(host, port):
    print("serving", host, port, "with", os.environ["LETTA_SERVER_PASSWORD"], flush=True)
    environ = Path("/proc/self/environ")
    seen = environ.exists() and os.access(environ, os.R_OK) and b"pass" + b"word-x" in environ.read_bytes()
    print("in sight" if seen else "out of sight", flush=True)
"""


def test_the_server_has_its_secrets_and_neither_its_log_nor_its_environment_shows_them(tmp_path: Path) -> None:
    package = tmp_path / "letta" / "server" / "rest_api"
    package.mkdir(parents=True)
    (package / "app.py").write_text(FAKE_APP)
    done = subprocess.run(
        [sys.executable, "-P", launch.__file__, "127.0.0.1", "1234"],
        input=json.dumps({"LETTA_SERVER_PASSWORD": "password-x"}),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["serving 127.0.0.1 1234 with ***", "out of sight"], done.stderr
    assert "password-x" not in done.stdout + done.stderr


def server(tmp_path: Path) -> LettaServer:
    made = layout.make_layout(tmp_path / "home", None)
    postgres = Postgres(tmp_path, made.database, 5432, "database-password", None)
    return LettaServer(
        environment=Environment(made.environment),
        layout=made,
        database_uri=postgres.uri,
        port=8283,
        password="letta-password",
        encryption_key="encryption-key",
        brain_url="http://127.0.0.1:1/v1",
        identity=None,
        marker={"DEPLOYMENT_OF_DQA": "m"},
        providers={"ANTHROPIC_API_KEY": "provider-key"},
    )


def test_no_secret_stands_in_the_servers_command_or_environment(tmp_path: Path) -> None:
    made = server(tmp_path)
    secrets = ("letta-password", "database-password", "encryption-key", "provider-key")
    for shown in (*made.command(), *made.variables().values()):
        assert not [secret for secret in secrets if secret in shown]
    kept = json.loads(made.encoded_secrets())
    assert [secret for secret in secrets if not any(secret in value for value in kept.values())] == []


def test_a_tool_sees_the_agents_variables_and_none_of_the_servers(tmp_path: Path) -> None:
    """The wrapped interpreter, run as Letta runs it: with the server's environment and the agent's on top."""
    made = server(tmp_path)
    (made.environment.tools_python.parent).mkdir(parents=True)
    made.environment.tools_python.symlink_to(sys.executable)
    made.layout.tools.mkdir()
    made.launchers.mkdir()
    (made.launchers / "tool_python.py").write_bytes((HERE / "tool_python.py").read_bytes())
    made._lay_tools_interpreter()
    script = tmp_path / "tool with a space.py"
    script.write_text("import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))")
    agents = {"DQA_TOKEN": "per-agent", "LETTA_AGENT_ID": "agent-1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [made.layout.tools / "venv" / "bin" / "python3", script, "one two"],
        env={**made.variables(), **made.secrets(), **agents},
        capture_output=True,
        text=True,
        check=True,
    )
    seen, arguments = json.loads(done.stdout)
    assert arguments == ["one two"]
    assert agents.items() <= seen.items()
    assert seen["LETTA_BASE_URL"] == made.url
    assert not [name for name in made.secrets() if name in seen]
    assert "password" not in done.stdout
    assert "key" not in done.stdout.lower().replace("monkey", "")


# Up and down without Letta: the worker beside an existing server


@pytest.fixture
def existing_server() -> object:
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers.get("Authorization") == "Bearer their-key" else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.slow
def test_up_beside_an_existing_server_runs_the_worker_only(tmp_path: Path, existing_server: str) -> None:
    settings = Settings(home=tmp_path / "home", port=free_port())
    options = UpOptions(letta_url=existing_server + "/", letta_key="their-key")
    told: list[str] = []
    try:
        status = runtime.up(
            settings, options, told.append, lambda link: {"seen": {"id": link.letta_key, "in_sync": True}}
        )
        assert status.service_healthy
        assert status.letta_healthy
        assert status.supervised
        assert status.agents == {"seen": {"id": "their-key", "in_sync": True}}
        assert [p.name for p in status.processes] == ["worker"]
        link = runtime.connect(settings)
        assert (link.letta_url, link.letta_key) == (existing_server, "their-key")
        assert link.service_token
        again = runtime.up(settings, UpOptions(), told.append)
        assert again.processes == status.processes, "a second up changed something"
        with pytest.raises(UsageError, match="dqa down first"):
            runtime.up(settings, UpOptions(letta_url="http://127.0.0.1:1"), told.append)
        changed = settings.model_copy(update={"profile": "rtx3090"})
        runtime.up(changed, UpOptions(), told.append)
        assert "DQA_PROFILE changed" in told[-1]
    finally:
        runtime.down(settings, told.append)
    assert told[-1] == "everything is stopped"
    assert not runtime.status(settings).service_healthy
    from dqa.agenthost.runtime import processes

    assert processes.marked(layout.existing_layout(settings.home).marker) == set()
