"""DPO of a LoRA adapter with TRL's trainer; imported in the training process only.

The reference is the base model: TRL takes it by disabling the adapter, but only when it made the adapter itself from a
``peft_config``. Given a model that has one already, it copies that one as the reference, and the rewards would be
measured from the last version instead of the base. So a warm start is: base model and ``peft_config`` to the trainer,
and then the old weights into the new adapter.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from dqa.taste.heavy.base import Base, load_base
from dqa.taste.heavy.checkpoints import newest_whole, seal, write_atomically
from dqa.taste.heavy.config import (
    CANDIDATE,
    Example,
    Finished,
    Progress,
    TrainingConfig,
    TrainingRequest,
    learning_rate_for,
)
from dqa.taste.heavy.distillation import LESSONS, distil
from dqa.taste.heavy.guards import Rules
from dqa.taste.heavy.machine import How, Machine, choose
from dqa.taste.heavy.publish import CONFIG, WEIGHTS
from dqa.taste.heavy.score import calibrated_loss, fitted_temperature, implicit_rewards
from dqa.taste.heavy.teacher import lessons
from dqa.taste.heavy.train import Tell

REFINING = 0.3
"""Share of the rate at which an adapter that knows the light tier's taste learns on, so as not to unlearn it."""

_DISTILLED = "distilled.safetensors"

log = logging.getLogger(__name__)


def train(request: TrainingRequest, tell: Tell) -> Finished:
    """Trains an adapter and judges the best of it on the held-out pairs; see :class:`Finished`."""
    config = request.config
    tell(Progress(stage="loading"))
    disable_progress_bars()
    disable_progress_bar()
    how = choose(config, Machine.here())
    for note in how.notes:
        log.warning(note)
    torch.set_num_threads(max(1, torch.get_num_threads()))
    base = load_base(config, how, told=request.known)
    rules = Rules(config.patience, config.spike)
    trainer, base = _trainer(request, base, how, rules, tell)
    scratch = Path(request.scratch)
    checkpoint = newest_whole(scratch / "checkpoints")
    kept = rules.resume(scratch, int(checkpoint.name.rpartition("-")[2])) if checkpoint else None
    if checkpoint is None:
        _begin(request, base, trainer, tell)
    if (scratch / _DISTILLED).is_file():
        trainer.args.learning_rate *= REFINING
    log.info("training from %s, best so far in %s", checkpoint or "the start", kept)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    tell(Progress(stage="scoring", step=trainer.state.global_step, of=trainer.state.max_steps))
    return _judged(request, base, trainer, rules)


def _trainer(request: TrainingRequest, base: Base, how: How, rules: Rules, tell: Tell) -> tuple[Any, Base]:
    config = request.config
    model, peft_config = base.model, _lora(config)
    if base.by_unsloth:
        try:
            model, peft_config = _unsloth_adapter(base.model, config), None
        except Exception as error:  # noqa: BLE001 - see base._load: an accelerator may fail in any way, and is left out
            log.warning("Unsloth is left out: %s", error)
            base = load_base(config, dataclasses.replace(how, unsloth=False), told=request.known)
            model = base.model
    rows = [e for e in request.train for _ in range(e.weight)]  # a pair's weight is how often it is shown
    watch = _Watch(rules, Path(request.scratch), tell)
    trainer = DPOTrainer(
        model=model,
        args=_on_one_device(_arguments(request, base, how, len(rows))),
        train_dataset=_dataset(rows),
        eval_dataset=_dataset(request.held_out),
        processing_class=base.tokenizer,
        peft_config=peft_config,
        callbacks=[watch],
    )
    _in_fp32(trainer.model)
    return trainer, base


def _begin(request: TrainingRequest, base: Base, trainer: Any, tell: Tell) -> None:
    """Gives the adapter what it begins with: the serving one's weights, or what the light tier knows, or nothing."""
    config, kept = request.config, Path(request.scratch) / _DISTILLED
    if request.warm_start and request.serving:
        _warm(trainer.model, Path(request.serving), config)
    elif config.distillation_steps:
        if trainer.args.activation_checkpointing and not base.by_unsloth:
            # The trainer itself does so in train() only; whole clips kept for the way back are gigabytes of an 8B.
            trainer.model.activation_checkpointing_enable(trainer.args.activation_checkpointing_kwargs)
        taught = lessons(request.train, LESSONS * config.distillation_steps, config.seed)
        if distil(base, trainer.model, taught, config, tell, kept):
            trainer.evaluate()  # it may be the best there is


def _arguments(request: TrainingRequest, base: Base, how: How, rows: int) -> DPOConfig:
    config = request.config
    steps = config.steps(rows)
    every = config.every(steps)
    return DPOConfig(
        output_dir=str(Path(request.scratch) / "checkpoints"),
        beta=config.beta,
        learning_rate=config.learning_rate or learning_rate_for(base.parameters),
        per_device_train_batch_size=config.batch,
        per_device_eval_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulation,
        max_steps=steps,
        warmup_steps=int(config.warmup * steps),
        max_grad_norm=config.max_grad_norm,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=3,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a NaN must be seen, not replaced by the mean so far
        max_length=None,  # renderings are bounded; cutting one would compare other texts than are scored
        # The reference never changes: computing it once saves a forward pass a step and evaluation.
        precompute_ref_log_probs=True,
        bf16=how.bf16,
        fp16=False,
        use_cpu=how.device == "cpu",
        activation_checkpointing=how.device == "cuda",
        optim="paged_adamw_8bit" if how.nf4 else "adamw_torch",
        dataloader_pin_memory=how.device == "cuda",
        seed=config.seed,
        data_seed=config.seed,
        report_to="none",
        disable_tqdm=True,
        push_to_hub=False,
    )


def _on_one_device(arguments: Any) -> Any:
    """Keeps Transformers from copying the model, which lies on the first, onto every GPU in sight; TRL refuses that."""
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def _in_fp32(model: Any) -> None:
    """Holds in fp32 what is trained, as it is saved and served; computed with it is in bf16 all the same, by autocast.

    Over a base in 4 bit TRL holds the adapter in bf16. Its steps near an adapter's weights (1/64 and less) are larger
    than Adam's at the rates of large models: most weights would never change.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def _lora(config: TrainingConfig) -> LoraConfig:
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _unsloth_adapter(model: Any, config: TrainingConfig) -> Any:
    """Unsloth makes the adapter itself. TRL then copies it as the reference while it still adds nothing: that copy is
    the base model too."""
    import importlib

    unsloth: Any = importlib.import_module("unsloth")
    return unsloth.FastLanguageModel.get_peft_model(
        model,
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=config.seed,
    )


def _dataset(examples: Sequence[Example]) -> Any:
    return Dataset.from_list([e.model_dump(include={"prompt", "chosen", "rejected"}) for e in examples])


class _Watch(TrainerCallback):
    """Applies the rules, keeps the best state, seals checkpoints and tells how far it is."""

    def __init__(self, rules: Rules, scratch: Path, tell: Tell) -> None:
        self._rules = rules
        self._scratch = scratch
        self._tell = tell

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        values = logs or {}
        self._rules.trained(state.global_step, values)
        if "loss" in values or "eval_loss" in values:
            loss, held_out = (_finite(values.get(name)) for name in ("loss", "eval_loss"))
            step, of = int(state.global_step), int(state.max_steps or args.max_steps)
            self._tell(Progress(stage="training", step=step, of=of, loss=loss, eval_loss=held_out))
        self._obey(control)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **rest: Any
    ) -> None:
        del args
        weights = _weights(rest["model"])
        self._rules.weighed(state.global_step, finite=all(bool(torch.isfinite(w).all()) for w in weights.values()))
        if self._rules.evaluated(state.global_step, float((metrics or {})["eval_loss"])):
            self._rules.keep(self._scratch, save(weights))
        self._obey(control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        del control
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _obey(self, control: Any) -> None:
        if self._rules.stopped is not None:
            control.should_training_stop = True


def _judged(request: TrainingRequest, base: Base, trainer: Any, rules: Rules) -> Finished:
    """The best adapter on the held-out pairs, beside the one that serves, by the formula that serving uses."""
    scratch, beta = Path(request.scratch), request.config.beta
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # serving has no autocast
    done = Finished(
        steps=int(trainer.state.global_step),
        best_step=rules.best.step if rules.best else None,
        best_loss=rules.best.loss if rules.best else None,
        loss=None,
        stopped=rules.stopped,
        base=base.identity,
    )
    if rules.best is None:
        return done
    best = load_file(str(scratch / f"best-{rules.best.step}.safetensors"))
    _put(model, best)
    margins = _margins(model, base.tokenizer, request.held_out, beta)
    _write_candidate(scratch / CANDIDATE, best, model.peft_config["default"], request, base)
    compared = _compared(request, base, model, margins)
    loss = calibrated_loss(margins)
    # Scoring every clip takes a while; an adapter that won't pass the gate is not asked.
    good = loss < math.log(2) and (compared is None or compared[0] < compared[1])
    model.set_adapter("default")
    rewards = _rewards(model, base, request) if good else {}
    return done.model_copy(
        update={
            "loss": loss,
            "accuracy": sum(m > 0 for m in margins) / len(margins),
            "temperature": fitted_temperature(margins),
            "rewards": rewards,
            "compared": compared,
        }
    )


def _rewards(model: Any, base: Base, request: TrainingRequest) -> dict[str, float]:
    texts = [(s.prompt, s.response) for s in request.samples]
    values = implicit_rewards(model, base.tokenizer, texts, request.config.beta)
    return {s.id: value for s, value in zip(request.samples, values, strict=True) if math.isfinite(value)}


def _compared(
    request: TrainingRequest, base: Base, model: Any, margins: Sequence[float]
) -> tuple[float, float, int] | None:
    """Both adapters' loss on the same pairs: those that neither was trained on, where there are enough of them."""
    if request.serving is None:
        return None
    fresh = [i for i, e in enumerate(request.held_out) if not e.seen]
    rows = fresh if len(fresh) >= 20 else list(range(len(margins)))
    model.load_adapter(request.serving, adapter_name="serving", is_trainable=False)
    model.set_adapter("serving")
    serving = _margins(model, base.tokenizer, [request.held_out[i] for i in rows], request.config.beta)
    return calibrated_loss([margins[i] for i in rows]), calibrated_loss(serving), len(rows)


def _margins(model: Any, tokenizer: Any, examples: Sequence[Example], beta: float) -> list[float]:
    texts = [(e.prompt, response) for e in examples for response in (e.chosen, e.rejected)]
    rewards = implicit_rewards(model, tokenizer, texts, beta)
    return [chosen - rejected for chosen, rejected in zip(rewards[::2], rewards[1::2], strict=True)]


def _weights(model: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, adapter_name="default")
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


def _warm(model: Any, serving: Path, config: TrainingConfig) -> None:
    told = json.loads((serving / CONFIG).read_bytes())
    if (told["r"], told["lora_alpha"], sorted(told["target_modules"])) == (
        config.rank,
        config.alpha,
        sorted(config.targets),
    ):
        _put(model, load_file(str(serving / WEIGHTS)))
    else:
        log.warning("the serving adapter has another form: training starts at none")


def _put(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Puts weights into the adapter that is trained; the reference stays the base."""
    result: Any = set_peft_model_state_dict(model, weights, adapter_name="default")
    if result.unexpected_keys:
        raise ValueError(f"the adapter's weights do not belong to this model: {result.unexpected_keys[0]}")


def _write_candidate(
    folder: Path, weights: dict[str, torch.Tensor], lora: LoraConfig, request: TrainingRequest, base: Base
) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / WEIGHTS, save(weights))
    told: dict[str, Any] = lora.to_dict()
    told |= {"target_modules": sorted(told["target_modules"]), "inference_mode": True}
    told |= {"base_model_name_or_path": str(base.identity["id"])}
    write_atomically(folder / CONFIG, json.dumps(told, sort_keys=True, default=str).encode())


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
