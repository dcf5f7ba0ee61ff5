"""What a report takes from the store: the same user's newest evaluations, with pictures of clips that are unchanged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from dqa.cli import earlier as subject
from dqa.cli.earlier import earlier
from dqa.config import Settings
from dqa.record import EvaluationRecord
from dqa.store import Store
from tests.cli.conftest import Run
from tests.clip.media import video
from tests.report.example import example

PROMPT = "human girl talk to cute dragon, pixar, disney"
_EXAMPLE = example().record


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with as many frames as the scripted evaluator's records tell of."""
    return video(tmp_path_factory.mktemp("source") / "source.mp4", count=_EXAMPLE.media.frames)


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


def on(path: Path, number: int = 1, **changes: object) -> EvaluationRecord:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    media = _EXAMPLE.media.model_copy(update={"sha256": sha256})
    recipe = _EXAMPLE.reproduce.model_copy(update={"media": str(path), "sha256": sha256})
    return _EXAMPLE.model_copy(update={"id": f"ev_{number:03}", "media": media, "reproduce": recipe, **changes})


def test_only_the_same_users_and_profiles_newest_are_taken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOOKED_AT", 4)
    store = Store.open(settings)
    for i in range(7):
        store.import_record(_EXAMPLE.model_copy(update={"id": f"ev_{i:04}"}))
    store.import_record(_EXAMPLE.model_copy(update={"id": "ev_x", "user": "somebody-else"}))
    store.import_record(_EXAMPLE.model_copy(update={"id": "ev_y", "profile": "rtx3090"}))
    taken = [record.id for record in earlier(settings, _EXAMPLE).records]
    assert taken == [f"ev_{i:04}" for i in (6, 5, 4, 3)]


def test_a_clip_has_a_picture_while_it_is_there_and_unchanged(settings: Settings, source: Path, tmp_path: Path) -> None:
    clip = Path(shutil.copy(source, tmp_path / "clip.mp4"))
    record = on(clip)
    Store.open(settings).save_record(record, clip)
    found = earlier(settings, _EXAMPLE)
    picture = found.thumbnail(record)
    assert picture is not None
    assert picture.startswith("data:image/jpeg;base64,")
    assert len(picture) <= 24_000
    assert earlier(settings, _EXAMPLE).thumbnail(record) == picture
    clip.write_bytes(clip.read_bytes() + b"more")
    assert earlier(settings, _EXAMPLE).thumbnail(record) is None
    clip.unlink()
    assert earlier(settings, _EXAMPLE).thumbnail(record) is None


def test_what_can_not_be_decoded_has_no_picture(settings: Settings, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_text("words")
    Store.open(settings).save_record(on(clip), clip)
    assert earlier(settings, _EXAMPLE).thumbnail(on(clip)) is None


def test_a_record_from_elsewhere_does_not_say_what_is_opened(settings: Settings, source: Path) -> None:
    Store.open(settings).import_record(on(source))
    found = earlier(settings, _EXAMPLE)
    assert [record.id for record in found.records] == ["ev_001"]
    assert found.thumbnail(found.records[0]) is None


def test_a_broken_store_costs_no_report(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "dqa.sqlite3").write_text("no database " * 100)
    assert earlier(settings, _EXAMPLE).records == ()


def test_a_report_shows_what_was_graded_before(cli: Run, source: Path, tmp_path: Path) -> None:
    first = Path(shutil.copy(source, tmp_path / "first-0.61.mp4"))
    assert cli("evaluate", first, "--prompt", PROMPT, "--quiet").code == 0
    second, out = tmp_path / "second-0.74.mp4", tmp_path / "r.html"
    second.write_text("another clip")
    assert cli("evaluate", second, "--prompt", PROMPT, "--report", out, "--quiet").code == 0
    page = out.read_text(encoding="utf-8")
    assert 'alt="A clip of yours that scored 0.61"' in page
    assert "<bdi>first-0.61.mp4</bdi>" in page
    assert cli("evaluate", second, "--prompt", PROMPT, "--report", out, "--user", "ada", "--quiet").code == 0
    assert "first-0.61.mp4" not in out.read_text(encoding="utf-8")
    assert cli("evaluate", second, "--prompt", PROMPT, "--report", out, "--no-examples", "--quiet").code == 0
    assert "first-0.61.mp4" not in out.read_text(encoding="utf-8")
