"""The spatial channel over a grounder: any words looked for, followed over time, relations checked with their sign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.spatial.checks import Check
from dqa.channels.spatial.located import entity_json, reason_for, relation_json, unlabelled_json
from dqa.channels.spatial.tracks import Track, check_over_time, evidence_of, sighting, track_json
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.roles import Grounder
from dqa.prompt.parse import Entity, Prompt, Relation
from dqa.record import ChannelResult, ModelIdentity

MOST_ENTITIES = 12
FRAMES = 8

RASTER = (84, 84)
"""Cells of the masks, spanning the frame: about twice ProxyCLIP's own grid on a frame's shorter side."""

CONFIDENCE = 0.5
"""That of class activation where it knows all labels; to be fitted once clips are rated with the real weights."""


class GroundedSpatial(ABC):
    """Grounding by the words of the prompt.

    A backend says which grounder it uses, and who it is.

    Args:
        pool: where the models come from; asked on first use.
        components: ids of the grounder's models.
        frames: how many frames, even in time, are looked at.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="spatial", question="Where are things?", needs_prompt=True, stills=True
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...], frames: int = FRAMES) -> None:
        self.pool = pool
        self.components = components
        self._frames = frames

    @property
    @abstractmethod
    def model(self) -> ModelIdentity:
        """Which grounder speaks."""

    @abstractmethod
    def grounder(self) -> Grounder:
        """The grounder, loaded."""

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Score: mean over the things looked for and the relations told, each in [0, 1].

        ``raw.entities`` and ``raw.relations`` are as the contract has them; ``raw.tracks`` tells of each thing in every
        frame looked at, and in which spans of time it is seen.
        """
        entities = prompt.entities[:MOST_ENTITIES]
        if not entities:
            return self._abstained("the prompt names nothing that could be looked for", entities)
        frames = even_choice(observation.stills, self._frames)
        if not frames:
            return self._abstained("every frame is blank", entities)
        tracks = self._tracks(entities, frames)
        located = dict(enumerate(tracks))
        return self._result(located, _relations(prompt.relations, located))

    def _tracks(self, entities: Sequence[Entity], frames: Sequence[Frame]) -> list[Track]:
        # What the prompt names twice is looked for once: two equal names would share the picture between them.
        names = list(dict.fromkeys(_name(entity) for entity in entities))
        grounder = self.grounder()
        seen = [(frame, grounder.ground(frame.image, [[name] for name in names], RASTER)) for frame in frames]
        rows = [
            tuple(sighting(frame, found.heat[i], found.masks[i]) for frame, found in seen) for i in range(len(names))
        ]
        return [Track(entity, rows[names.index(_name(entity))]) for entity in entities]

    def _result(self, tracks: dict[int, Track], checks: list[tuple[Relation, Check]]) -> ChannelResult:
        told = [float(c.holds) for _, c in checks if c.holds is not None]
        raw: dict[str, JsonValue] = {
            "entities": [entity_json(t, t.best.place, t.best.frame.index) for t in tracks.values()],
            "relations": [relation_json(tracks, r, c) for r, c in checks],
            "unknown": [],
            "tracks": [track_json(t) for t in tracks.values()],
        }
        return ChannelResult(
            status="ok",
            score=float(np.mean([*(t.strength for t in tracks.values()), *told])),
            confidence=CONFIDENCE,
            reason=reason_for(tracks, checks, ()),
            evidence=tuple(evidence_of(t) for t in tracks.values()),
            model=self.model,
            raw=raw,
        )

    def _abstained(self, reason: str, entities: Sequence[Entity]) -> ChannelResult:
        raw: dict[str, JsonValue] = {
            "entities": [unlabelled_json(entity) for entity in entities],
            "relations": [],
            "unknown": [],
            "tracks": [],
        }
        return ChannelResult(status="abstained", reason=reason, model=self.model, raw=raw)


def _name(entity: Entity) -> str:
    return " ".join(entity.text.lower().split())


def _relations(relations: Sequence[Relation], tracks: dict[int, Track]) -> list[tuple[Relation, Check]]:
    """Each relation between things that were looked for; untold where they are one and the same to the grounder."""
    found: list[tuple[Relation, Check]] = []
    for relation in relations:
        a, b = tracks.get(relation.subject), tracks.get(relation.object)
        if a is None or b is None:
            continue
        same = _name(a.entity) == _name(b.entity)
        found.append((relation, Check(None, None) if same else check_over_time(a, relation.name, b)))
    return found
