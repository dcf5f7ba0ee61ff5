"""Memory that ran out is recognised whoever says it, and never passes for a damaged model."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dqa.config import Settings
from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.models import pool as pool_module
from dqa.models.checkpoint import load_model
from dqa.models.exhausted import ran_out, told
from dqa.models.pool import ModelPool
from dqa.models.vlm import local_load
from dqa.models.vlm.local_machine import Arguments, Machine, choose
from dqa.testing import ScriptedEvaluator
from tests.evaluation import fakes

FULL: list[Exception] = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.16 GiB. GPU 0 has a total capacity of 23.69 GiB"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    torch.AcceleratorError("CUDA error: not enough memory"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    InsufficientMemory("the model ran out", fix=""),
]
OTHERS: list[Exception] = [
    RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"),
    ValueError("CUDA out of memory"),
    RuntimeError("out of memory"),
    RuntimeError("the prompt is out of memory lane"),
    OSError(errno.ENOENT, "No such file or directory"),
    ModelUnavailable("it lacks weights", fix=""),
]


@pytest.mark.parametrize("error", FULL)
def test_what_counts(error: Exception) -> None:
    assert ran_out(error)
    with pytest.raises(InsufficientMemory), told("loading the model vlm"):
        raise error


@pytest.mark.parametrize("error", OTHERS)
def test_what_does_not(error: Exception) -> None:
    assert not ran_out(error)
    with pytest.raises(type(error)), told("loading the model vlm"):
        raise error


def test_the_words_of_the_host_s_allocator_are_still_those() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert ran_out(caught.value)


def test_what_transformers_swallows_while_it_converts_weights_is_found() -> None:
    from transformers.core_model_loading import SkipParameters, log_conversion_errors

    def loading(error: Exception) -> None:
        loading_info: Any = SimpleNamespace(conversion_errors={})
        with pytest.raises(SkipParameters), log_conversion_errors("model.layers.0", loading_info, (1, "weight")):
            raise error
        raise RuntimeError("We encountered some issues during automatic conversion of the weights.")

    for error, found in [(FULL[0], True), (OTHERS[0], False)]:
        with pytest.raises(RuntimeError) as caught:
            loading(error)
        assert ran_out(caught.value) is found


@pytest.mark.parametrize("error", [FULL[0], FULL[2]])
def test_a_vlm_that_finds_no_room_is_not_called_damaged(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("transformers.AutoModelForImageTextToText.from_pretrained", full)
    with pytest.raises(type(error)):
        local_load.load_model(tmp_path, choose(Arguments(), Machine()))
    with pytest.raises(type(error)):
        load_model(fakes.profile().components[0], SimpleNamespace(from_pretrained=full), tmp_path, "cuda")


def crowded(component: object, settings: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pool_module.FOUND, "fake", "tests.models.test_exhausted:crowded")


@pytest.mark.usefixtures("no_room")
def test_the_pool_says_which_model_found_no_room(tmp_path: Path) -> None:
    with pytest.raises(InsufficientMemory, match="vlm"):
        ModelPool(fakes.profile(), tmp_path).get("vlm")


@pytest.mark.usefixtures("no_room")
def test_models_that_find_no_room_at_the_start_are_not_loaded_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dqa.channels import registry
    from dqa.evaluator import Evaluator

    for name, home in fakes.BACKENDS.items():
        monkeypatch.setitem(registry.BACKENDS, name, home)
    grader = Evaluator(Settings(home=tmp_path), fakes.profile())
    grader.load()
    assert grader.pool.resident == ()
    monkeypatch.setitem(pool_module.FOUND, "fake", "tests.evaluation.fakes:load")
    grader.load()
    assert set(grader.pool.resident) == set(fakes.SIZES), "once there is room they load"


def test_a_worker_whose_models_find_no_room_says_so(tmp_path: Path) -> None:
    from dqa.service.messages import LoadFailed
    from dqa.service.worker import Worker

    class Crowded(ScriptedEvaluator):
        def load(self) -> None:
            raise torch.AcceleratorError("CUDA error: out of memory")

    heard: list[Any] = []
    assert Worker(Settings(home=tmp_path), Crowded, heard.append).run() == InsufficientMemory.exit_code
    (message,) = heard
    assert isinstance(message, LoadFailed)
    assert "memory" in str(message.problem)
