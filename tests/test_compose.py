"""docker-compose.yml and its images: pinned, private, not root, watched, with no secret in sight."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dqa.agenthost.runtime import container
from dqa.agenthost.runtime.layout import write_secret
from dqa.errors import ConfigError

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"agents"}


def service(name: str) -> pytest.ParameterSet:
    return pytest.param(SERVICES[name], id=name)


every = pytest.mark.parametrize("each", [service(name) for name in SERVICES])


def test_the_parts_are_there() -> None:
    assert set(SERVICES) == {"postgres", "letta", "brain", "worker", "worker-gpu", "agents"}
    assert SERVICES["worker"]["profiles"] == ["cpu"]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    for name in ("worker", "worker-gpu"):
        assert SERVICES[name]["networks"]["inside"]["aliases"] == ["worker"], "the tools know it by one name"


@every
def test_images_are_pinned(each: dict[str, Any]) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", each["image"]), each["image"]


@every
def test_nothing_runs_as_root_or_may_become_it(each: dict[str, Any]) -> None:
    uid, gid = each["user"].split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert each["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in each["security_opt"]
    assert not each.get("privileged")
    assert "docker.sock" not in str(each.get("volumes"))


@every
def test_what_is_published_is_on_loopback(each: dict[str, Any]) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in each.get("ports", []))
    assert "network_mode" not in each


def test_only_letta_and_the_worker_are_published_and_the_rest_is_private() -> None:
    published = {name for name, each in SERVICES.items() if each.get("ports")}
    assert published == {"letta", "worker", "worker-gpu"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, each in SERVICES.items():
        assert "inside" in each["networks"], name
        assert ("edge" in each["networks"]) == (name in published), name


def test_each_is_watched_and_started_again() -> None:
    for name, each in SERVICES.items():
        if name in ONE_SHOT:
            assert each["restart"] == "no"
            continue
        assert each["restart"] == "unless-stopped", name
        assert each["healthcheck"]["test"][0] == "CMD", name
    assert SERVICES["letta"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert SERVICES["letta"]["depends_on"]["brain"]["condition"] == "service_healthy", "it lists the models at start"


def test_secrets_are_files_and_in_no_environment() -> None:
    assert set(COMPOSE["secrets"]) >= {"dqa_token", "letta_password", "letta_encryption_key", "postgres_password"}
    for name, each in SERVICES.items():
        assert set(each.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        for variable in each.get("environment", {}):
            assert not re.search(r"TOKEN|PASSWORD(?!_FILE)|KEY|SECRET", variable), f"{name}: {variable}"
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_state_is_on_named_volumes_that_exist() -> None:
    for name, each in SERVICES.items():
        named = [v.split(":")[0] for v in each.get("volumes", []) if not v.startswith((".", "$", "/"))]
        assert set(named) <= set(COMPOSE["volumes"]), name
    assert set(COMPOSE["volumes"]) == {"database", "letta-state", "brain-state", "worker-state"}


@pytest.mark.parametrize("name", ["letta", "service"])
def test_images_are_pinned_built_from_the_lists_and_not_root(name: str) -> None:
    text = (ROOT / "workers" / name / "Dockerfile").read_text(encoding="utf-8")
    assert all(
        re.match(r"FROM python:3\.11\.\d+-slim-\w+", line) for line in re.findall(r"^FROM .*", text, re.MULTILINE)
    )
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for source in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists(), path
            assert f"!{path.split('/')[0]}" in ignored, path


def test_the_letta_image_installs_the_very_lock() -> None:
    text = (ROOT / "workers" / "letta" / "Dockerfile").read_text(encoding="utf-8")
    assert "--no-deps -r server.lock.txt" in text
    assert "--no-deps -r tools.requirements.txt" in text


def test_the_container_reads_its_secrets_from_files(tmp_path: Path) -> None:
    variables = {"SECRETS": str(tmp_path), "LETTA_STATE": str(tmp_path / "state")}
    with pytest.raises(ConfigError, match="postgres_password is missing"):
        container.server_from(variables)
    for name in ("postgres_password", "letta_password", "letta_encryption_key"):
        write_secret(tmp_path / name, f"the-{name}")
    write_secret(tmp_path / "provider_variables", "ANTHROPIC_API_KEY=a 'OTHER=b c'")
    server = container.server_from(variables)
    kept = server.secrets()
    assert kept["LETTA_PG_URI"] == "postgresql://letta:the-postgres_password@postgres:5432/letta?sslmode=disable"
    assert kept["LETTA_SERVER_PASSWORD"] == "the-letta_password"
    assert (kept["ANTHROPIC_API_KEY"], kept["OTHER"]) == ("a", "b c")
    assert "the-" not in str(server.variables())


def test_docker_compose_takes_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    names = (
        "DQA_TOKEN",
        "LETTA_SERVER_PASSWORD",
        "LETTA_ENCRYPTION_KEY",
        "POSTGRES_PASSWORD",
        "LETTA_PROVIDER_VARIABLES",
    )
    for profile in ("cpu", "gpu"):
        done = subprocess.run(
            [docker, "compose", "--profile", profile, "config", "--quiet"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **dict.fromkeys(names, "x")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
