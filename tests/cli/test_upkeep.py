"""The commands that look after an installation: models, plan, doctor, status, serve."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dqa.cli import runtime
from dqa.cli.checks import machine, software
from dqa.cli.checks.finding import Finding
from dqa.config import Settings, load_settings
from dqa.models import pool
from dqa.models.profiles import load_profile
from tests.cli.conftest import Run, sentence
from tests.models.vlm_server import ScriptedVlm, serving

PROFILE = load_profile("embedded")


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Healthy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_models_are_listed_with_licence_size_and_place(cli: Run) -> None:
    done = cli("models", "list", "--json")
    assert done.code == 0
    listed = {row["id"]: row for row in done.json}
    assert set(listed) == {c.id for c in PROFILE.components}
    for row in listed.values():
        assert row["licence"]
        assert row["size_mb"] > 0
        assert Path(row["path"]).is_file()
        assert row["hash_ok"] is None, "listing reads no weights"
    text = cli("models", "list").out
    assert all(c.id in text and c.licence.split()[0] in text for c in PROFILE.components)


def test_intact_models_verify(cli: Run) -> None:
    done = cli("models", "verify", "--json")
    assert done.code == 0
    assert all(row["hash_ok"] is True for row in done.json)


def test_one_changed_byte_is_found_and_named(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = PROFILE.components[0]
    real = pool.weights_path
    broken = tmp_path / "weights.bin"
    content = bytearray(real(victim).read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    monkeypatch.setattr(pool, "weights_path", lambda c: broken if c.id == victim.id else real(c))
    done = cli("models", "verify", "--json")
    assert done.code == 4
    rows = {row["id"]: row for row in done.json}
    assert rows[victim.id]["hash_ok"] is False
    assert victim.id in rows[victim.id]["problem"]
    assert sum(row["hash_ok"] for row in rows.values()) == len(rows) - 1
    assert cli("doctor", "--json").code == 4


def test_a_missing_package_is_named(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(component: object) -> Path:
        raise pool.ModelUnavailable("the package is not installed", fix="run make setup")

    monkeypatch.setattr(pool, "weights_path", missing)
    done = cli("models", "verify", "--json")
    assert done.code == 4
    assert all(row["path"] is None and "make setup" in row["problem"] for row in done.json)
    assert "make setup" in " ".join(cli("models", "list").out.split())


def test_the_plan_adds_up(cli: Run) -> None:
    plan = cli("plan", "--json").json
    assert plan["fits"] is True
    assert plan["mode"] == "resident"
    assert plan["total_gb"] == pytest.approx(sum(c.memory_gb for c in PROFILE.components if c.phase != "training"))
    assert plan["peak_gb"] == max(phase["gb"] for phase in plan["phases"])
    text = cli("plan", "--mode", "sequential").out
    assert "sequential" in text
    assert "fits" in text


def test_the_doctor_names_everything_and_what_to_do(cli: Run) -> None:
    done = cli("doctor", "--json")
    findings = {f["check"]: f for f in done.json}
    expected = {"gpu", "processor", "memory", "disk", "python", "torch", "torchvision", "packages", "state folder"}
    expected |= {"logging", "store", "service", "letta", "agents", "memory blocks"}
    assert expected | {f"model {c.id}" for c in PROFILE.components} <= set(findings)
    assert {f["level"] for f in done.json} <= {"ok", "warn", "fail"}
    assert all(f["fix"] for f in done.json if f["level"] == "warn")
    failing = [f for f in done.json if f["level"] == "fail"]
    assert done.code == (4 if failing else 0)
    assert "letta" in cli("doctor").out


def test_the_doctor_finds_too_little_memory(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(machine, "available_memory_gb", lambda: 0.5)
    levels = {f.check: f.level for f in machine.machine(load_settings(), PROFILE)}
    assert levels["memory"] == "fail"


def test_the_doctor_finds_a_folder_that_cannot_be_written(cli: Run, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file")
    done = cli("doctor", "--json")
    assert done.code == 4
    assert {f["check"]: f["level"] for f in done.json}["state folder"] == "fail"


def test_the_doctor_finds_a_store_that_does_not_open(cli: Run, home: Path) -> None:
    home.mkdir()
    (home / "dqa.sqlite3").write_bytes(b"this is no database, whatever its name says" * 99)
    done = cli("doctor", "--json")
    assert done.code == 4
    assert {f["check"]: f["level"] for f in done.json}["store"] == "fail"


def test_a_torchvision_that_does_not_import_is_a_trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = {f.check: f for f in software.software(PROFILE)}["torchvision"]
    assert found == Finding("torchvision", "fail", found.found, "pip uninstall torchvision")


def test_status_has_the_agreed_shape(cli: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_URL", service)
    done = cli("status", "--json")
    assert done.code == 0
    assert done.json == {
        "service": {"url": service, "healthy": True},
        "letta": {"url": None, "healthy": False, "password_file": None},
        "agents": {},
    }
    assert "healthy" in cli("status").out


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "not a url", "http://[::bad"])
def test_a_service_that_does_not_answer_is_not_healthy(url: str, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_URL", url)
    done = cli("status", "--json")
    assert done.code == 0
    assert done.json["service"]["healthy"] is False


def test_serve_hands_its_flags_on_and_returns_its_code(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Settings] = []

    def serve(settings: Settings) -> int:
        started.append(settings)
        return 0

    monkeypatch.setattr(runtime, "serve", serve)
    done = cli("serve", "--host", "127.0.0.2", "--port", "0", "--json")
    assert done.code == 0
    assert (started[0].host, started[0].port) == ("127.0.0.2", 0)


def test_a_host_that_is_no_number_is_one_sentence(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_PORT", "high")
    assert cli("serve").code == 2
    assert "DQA_PORT" in sentence(cli("serve"))


def test_models_verify_asks_an_endpoint_whether_it_answers(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_PROFILE", "remote-vlm")
    away = cli("models", "verify", "--json")
    assert away.code == 4
    assert "DQA_VLM_URL" in next(row["problem"] for row in away.json if row["id"] == "vlm-endpoint")
    with serving(ScriptedVlm()) as url:
        monkeypatch.setenv("DQA_VLM_URL", url)
        there = cli("models", "verify")
    assert there.code == 0
    assert "answers" in there.out
