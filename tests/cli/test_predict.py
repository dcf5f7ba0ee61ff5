"""dqa tuner predict: ids or record files of one profile; every refusal is one sentence with its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.store import Store
from tests.cli.conftest import Run, sentence
from tests.store.test_choices import evaluation
from tests.store.test_versions import learned


@pytest.fixture
def store(home: Path) -> Store:
    opened = Store.open(Settings(home=home))
    for name, smooth in (("smooth", 0.9), ("rough", 0.2)):
        opened.save_record(evaluation(name, smooth), Path("clip.mp4"))
    return opened


def test_files_and_ids_tell_the_same(store: Store, cli: Run, tmp_path: Path) -> None:
    learned(store, 30)
    file = tmp_path / "rough.json"
    file.write_text(evaluation("rough", 0.2).to_json())
    by_id = cli("tuner", "predict", "ev_smooth", "ev_rough", "--user", "u", "--json")
    by_file = cli("tuner", "predict", "ev_smooth", file, "--user", "u", "--json")
    assert by_id.code == by_file.code == 0
    assert by_id.json == by_file.json
    assert by_id.json["version"] == 1
    assert by_id.json["p_a"] > 0.6
    assert "A is chosen with a chance of" in cli("tuner", "predict", "ev_smooth", file, "--user", "u").out


def test_another_user_s_taste_is_not_asked(store: Store, cli: Run) -> None:
    learned(store, 30)
    told = cli("tuner", "predict", "ev_smooth", "ev_rough", "--user", "v", "--json").json
    assert (told["version"], told["abstained"]) == (None, True)


def test_two_profiles_are_wrong_usage(store: Store, cli: Run) -> None:
    store.save_record(evaluation("elsewhere", 0.5).model_copy(update={"profile": "rtx3090"}), Path("clip.mp4"))
    refused = cli("tuner", "predict", "ev_smooth", "ev_elsewhere")
    assert refused.code == 2
    assert "never compared" in sentence(refused)


@pytest.mark.parametrize("name", ["ev_none", "x" * 5000, "bad.json", "folder"])
def test_what_is_no_evaluation_is_an_input_that_can_t_be_used(
    store: Store, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text('{"schema": "dqa.evaluation/1"}')
    (tmp_path / "folder").mkdir()
    refused = cli("tuner", "predict", "ev_smooth", name)
    assert refused.code == 3
    assert sentence(refused)
