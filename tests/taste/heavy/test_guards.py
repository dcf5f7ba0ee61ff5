"""When a training stops, what its best state is, and which checkpoint is gone on with."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dqa.taste.heavy.checkpoints import newest_whole, seal, write_atomically
from dqa.taste.heavy.guards import Best, Rules


def rules() -> Rules:
    return Rules(patience=2, spike=1.5)


def test_what_a_training_began_with_may_be_the_best() -> None:
    watch = rules()
    assert watch.evaluated(0, 0.6)
    assert not watch.evaluated(5, 0.69)
    assert watch.best == Best(step=0, loss=0.6)


def test_no_gain_for_long_enough_stops() -> None:
    watch = rules()
    for step, loss in ((5, 0.686), (10, 0.690), (15, 0.673), (20, 0.693)):
        watch.evaluated(step, loss)
    assert watch.stopped is None
    watch.evaluated(25, 0.706)
    assert watch.stopped == "no gain on the held-out pairs since step 15"
    assert watch.best == Best(step=15, loss=0.673)


def test_a_spike_stops_at_once() -> None:
    watch = rules()
    watch.evaluated(5, 0.4)
    watch.evaluated(10, 0.61)
    assert watch.stopped is not None
    assert "rose to 0.610" in watch.stopped


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_stops(value: float) -> None:
    for name in ("loss", "grad_norm"):
        watch = rules()
        watch.trained(3, {name: value})
        assert watch.stopped is not None
    watch = rules()
    watch.evaluated(3, value)
    assert watch.stopped is not None
    watch = rules()
    watch.weighed(3, finite=False)
    assert not watch.evaluated(3, 0.1)
    assert watch.best is None


def test_the_best_is_found_again_up_to_the_step_gone_on_from(tmp_path: Path) -> None:
    watch = rules()
    for step, loss in ((5, 0.6), (10, 0.5)):
        watch.evaluated(step, loss)
        watch.keep(tmp_path, f"weights {step}".encode())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-10.safetensors", "best.json"]
    again = rules()
    found = again.resume(tmp_path, 10)
    assert found is not None
    assert found.read_bytes() == b"weights 10"
    assert again.best == Best(step=10, loss=0.5)
    assert rules().resume(tmp_path, 5) is None
    (tmp_path / "best.json").write_text("{")
    assert rules().resume(tmp_path, 10) is None


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "adapter_model.safetensors").write_bytes(b"weights" * step)
    seal(path)
    return path


def test_a_truncated_or_unsealed_checkpoint_steps_back(tmp_path: Path) -> None:
    assert newest_whole(tmp_path) is None
    for step in (5, 10, 100):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-200").mkdir()
    (tmp_path / "checkpoint-200" / "adapter_model.safetensors").write_bytes(b"half")
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-100"
    (tmp_path / "checkpoint-100" / "adapter_model.safetensors").write_bytes(b"weig")
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-10" / "adapter_model.safetensors").unlink()
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-5"
    (tmp_path / "checkpoint-5" / "dqa-files.json").write_text("[1]")
    assert newest_whole(tmp_path) is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for text in (b"one", b"two"):
        write_atomically(tmp_path / "x", text)
        assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", text)]
