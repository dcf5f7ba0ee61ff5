"""The thread that makes clips, against a stand-in ComfyUI: what it keeps, what it says, what it takes up again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dqa.comfy.client import Comfy
from dqa.config import Settings
from dqa.ids import new_id
from dqa.service.generating import Generating
from dqa.store import Store
from dqa.store.generations import Generation
from dqa.store.jobs import ENDED
from tests.comfy.standin import serving
from tests.service.clip_maker import WORKFLOW, ClipMaker, graph_of
from tests.service.running import wait_until

GONE = "nowhere:1:0"


@pytest.fixture
def comfy() -> ClipMaker:
    return ClipMaker()


@pytest.fixture
def settings(tmp_path: Path, comfy: ClipMaker) -> Iterator[Settings]:
    with serving(comfy) as url:
        yield Settings(home=tmp_path, comfy_url=url, comfy_workflow=WORKFLOW)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


def impatient(url: str) -> Comfy:
    return Comfy(url, patience_s=0.5)


def ask(store: Store, prompt: str = "a wolf", seed: int = 7, workflow: str | None = None) -> str:
    request = {"prompt": prompt, "negative": None, "seed": seed, "workflow": workflow, "attempt": 1}
    return store.generations.add(new_id("gen"), "mira", dict(request), 10)[0]


def found(store: Store, gen: str) -> Generation:
    row = store.generations.get(gen)
    assert row is not None
    return row


class Running:
    def __init__(self, settings: Settings, store: Store) -> None:
        self.thread = Generating(settings, store, impatient)

    def __enter__(self) -> Generating:
        self.thread.start()
        return self.thread

    def __exit__(self, *_: object) -> None:
        self.thread.stop()


def ended(settings: Settings, store: Store, gen: str) -> Generation:
    with Running(settings, store):
        wait_until(lambda: found(store, gen).status in ENDED, 60)
    return found(store, gen)


def said(row: Generation) -> str:
    assert row.error is not None
    return str(row.error["detail"])


def test_a_clip_is_made_from_the_prompt_and_kept_as_media(settings: Settings, store: Store) -> None:
    done = ended(settings, store, ask(store, 'a wolf, "grey"', seed=1234))
    assert done.status == "done"
    assert done.media_id is not None
    kept = store.media.get(done.media_id)
    graph = graph_of(kept.path.read_bytes())
    assert '\\"grey\\"' in graph
    assert "1234" in graph
    assert kept.path.suffix == ".mp4"
    assert {path.name for path in store.media.folder.iterdir()} == {kept.path.name}, "nothing half is left"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fail": "mat1 and mat2"}, "ComfyUI failed in node 3 (KSampler): mat1 and mat2"),
        ({"fail": "CUDA out of memory"}, "ran out of memory"),
        ({"broken_output": "9"}, "run without output 9"),
    ],
)
def test_what_comfyui_says_went_wrong_is_the_reason(
    settings: Settings, store: Store, comfy: ClipMaker, fault: dict[str, str], words: str
) -> None:
    for name, value in fault.items():
        setattr(comfy, name, value)
    failed = ended(settings, store, ask(store))
    assert failed.status == "failed"
    assert words in said(failed)
    assert str(settings.home) not in said(failed)


def test_a_server_that_is_not_there_and_one_that_takes_too_long(
    settings: Settings, store: Store, comfy: ClipMaker
) -> None:
    nobody = settings.model_copy(update={"comfy_url": "http://127.0.0.1:9"})
    assert "ComfyUI does not answer" in said(ended(nobody, store, ask(store)))
    comfy.seconds = 30
    late = ended(settings.model_copy(update={"comfy_timeout_s": 0.3}), store, ask(store))
    assert "took longer" in said(late)
    wait_until(lambda: comfy.running is None and not comfy.pending, 30)


def test_what_makes_no_clip_is_named_and_the_next_one_is_made(settings: Settings, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "broken.json").write_text("{}")
    named = settings.model_copy(update={"comfy_workflows": folder})
    broken, good = ask(store, workflow="broken"), ask(store)
    assert ended(named, store, good).status == "done"
    assert "no nodes" in said(found(store, broken))
    assert str(tmp_path) not in said(found(store, broken)), "places on this machine are nobody's business"


def test_cancelling_takes_it_off_comfyui(settings: Settings, store: Store, comfy: ClipMaker) -> None:
    comfy.seconds = 60
    gen = ask(store)
    with Running(settings, store):
        wait_until(lambda: comfy.running is not None, 30)
        assert store.generations.ask_to_cancel(gen) == "running"
        wait_until(lambda: found(store, gen).status == "cancelled", 30)
    assert comfy.interrupted == {found(store, gen).run}


def test_a_run_of_a_service_that_died_is_taken_up_and_not_made_twice(
    settings: Settings, store: Store, comfy: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    gen = ask(store)
    with Running(settings, store) as thread:
        wait_until(lambda: found(store, gen).status == "done", 60)
        assert thread.is_alive()
    comfy.seconds = 15.0
    left = ask(store, seed=8)
    stopped = Running(settings, store)
    with stopped:
        wait_until(lambda: len(comfy.submitted) == 2, 30)
    row = found(store, left)
    assert (row.status, row.submitted, row.media_id) == ("running", True, None), "left on ComfyUI by an orderly stop"
    comfy.seconds = 0.0
    monkeypatch.setattr("dqa.service.generating.is_gone", lambda owner: True)
    assert ended(settings, store, left).status == "done"
    assert len(comfy.submitted) == 2, "asked for once"


def test_a_run_that_comfyui_forgot_is_submitted_again(
    settings: Settings, store: Store, comfy: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dqa.comfy.client._FORGOTTEN_S", 0.2)
    gen = ask(store)
    assert store.generations.take(GONE) is not None
    assert store.generations.submitting(gen, GONE)
    monkeypatch.setattr("dqa.service.generating.is_gone", lambda owner: owner == GONE)
    assert ended(settings, store, gen).status == "done"
    assert [job["id"] for job in comfy.submitted] == [found(store, gen).run]


def test_a_fault_of_ours_ends_one_clip_and_not_the_thread(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([ZeroDivisionError()])

    def broken(made: Path) -> object:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        return sniff(made)

    from dqa.service import generating

    sniff = generating.sniff
    monkeypatch.setattr(generating, "sniff", broken)
    first = ask(store)
    second = ask(store, seed=8)
    assert ended(settings, store, second).status == "done"
    assert "did not expect" in said(found(store, first))
