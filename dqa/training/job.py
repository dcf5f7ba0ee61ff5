"""What a training process is told, put together from the store; the same again when it goes on after a kill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from dqa.config import Settings
from dqa.models.fingerprints import Known, known
from dqa.store import Store
from dqa.store.trainings import Training
from dqa.taste.heavy.checkpoints import write_atomically
from dqa.taste.heavy.config import Example, Sample, TrainingConfig, TrainingRequest, recipe
from dqa.taste.heavy.pairs import Clip, Pair, Split, clean, split
from dqa.taste.heavy.publish import Adapter
from dqa.taste.heavy.rendering import RENDERING_VERSION, render_prompt
from dqa.taste.style import NO_STYLE, Style

_REQUEST = "request.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A training put together.

    Attributes:
        request: for the process.
        parts: its pairs.
        style: what the prompts say the user likes.
    """

    request: TrainingRequest
    parts: Split
    style: Style


def configured(settings: Settings, changes: Mapping[str, JsonValue]) -> TrainingConfig:
    """The recipe for the settings' model."""
    return recipe(settings.taste_model or "", settings.taste_revision, **{"seed": settings.seed, **changes})


def assemble(
    store: Store, training: Training, config: TrainingConfig, scratch: Path, serving: Adapter | None, base: Known
) -> Job | None:
    """What to train on; None when the pairs are too few.

    Args:
        store: choices and evaluations.
        training: whose; only choices up to the one it was asked at count.
        config: the recipe.
        scratch: the process's folder.
        serving: the adapter that serves now.
        base: the fingerprint of the recipe's model.
    """
    until = training.request.get("until")
    choices = store.trainings.choices(training.user, training.profile, until if isinstance(until, int) else None)
    parts = split(clean(choices).pairs, config.seed)
    if not parts.enough:
        return None
    taste = store.tuner.current(training.user, training.profile)
    style = taste.style if taste is not None else NO_STYLE
    clips = {c.id: c for c in store.trainings.newest_clips(training.user, training.profile)}
    clips |= {c.id: c for p in (*parts.train, *parts.held_out) for c in (p.chosen, p.rejected)}
    rival = serving if serving is not None and comparable(serving, base) else None
    seen: set[str] = set(rival.metadata["trained_videos"]) if rival is not None else set()
    request = TrainingRequest(
        config=config,
        scratch=str(scratch),
        serving=str(rival.folder) if rival is not None else None,
        train=tuple(_example(p, style, seen) for p in parts.train),
        held_out=tuple(_example(p, style, seen) for p in parts.held_out),
        samples=tuple(_sample(c, style) for c in clips.values()),
        known=base,
        parent=os.getpid(),
    )
    return Job(_begun(request, scratch), parts, style)


def recognised(config: TrainingConfig, home: Path) -> Known:
    """The fingerprint of the recipe's model; reads it where it was not seen before.

    Raises:
        ModelUnavailable: see :func:`dqa.taste.heavy.base.find_base`.
    """
    from dqa.taste.heavy.base import find_base

    return known(find_base(config), home)


def comparable(adapter: Adapter, base: Known) -> bool:
    """Whether an adapter reads the same texts with the same base model: else there is nothing to compare."""
    trained_on: dict[str, Any] = adapter.metadata["base"]
    return adapter.metadata.get("rendering") == RENDERING_VERSION and trained_on.get("sha256") == base.sha256


def _begun(request: TrainingRequest, scratch: Path) -> TrainingRequest:
    """Clears away what an earlier process began with other pairs: its checkpoints would not fit."""
    import shutil

    lasting = {"parent", "samples", "known"}
    try:
        before = TrainingRequest.model_validate_json((scratch / _REQUEST).read_bytes())
    except (OSError, ValidationError):
        before = None
    if before is None or before.model_dump(exclude=lasting) != request.model_dump(exclude=lasting):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        write_atomically(scratch / _REQUEST, request.model_dump_json().encode())
    return request


def _example(pair: Pair, style: Style, seen: set[str]) -> Example:
    return Example(
        prompt=render_prompt(pair.chosen.brief, style),
        chosen=pair.chosen.text,
        rejected=pair.rejected.text,
        weight=pair.weight,
        seen=bool(seen & {pair.chosen.video, pair.rejected.video}),
    )


def _sample(clip: Clip, style: Style) -> Sample:
    return Sample(id=clip.id, prompt=render_prompt(clip.brief, style), response=clip.text)
