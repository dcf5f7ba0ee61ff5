"""The reference card's figures: an 8B in NF4, CLIP, DINO, RAFT and VBench's others, resident in 24 GB; DPO in 18."""

from __future__ import annotations

import gc
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from benchmarks import residency
from dqa.models.residency.copies import Copies
from dqa.models.residency.meter import CudaMeter
from dqa.taste.heavy.config import Finished, Progress
from dqa.taste.heavy.rendering import render_prompt
from dqa.taste.heavy.train import run
from tests.taste.heavy import tiny
from tests.taste.heavy.renderings import choices


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


EIGHT_B = {
    "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 151936,
}  # fmt: skip
TINY = {**EIGHT_B, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
TINY |= {"num_key_value_heads": 2, "vocab_size": 400}


BRIEF = (
    "A red fox crosses a frozen river at dawn while snow falls, filmed by a drone that rises slowly above the trees. "
)


def dpo(folder: Path, shape: dict[str, int], device: str, **how: object) -> tuple[Finished, float]:
    """Some steps of distillation and DPO with a language model of random weights, and the former's peak on a GPU in GB.

    Clips are rendered whole; their briefs have up to 480 characters, so that a sequence has some 130 to 490 tokens.
    """
    usual = choices(12)
    base = tiny.save_tiny_model(folder / "base", texts=[t for e in choices(100) for t in (e.chosen, e.rejected)])
    (base / "model.safetensors").unlink()
    try:
        _save(base, shape, device)
        briefs = (render_prompt((BRIEF * 5)[: 40 * (i + 1)]) for i in range(len(usual)))
        pairs = tuple(e.model_copy(update={"prompt": prompt}) for e, prompt in zip(usual, briefs, strict=True))
        steps = {"min_steps": 2, "max_steps": 2, "evaluations": 1, "distillation_steps": 3}
        recipe = tiny.quick(base, rank=16, batch=2, accumulation=2, **steps, **how)
        peaks, told = [0.0], list[Any]()

        def tell(line: Any) -> None:
            told.append(line)
            if device == "cuda" and isinstance(line, Progress) and line.stage == "distilling":
                peaks.append(torch.cuda.max_memory_allocated() / 2**30)

        request = tiny.request(folder / "scratch", recipe, train=pairs, held_out=pairs[:4])
        assert run(request, tell) == 0, told[-1]
        assert len([p for p in told if isinstance(p, Progress) and p.stage == "distilling"]) == 3
        return told[-1], max(peaks)
    finally:
        shutil.rmtree(base)  # 16 GB of an 8B, which pytest would keep for three runs


def _save(base: Path, shape: dict[str, int], device: str) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            config = transformers.LlamaConfig(**shape, bos_token_id=0, eos_token_id=1, tie_word_embeddings=False)
            transformers.LlamaForCausalLM(config).save_pretrained(base, max_shard_size="2GB")
    finally:
        torch.set_default_dtype(before)
    if device == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


@pytest.mark.gpu
@pytest.mark.slow
def test_qlora_dpo_of_an_8b_peaks_at_18_gb(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    done, distilling = dpo(tmp_path, EIGHT_B, "cuda", quantise="nf4", accelerator="none")
    assert done.base["nf4"] is True
    assert int(str(done.base["parameters"])) > 7e9
    assert distilling <= 14, "4.65 MB a token of its clips would be kept without checkpointing, some 7 GB more"
    assert torch.cuda.max_memory_allocated() / 2**30 <= 18


def test_the_same_training_of_a_tiny_model_on_the_cpu(tmp_path: Path) -> None:
    done, _ = dpo(tmp_path, TINY, "cpu", accelerator="none")
    assert done.loss is not None
    assert math.isfinite(done.loss)
    assert not (tmp_path / "base").exists()


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


def test_the_same_course_with_tiny_models_on_the_cpu() -> None:
    found = residency.measure("cpu", 8, 1)
    assert found["resident"]["phases"] == ["evaluation"]
    assert len(found["reloading"]["phases"]) > 1
    for way in ("resident", "reloading"):
        assert set(found[way]["peak_gb"]) == set(found[way]["phases"])
        assert all(peak > 0 for peak in found[way]["peak_gb"].values())
    assert found["ratio"] > 0


def test_without_one_the_benchmark_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    monkeypatch.setattr(sys, "argv", ["residency", "--device", "cuda"])
    with pytest.raises(SystemExit, match="need a CUDA device"):
        residency.main()
