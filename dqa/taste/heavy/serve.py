"""The reward of a clip that is being judged: base model and adapters, loaded when first asked for, and kept
until they are let go."""

from __future__ import annotations

import gc
import math
from pathlib import Path
from typing import Any

import structlog

from dqa.errors import DQAError, ModelUnavailable
from dqa.taste.features import Judged
from dqa.taste.heavy.config import recipe
from dqa.taste.heavy.publish import Adapter, Shelf
from dqa.taste.heavy.rendering import RENDERING_VERSION, render_clip, render_prompt
from dqa.taste.style import Style
from dqa.taste.taste import Taste

log = structlog.get_logger(__name__)

_KEPT = 4
"""Adapters that stay loaded; some ten megabytes each."""


class AdapterRewards:
    """Asks users' adapters. Whatever is missing costs the reward, never the verdict.

    Args:
        home: the state folder.
        base: folder or hub id of the base model; None where the tier is off.
        revision: of a hub id.

    It uses the GPU wherever there is one, as the training did, whatever the profile: an 8B would take 32 GB of host
    memory. Not for several threads at once.
    """

    def __init__(self, home: Path, base: str | None, revision: str | None = None) -> None:
        self._home = home
        self._config = None if base is None else recipe(base, revision)
        self._base: Any = None
        self._model: Any = None
        self._loaded: dict[str, Adapter] = {}
        self._why: str | None = None

    def reward(self, user: str, taste: Taste, judged: Judged, sha256: str) -> float | None:
        """See :class:`dqa.channels.contract.RewardSource`."""
        self._why = None
        if taste.adapter is None:
            return None
        try:
            return self._reward(user, taste.profile, taste.adapter, judged, sha256)
        except DQAError as error:
            log.warning("the adapter can't speak", adapter=taste.adapter, error=error.sentence())
            self._why = f"the language-model adapter {taste.adapter} can't speak: {error.public()}"
        except ModuleNotFoundError as error:
            self._why = f"the language-model adapter needs the Python package {error.name}"
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            log.exception("the adapter failed", adapter=taste.adapter)
            self._why = f"the language-model adapter {taste.adapter} failed with {type(error).__name__}"
        return None

    def why(self) -> str | None:
        """See :class:`dqa.channels.contract.RewardSource`."""
        return self._why

    @property
    def on_device(self) -> bool:
        """Whether the base model lies on a GPU now."""
        return self._base is not None and self._base.identity["device"] != "cpu"

    def release(self) -> None:
        """Lets go of the base model and all adapters, for a training that wants the device alone; the next reward loads
        them again."""
        cached = self.on_device
        self._base = self._model = None
        self._loaded.clear()
        gc.collect()  # models refer to themselves
        if cached:
            import torch

            torch.cuda.empty_cache()

    def _reward(self, user: str, profile: str, version: str, judged: Judged, sha256: str) -> float | None:
        if self._config is None:
            raise ModelUnavailable("no language model is set", fix="set DQA_TASTE_MODEL")
        adapter = self._loaded.get(version) or Shelf(self._home, user, profile).load(version)
        told = adapter.metadata
        if told["rendering"] != RENDERING_VERSION:
            raise ModelUnavailable("it was trained on texts of another form", fix="train again with dqa tuner train")
        if sha256 in told["trained_videos"]:
            self._why = "the language-model adapter was trained on this clip"
            return None
        model, tokenizer = self._with(adapter)
        from dqa.taste.heavy.score import implicit_rewards

        prompt = render_prompt(judged.prompt, Style.model_validate(told["style"]))
        beta = float(told["config"]["beta"])
        reward = implicit_rewards(model, tokenizer, [(prompt, render_clip(judged))], beta)[0]
        return reward if math.isfinite(reward) else None

    def _with(self, adapter: Adapter) -> tuple[Any, Any]:
        """The model with that adapter active."""
        from peft import PeftModel

        base = self._loaded_base()
        if base.identity["sha256"] != adapter.metadata["base"]["sha256"]:
            raise ModelUnavailable("it belongs to another base model", fix="set DQA_TASTE_MODEL back, or train again")
        if adapter.version not in self._loaded:
            if self._model is None:
                self._model = PeftModel.from_pretrained(base.model, str(adapter.folder), adapter_name=adapter.version)
            else:
                self._model.load_adapter(str(adapter.folder), adapter_name=adapter.version, is_trainable=False)
            self._loaded[adapter.version] = adapter
        self._model.set_adapter(adapter.version)
        for old in list(self._loaded)[:-_KEPT]:
            if old != adapter.version:
                self._model.delete_adapter(old)
                del self._loaded[old]
        return self._model, base.tokenizer

    def _loaded_base(self) -> Any:
        if self._base is None:
            import dataclasses

            from dqa.taste.heavy.base import load_base
            from dqa.taste.heavy.machine import Machine, choose

            assert self._config is not None  # noqa: S101 - asked before
            how = choose(self._config, Machine.here())
            self._base = load_base(self._config, dataclasses.replace(how, unsloth=False), self._home)
        return self._base
