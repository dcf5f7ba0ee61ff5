"""Real DPO with TRL and PEFT on a tiny model: it learns, stops, resumes, and its reference stays the base."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.models.snapshot import fingerprint
from dqa.taste.heavy.base import find_base
from dqa.taste.heavy.config import Failed, Progress, recipe
from tests.taste.heavy import tiny
from tests.taste.heavy.conftest import Trained, run_here

pytest.importorskip("trl")


def test_it_learns_what_the_user_prefers(trained: Trained) -> None:
    done = trained.finished
    assert done.loss is not None
    assert done.loss < 0.6, "0.36 to 0.44 with other first weights; log 2 when nothing is learned"
    assert done.accuracy is not None
    assert done.accuracy >= 0.75
    high, low = ([v for k, v in done.rewards.items() if k.startswith(kind)] for kind in ("high", "low"))
    assert sum(high) / 8 > sum(low) / 8
    assert done.best_step


def test_it_tells_every_step(trained: Trained) -> None:
    steps = [p for p in trained.told if isinstance(p, Progress) and p.stage == "training"]
    assert [p.step for p in steps if p.loss is not None] == list(range(1, 25))
    assert {p.of for p in steps} == {24}
    assert len([p for p in steps if p.eval_loss is not None]) == 4


def test_what_may_be_published_holds_no_pickle_and_no_path(trained: Trained, base: Path) -> None:
    assert sorted(p.name for p in trained.candidate.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    told = json.loads((trained.candidate / "adapter_config.json").read_bytes())
    assert (told["r"], told["lora_alpha"], told["lora_dropout"]) == (8, 16, 0.0)
    assert told["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert str(base.parent) not in json.dumps(told)


def test_the_same_request_gives_the_same_adapter(trained: Trained, tmp_path: Path) -> None:
    again = run_here(trained.request.model_copy(update={"scratch": str(tmp_path)}))
    assert again.finished.rewards == pytest.approx(trained.finished.rewards, abs=1e-4)


def test_it_goes_on_where_it_was_killed_with_a_truncated_newest_checkpoint(trained: Trained, tmp_path: Path) -> None:
    # What a kill leaves behind: the folder as after step 18, and half of the checkpoint of step 24.
    shutil.copytree(trained.request.scratch, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "candidate")
    broken = tmp_path / "checkpoints" / "checkpoint-24" / "adapter_model.safetensors"
    broken.write_bytes(broken.read_bytes()[:100])
    again = run_here(trained.request.model_copy(update={"scratch": str(tmp_path)}))
    steps = [p.step for p in again.told if isinstance(p, Progress) and p.loss is not None]
    assert steps == list(range(19, 25))
    assert again.finished.loss == pytest.approx(trained.finished.loss, abs=1e-4)
    assert again.finished.rewards == pytest.approx(trained.finished.rewards, abs=1e-4)


def test_a_warm_start_keeps_the_base_as_its_reference(trained: Trained, tmp_path: Path) -> None:
    config = trained.request.config.model_copy(update={"learning_rate": 1e-9, "min_steps": 4, "max_steps": 4})
    warm = run_here(
        trained.request.model_copy(
            update={
                "scratch": str(tmp_path),
                "config": config,
                "serving": str(trained.candidate),
                "warm_start": True,
            }
        )
    )
    # Hardly moved, it is the adapter it began with. With the trap (that adapter as reference) the loss would be log 2.
    assert warm.finished.best_loss == pytest.approx(trained.finished.best_loss, abs=1e-3)
    assert warm.finished.rewards == {} or warm.finished.rewards == pytest.approx(trained.finished.rewards, abs=1e-3)
    assert warm.finished.compared is not None
    new, serving, pairs = warm.finished.compared
    assert serving == pytest.approx(trained.finished.loss, abs=1e-4)
    assert new == pytest.approx(serving, abs=1e-3)
    assert pairs == 20


def test_both_adapters_are_compared_on_pairs_that_neither_saw(trained: Trained, tmp_path: Path) -> None:
    held_out = tuple(e.model_copy(update={"seen": i < 10}) for i, e in enumerate(tiny.examples(30, seed=5)))
    config = trained.request.config.model_copy(update={"min_steps": 2, "max_steps": 2})
    changes = {"scratch": str(tmp_path), "config": config, "serving": str(trained.candidate), "held_out": held_out}
    done = run_here(trained.request.model_copy(update=changes)).finished
    assert done.compared is not None
    assert done.compared[2] == 20
    assert done.compared[0] > done.compared[1], "two steps against twenty-four"


def test_a_rate_that_breaks_it_is_stopped_and_never_good(base: Path, tmp_path: Path) -> None:
    config = tiny.quick(base, learning_rate=1e6, max_grad_norm=1e9)
    done = run_here(tiny.request(tmp_path, config)).finished
    assert done.loss is None or done.loss > math.log(2) or not math.isfinite(done.loss)
    assert done.rewards == {}


def test_a_loss_that_is_not_finite_stops_it(base: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    ruined = shutil.copytree(base, tmp_path / "ruined")
    weights = load_file(str(ruined / "model.safetensors"))
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], float("nan"))
    save_file(weights, str(ruined / "model.safetensors"), metadata={"format": "pt"})
    done = run_here(tiny.request(tmp_path / "scratch", tiny.quick(ruined))).finished
    assert done.stopped is not None
    assert "not finite" in done.stopped
    assert done.steps < 12
    assert done.loss is None


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "evil.pkl", "modeling.py", "x.ckpt"])
def test_a_model_with_files_that_can_carry_code_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(base, tmp_path / "model")
    (folder / name).write_bytes(b"x")
    with pytest.raises(ModelUnavailable, match="carry code"):
        find_base(recipe(str(folder)))


def test_a_model_that_is_not_there_is_named_in_one_sentence(tmp_path: Path) -> None:
    from dqa.taste.heavy.train import run

    told: list[Any] = []
    config = recipe(str(tmp_path / "none"))
    assert run(tiny.request(tmp_path / "scratch", config), told.append) == 4
    assert isinstance(told[-1], Failed)
    assert "is not on this machine" in told[-1].what
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnavailable, match="safetensors"):
        find_base(recipe(str(tmp_path / "empty")))


def test_a_fingerprint_that_it_was_told_is_not_taken_again(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dqa.models import snapshot
    from dqa.models.fingerprints import Known, stamp

    def refused(_: Path) -> str:
        raise AssertionError("all of it is read")

    monkeypatch.setattr(snapshot, "fingerprint", refused)
    config = tiny.quick(base, min_steps=2, max_steps=2)
    told = Known(stamp=stamp(base), sha256="5e" * 32)
    assert run_here(tiny.request(tmp_path, config, known=told)).finished.base["sha256"] == "5e" * 32


def test_the_fingerprint_sees_one_byte(base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base, tmp_path / "model")
    assert fingerprint(folder) == fingerprint(base)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert fingerprint(folder) != fingerprint(base)


def test_several_gpus_in_sight_are_one_to_it(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dqa.taste.heavy import dpo

    made = dpo.DPOConfig

    def seeing_two(**given: Any) -> Any:
        arguments: Any = made(**given)
        assert arguments.n_gpu == 0, "there is none"
        arguments._n_gpu = 2
        return arguments

    monkeypatch.setattr(dpo, "DPOConfig", seeing_two)
    assert run_here(tiny.request(tmp_path, tiny.quick(base, min_steps=2, max_steps=2))).finished.steps == 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such thing\nand more"), "the training failed with ValueError (no such thing)"),
        (AssertionError(), "the training failed with AssertionError"),
        (RuntimeError("CUDA error: out of memory"), "training needs more memory than there is"),
        (MemoryError(), "training needs more memory than there is"),
    ],
)
def test_an_error_nobody_expected_is_told_by_its_type(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    from dqa.taste.heavy import dpo
    from dqa.taste.heavy.train import run

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(dpo, "_trainer", fail)
    lines: list[Any] = []
    assert run(tiny.request(tmp_path, tiny.quick(base)), lines.append) == 4
    assert isinstance(lines[-1], Failed)
    assert lines[-1].what == told


def test_a_model_too_large_for_the_memory_is_not_a_broken_one(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from dqa.taste.heavy.base import load_base
    from dqa.taste.heavy.machine import How

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.16 GiB.")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(InsufficientMemory, match=r"more memory than the host has free.*smaller DQA_TASTE_MODEL"):
        load_base(recipe(str(base)), How("cpu", bf16=False, nf4=False, unsloth=False))


@pytest.mark.gpu
def test_four_bits_on_a_gpu(base: Path, tmp_path: Path) -> None:
    config = tiny.quick(base, quantise="nf4", accelerator="none")
    done = run_here(tiny.request(tmp_path, config)).finished
    assert done.base["nf4"] is True
    assert done.base["device"] == "cuda"
    assert done.loss is not None
    assert math.isfinite(done.loss)


@pytest.mark.gpu
def test_unsloth_on_a_gpu(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("unsloth")
    done = run_here(tiny.request(tmp_path, tiny.quick(base, accelerator="unsloth"))).finished
    assert done.loss is not None
    assert math.isfinite(done.loss)
