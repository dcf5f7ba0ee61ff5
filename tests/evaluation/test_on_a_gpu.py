"""The reference card's figures: an 8B in NF4, CLIP and DINO of random weights, resident in 24 GB."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from benchmarks import residency
from dqa.models.residency.copies import Copies
from dqa.models.residency.meter import CudaMeter


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    pytest.importorskip("bitsandbytes")
    return residency.measure("cuda", 48, 2)


@pytest.mark.gpu
@pytest.mark.slow
def test_all_models_stay_and_no_phase_peaks_at_20_gb(figures: dict[str, Any]) -> None:
    assert figures["resident"]["phases"] == ["evaluation"]
    assert all(0 < peak < 20 for peak in figures["resident"]["peak_gb"].values())
    assert all(0 < peak < 20 for peak in figures["reloading"]["peak_gb"].values())


@pytest.mark.gpu
@pytest.mark.slow
def test_a_warm_evaluation_takes_10_s_and_a_quarter_of_one_that_reloads(figures: dict[str, Any]) -> None:
    assert figures["resident"]["warm_s"] <= 10
    assert figures["ratio"] <= 0.25
    assert figures["shelved"]["warm_s"] < figures["reloading"]["warm_s"]


@pytest.mark.gpu
def test_weights_leave_the_device_and_come_back_the_same() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2048, 2048), torch.nn.BatchNorm1d(2048)).cuda()
    model.requires_grad_(False).train(False)
    given, meter = torch.randn(4, 2048, device="cuda"), CudaMeter()
    before, copies, held = model(given).cpu(), Copies(model), meter.read().allocated
    copies.to("cpu")
    assert held - meter.read().allocated >= 2048 * 2048 * 4 / 2**30 * 0.9
    assert model[0].weight.is_pinned()
    copies.to("cuda")
    assert torch.equal(model(given).cpu(), before)


def test_without_one_the_benchmark_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    monkeypatch.setattr(sys, "argv", ["residency", "--device", "cuda"])
    with pytest.raises(SystemExit, match="need a CUDA device"):
        residency.main()
