"""Hub models by the command line: list, pull, verify, evaluate offline; a stand-in serves tiny models."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dqa.cli import guard
from dqa.models import profiles
from dqa.resources import deployment_folder
from tests.cli.conftest import Outcome, Run
from tests.conftest import RealClip
from tests.models import tiny_vlm
from tests.models.hub_server import Hub, point, serving
from tests.models.tiny_contrastive import save_contrastive
from tests.models.tiny_vision import save_clip, save_vfm

SIGLIP, CLIP, DINO = "google/siglip2-base-patch16-224", "openai/clip-vit-base-patch32", "facebook/dinov2-small"
OFTEN = re.compile(r'^(revision|sha256) = ".*"\n', re.M)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        SIGLIP: save_contrastive(folder / "siglip", "siglip"),
        CLIP: save_clip(folder / "clip", patch=16),
        DINO: save_vfm(folder / "dino", "dinov2", patch=16),
    }


@pytest.fixture
def hub(models: dict[str, Path], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in with every model of the profile laptop, tiny; the profile names no revision of them."""
    workers = shutil.copytree(deployment_folder("workers"), tmp_path / "workers")
    text = OFTEN.sub("", (workers / "laptop.toml").read_text(encoding="utf-8"))
    (workers / "laptop.toml").write_text(text.replace("stride = 168", "stride = 336"), encoding="utf-8")
    monkeypatch.setattr(profiles, "deployment_folder", lambda _: workers)
    monkeypatch.setenv("DQA_PROFILE", "laptop")
    with serving(Hub()) as made:
        for name, folder in models.items():
            made.publish(name, folder, **{"pytorch_model.bin": b"\x80\x04", "modeling_evil.py": b"raise SystemExit"})
        point(monkeypatch, made, tmp_path / "cache")
        yield made


@pytest.fixture
def dqa(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process with real models; its log file would stay open until the process ends."""
    monkeypatch.setattr("dqa.cli.logs.configure", lambda _: None)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = guard.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


def weights(tmp_path: Path, name: str) -> Path:
    (found,) = (tmp_path / "cache" / f"models--{name.replace('/', '--')}").glob("snapshots/*/model.safetensors")
    return found.resolve()


@pytest.mark.slow
def test_from_nothing_to_a_verdict(hub: Hub, dqa: Run, tmp_path: Path, clips: list[RealClip]) -> None:
    clip = next(clip for clip in clips if clip.path.name == "wan21_01_base.mp4")
    before = dqa("models", "list", "--json")
    assert {(row["state"], row["path"]) for row in before.json} == {("absent", None)}
    assert all("dqa models pull --profile laptop" in row["problem"] for row in before.json)
    findings = {f["check"]: f for f in dqa("doctor", "--json").json}
    assert findings["model siglip2-base"]["fix"] == "run dqa models pull --profile laptop siglip2-base"

    pulled = dqa("models", "pull", "--json")
    assert pulled.code == 0, pulled.err
    assert {row["hub"] for row in pulled.json} == {SIGLIP, CLIP, DINO}
    assert {name for row in pulled.json for name in row["files"]} & {"pytorch_model.bin", "modeling_evil.py"} == set()
    assert "licence Apache-2.0 (the hub says mit)" in pulled.err
    assert "trusted from now on" in pulled.err

    after = {row["id"]: row for row in dqa("models", "list", "--json").json}
    assert {row["state"] for row in after.values()} == {"present"}
    assert after["clip-b32"]["revision"] == hub.branches[CLIP]
    assert "present" in dqa("models", "list").out
    verified = dqa("models", "verify", "--json")
    assert verified.code == 0, verified.out
    assert all(row["hash_ok"] is True for row in verified.json)

    asked = hub.asked
    graded = dqa("evaluate", clip.path, "--prompt", clip.prompt, "--json", "--quiet")
    assert graded.code == 0, graded.err
    assert hub.asked == asked, "an evaluation never asks the hub"
    channels = graded.json["channels"]
    statuses = {name: found["status"] for name, found in channels.items()}
    assert [statuses[name] for name in ("semantic", "benchmark", "visionreward")] == ["ok"] * 3
    assert statuses["spatial"] in ("ok", "abstained")
    assert channels["semantic"]["model"]["revision"] == hub.branches[SIGLIP]
    assert channels["semantic"]["model"]["sha256"] == after["siglip2-base"]["sha256"]
    assert graded.json["profile"] == "laptop"


def test_without_the_models_each_channel_names_its_command_and_the_others_go_on(
    hub: Hub, dqa: Run, clips: list[RealClip]
) -> None:
    clip = clips[0]
    graded = dqa("evaluate", clip.path, "--prompt", clip.prompt, "--json", "--quiet")
    assert graded.code == 4, "what was asked, whether the prompt was obeyed, has no answer"
    assert "dqa models pull --profile laptop siglip2-base" in graded.err
    channels = graded.json["channels"]
    assert "dqa models pull --profile laptop siglip2-base" in channels["semantic"]["reason"]
    assert channels["semantic"]["status"] == "unavailable"
    assert "dqa models pull --profile laptop" in channels["spatial"]["reason"]
    assert channels["visionreward"]["status"] == "ok"
    assert graded.json["action"] != "accept"
    assert hub.asked == 0, "an evaluation never asks the hub"


def test_when_nothing_could_be_scored_for_want_of_a_model_the_exit_code_is_4(
    hub: Hub, dqa: Run, tmp_path: Path, clips: list[RealClip]
) -> None:
    path = tmp_path / "workers" / "laptop.toml"
    text = path.read_text()
    for channel, backend in {"benchmark": "measured-benchmark", "visionreward": "measured-visionreward"}.items():
        text = text.replace(f'[channels.{channel}]\nbackend = "{backend}"\n', f"[{channel}_unused]\n")
    path.write_text(re.sub(r"\[\w+_unused\]\n(components = .*\n)?", "", text))
    asked = ("evaluate", clips[0].path, "--prompt", clips[0].prompt, "--quiet")
    done = dqa(*asked, "--json")
    assert done.code == 4
    assert done.json["final"] is None
    assert "dqa models pull" in done.json["channels"]["semantic"]["reason"]
    assert dqa(*asked, "--fail-below", "C").code == 1, "no grade is below any"


@pytest.mark.parametrize("damage", ["truncated", "exchanged", "gone"])
def test_a_damaged_file_is_found_and_a_pull_mends_it(hub: Hub, dqa: Run, tmp_path: Path, damage: str) -> None:
    assert dqa("models", "pull", "siglip2-base").code == 0
    path = weights(tmp_path, SIGLIP)
    right = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(right[:-100] if damage == "truncated" else right[:-1] + bytes([right[-1] ^ 1]))
    found = dqa("models", "verify", "--json", "--quiet")
    assert found.code == 4
    row = {row["id"]: row for row in found.json}["siglip2-base"]
    assert row["hash_ok"] is not True
    assert "model.safetensors" in row["problem"]
    assert "dqa models pull --profile laptop siglip2-base" in row["problem"]
    assert row["state"] == ("present" if damage == "exchanged" else "partial")
    assert dqa("models", "pull", "siglip2-base").code == 0
    assert weights(tmp_path, SIGLIP).read_bytes() == right
    mended = {row["id"]: row for row in dqa("models", "verify", "--json").json}
    assert mended["siglip2-base"]["hash_ok"] is True


def test_one_that_can_not_be_had_does_not_cost_the_others(hub: Hub, dqa: Run) -> None:
    hub.gated.add(CLIP)
    done = dqa("models", "pull", "--json")
    assert done.code == 4
    assert {row["hub"] for row in done.json} == {SIGLIP, DINO}
    assert "gated" in done.err
    assert "HF_TOKEN" in done.err


def test_what_must_be_asked_for_is_asked_for(hub: Hub, dqa: Run, tmp_path: Path) -> None:
    path = tmp_path / "workers" / "laptop.toml"
    text = path.read_text().replace('id = "clip-b32"', 'id = "clip-b32"\ndefault = false')
    path.write_text(text.replace('licence = "MIT"', 'licence = "CC BY-NC 4.0"'))
    assert {row["id"] for row in dqa("models", "pull", "--json").json} == {
        "siglip2-base", "dinov2-small", "dinov2-small-image",
    }  # fmt: skip
    refused = dqa("models", "pull", "clip-b32")
    assert refused.code == 2
    assert "CC BY-NC 4.0" in refused.err
    assert "--accept-licence" in refused.err
    assert dqa("models", "pull", "--accept-licence", "clip-b32").code == 0
    unknown = dqa("models", "pull", "no-such-model")
    assert unknown.code == 2
    assert "siglip2-base" in unknown.err


@pytest.mark.slow
def test_another_vision_language_model_is_pulled_verified_and_judges(
    hub: Hub, dqa: Run, tmp_path: Path, clips: list[RealClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, commits = "OpenGVLab/InternVL3_5-8B-HF", re.compile(r'^revision = ".*"\n', re.M)
    path = tmp_path / "workers" / "rtx3090.toml"
    text = commits.sub("", path.read_text(encoding="utf-8")).replace('quantisation = "nf4"', "")
    path.write_text(text.replace('device = "cuda"', 'device = "cpu"'), encoding="utf-8")
    hub.publish(name, tiny_vlm.internvl(tmp_path / "internvl"))
    monkeypatch.setenv("DQA_PROFILE", "rtx3090")
    rows = {row["id"]: row for row in dqa("models", "list", "--json").json}
    assert (rows["vlm-internvl-8b"]["default"], rows["vlm-internvl-8b"]["instead_of"]) == (False, "vlm")
    monkeypatch.setenv("DQA_VLM_COMPONENT", "vlm-internvl-8b")
    rows = {row["id"]: row for row in dqa("models", "list", "--json").json}
    assert set(rows["vlm-internvl-8b"]["channels"]) == {"semantic", "benchmark", "visionreward"}
    assert [rows[c]["default"] for c in ("vlm", "vlm-internvl-8b")] == [False, True]
    pulled = dqa("models", "pull", "vlm-internvl-8b", "--json")
    assert pulled.code == 0, pulled.err
    assert "trusted from now on" in pulled.err
    verified = {row["id"]: row for row in dqa("models", "verify", "--json").json}
    assert verified["vlm-internvl-8b"]["hash_ok"] is True
    assert verified["vlm"]["state"] == "absent"
    record = dqa("evaluate", clips[0].path, "--prompt", clips[0].prompt, "--json", "--quiet").json
    assert record["channels"]["semantic"]["status"] == "ok"
    # With the random weights of this stand-in it may suspect a sign in the picture, and then abstains.
    assert record["channels"]["visionreward"]["status"] in ("ok", "abstained")
    assert isinstance(record["channels"]["visionreward"]["raw"]["frame_text"], float)
    assert record["channels"]["semantic"]["model"]["id"] == "vlm-internvl-8b"
    assert record["channels"]["semantic"]["model"]["revision"] == hub.branches[name]
    assert record["reproduce"]["vlm_component"] == "vlm-internvl-8b"


def test_another_vision_language_model_needs_no_licence_to_be_accepted(hub: Hub, dqa: Run) -> None:
    done = dqa("models", "pull", "--profile", "rtx3090", "vlm-4b")
    assert done.code == 4, "the stand-in has it not"
    assert "--accept-licence" not in done.err
    found = {f["check"]: f for f in dqa("doctor", "--profile", "rtx3090", "--json").json}
    assert (found["model vlm"]["level"], found["model vlm-4b"]["level"]) == ("fail", "ok")


def test_a_profile_without_hub_models_has_nothing_to_pull(hub: Hub, dqa: Run) -> None:
    done = dqa("models", "pull", "--profile", "embedded")
    assert done.code == 0
    assert "nothing to pull" in done.out


def test_the_clients_own_settings_are_used_by_the_real_command(hub: Hub, shell: Run, tmp_path: Path) -> None:
    """In a process of its own: HF_ENDPOINT and HF_HUB_CACHE; the shipped profile pins what this hub does not have."""
    where = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "elsewhere")}
    where |= {name: "" for name in ("HF_TOKEN", "HF_HUB_OFFLINE") if name in os.environ}
    done = shell("models", "pull", "--profile", "laptop", "siglip2-base", **where)
    assert done.code == 4
    assert f"the hub has no {SIGLIP}, revision 75de2d55" in done.err
    assert "Traceback" not in done.err
