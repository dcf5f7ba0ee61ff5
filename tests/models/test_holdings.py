"""What of a profile is on this machine: packages, the hub's cache, folders of one's own, other machines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.models.holdings import inspect, locate
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from tests.models import tiny_vlm
from tests.models.tiny_vision import component, save_vfm

COMMIT = "c" * 40


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return Settings(home=tmp_path / "home")


def test_what_has_no_weights_here_is_not_missing(settings: Settings) -> None:
    assert locate(load_profile("remote-vlm").component("vlm-endpoint"), settings).state == "elsewhere"
    counted = locate(load_profile("rtx3090").component("preference-lm"), settings)
    assert (counted.state, counted.sound, counted.problem) == ("planned", None, "")


def test_what_was_fetched_by_other_means_is_present_but_no_hash_of_it_is_known(
    settings: Settings, tmp_path: Path
) -> None:
    save_vfm(tmp_path / "cache" / "models--someone--vit" / "snapshots" / COMMIT)
    which = component("vit", "someone/vit", "hf-vfm", revision=COMMIT, profile="tiny")
    assert locate(which, settings).state == "present"
    found = inspect(which, settings)
    assert (found.sound, found.hashed) == (False, False)
    assert "dqa models pull --profile tiny vit" in found.problem


def test_a_folder_of_one_s_own_is_used_and_said_to_be_that(settings: Settings, tmp_path: Path) -> None:
    which = component("vit", save_vfm(tmp_path / "vit"), "hf-vfm")
    found = inspect(which, settings)
    assert (found.path, found.sound, found.hashed) == (tmp_path / "vit", True, False)
    (tmp_path / "vit" / "config.json").unlink()
    assert "config.json" in inspect(which, settings).problem
    shutil.rmtree(tmp_path / "vit")
    assert locate(which, settings).state == "absent"


def test_the_vision_language_model_s_folder_goes_before_the_hub(settings: Settings, tmp_path: Path) -> None:
    vlm = load_profile("rtx3090").component("vlm")
    assert "dqa models pull --profile rtx3090 vlm" in locate(vlm, settings).problem
    own = settings.model_copy(update={"vlm_folder": tiny_vlm.qwen3_vl(tmp_path / "vlm")})
    found = inspect(vlm, own)
    assert (found.path, found.sound, found.hashed) == (tmp_path / "vlm", True, False)
    (tmp_path / "vlm" / "model.safetensors").unlink()
    assert "model.safetensors" in inspect(vlm, own).problem or "*.safetensors" in inspect(vlm, own).problem


def test_weights_that_no_hub_has_lie_in_the_state_folder(settings: Settings) -> None:
    which = component("vit", "unused", "hf-vfm").model_copy(update={"hub": None, "origin": "someone's page"})
    missing = locate(which, settings)
    assert missing.state == "absent"
    assert "someone's page" in missing.problem
    assert "models/vit" in missing.problem
    save_vfm(settings.home / "models" / "vit")
    assert inspect(which, settings).sound is True
    profile = load_profile("laptop").model_copy(update={"components": (which,)})
    models = ModelPool(profile, settings.home, settings)
    models.get("vit")
    assert models.identity("vit").sha256
