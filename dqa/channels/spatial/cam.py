"""The spatial channel of the embedded profile: things located by class activation, relations checked with their sign.

It locates only what the classifier has a label for; what it has none for is named and left out. Whether it answers
depends on the prompt alone. Why neither saliency nor ProxyCLIP's refinement: docs/design/topic-detector.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import JsonValue

from dqa.channels.contract import ChannelFacts, EvaluationContext
from dqa.channels.seeing import even_choice
from dqa.channels.spatial.activation import View, place, support, view
from dqa.channels.spatial.checks import Check, check
from dqa.channels.spatial.located import Located, entity_json, evidence_of, reason_for, relation_json, unlabelled_json
from dqa.channels.spatial.vocabulary import labels_for
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.models.embedded.classifier import LiteClassifier
from dqa.models.embedded.labels import label_bank
from dqa.models.pool import ModelPool
from dqa.prompt.parse import Entity, Prompt, Relation
from dqa.record import ChannelResult, ModelIdentity

MOST_ENTITIES = 12
KEYFRAMES = 3

MOST_CONFIDENCE = 0.5
"""When everything the prompt names can be looked for; less by the share that can't (docs/design/topic-detector.md)."""

WEAKNESS = "locates only what ImageNet has a label for: no people, no parts, nothing small; no depth"


class CamSpatial:
    """Grounding by class activation maps.

    Args:
        pool: where the models come from; asked on first use.
        components: ids of the classifier and of the sentence encoder.
    """

    facts: ClassVar[ChannelFacts] = ChannelFacts(
        name="spatial", question="Where are things?", needs_prompt=True, stills=True
    )

    def __init__(self, *, pool: ModelPool, components: tuple[str, ...]) -> None:
        self._pool = pool
        self._classifier, self._encoder = components

    @property
    def model(self) -> ModelIdentity:
        """The classifier and the encoder as parts of one locator."""
        parts = tuple(self._pool.profile.component(c).identity() for c in (self._classifier, self._encoder))
        return ModelIdentity(id="cam", licence="Apache-2.0", weakness=WEAKNESS, parts=parts)

    def evaluate(self, observation: Observation, prompt: Prompt, context: EvaluationContext) -> ChannelResult:
        """Score: mean over the things looked for and the relations told, each in [0, 1].

        ``raw.entities`` lists what the prompt names, with ``found`` null where the classifier has no label for it;
        ``raw.unknown`` names those.
        """
        encoder = self._pool.get(self._encoder)
        entities = prompt.entities[:MOST_ENTITIES]
        labels = [labels_for(e, label_bank(), encoder) for e in entities]
        unknown = [e.text for e, k in zip(entities, labels, strict=True) if not k]
        if not any(labels):
            named = f" ({', '.join(unknown[:5])})" if unknown else ""
            return self._abstained(f"the classifier has no label for anything the prompt names{named}", entities)
        frames = _keyframes(observation)
        if not frames:
            return self._abstained("every frame is blank", entities)
        classifier: LiteClassifier = self._pool.get(self._classifier)
        views = [view(frame, classifier) for frame in frames]
        located = {i: _locate(e, k, views) for i, (e, k) in enumerate(zip(entities, labels, strict=True)) if k}
        checks = _relations(prompt.relations, located, views, classifier)
        return self._result(entities, located, checks, classifier)

    def _result(
        self,
        entities: Sequence[Entity],
        located: dict[int, Located],
        checks: list[tuple[Relation, Check]],
        classifier: LiteClassifier,
    ) -> ChannelResult:
        unknown = [entity.text for i, entity in enumerate(entities) if i not in located]
        places = {i: place(t.best, t.labels, classifier.class_weights) for i, t in located.items() if t.found}
        told = [float(c.holds) for _, c in checks if c.holds is not None]
        raw: dict[str, JsonValue] = {
            "entities": [
                entity_json(located[i], places.get(i), located[i].best.frame.index)
                if i in located
                else unlabelled_json(entity)
                for i, entity in enumerate(entities)
            ],
            "relations": [relation_json(located, r, c) for r, c in checks],
            "unknown": list(unknown),
        }
        return ChannelResult(
            status="ok",
            score=float(np.mean([*(t.strength for t in located.values()), *told])),
            confidence=MOST_CONFIDENCE * len(located) / len(entities),
            reason=reason_for(located, checks, unknown),
            evidence=tuple(evidence_of(t, places.get(i)) for i, t in located.items()),
            model=self.model,
            raw=raw,
        )

    def _abstained(self, reason: str, entities: Sequence[Entity]) -> ChannelResult:
        raw: dict[str, JsonValue] = {
            "entities": [unlabelled_json(entity) for entity in entities],
            "relations": [],
            "unknown": [entity.text for entity in entities],
        }
        return ChannelResult(status="abstained", reason=reason, model=self.model, raw=raw)


def _keyframes(observation: Observation) -> list[Frame]:
    """The representative still and one from each end's third, in order, blank ones left out."""
    stills = observation.stills
    wanted = {observation.representative, len(stills) // 6, len(stills) - 1 - len(stills) // 6}
    return even_choice([stills[i] for i in sorted(wanted)], KEYFRAMES)


def _locate(entity: Entity, labels: tuple[int, ...], views: Sequence[View]) -> Located:
    supports = [support(v, labels) for v in views]
    best = int(np.argmax(supports))
    return Located(entity, labels, supports[best], views[best])


def _relations(
    relations: Sequence[Relation], located: dict[int, Located], views: Sequence[View], classifier: LiteClassifier
) -> list[tuple[Relation, Check]]:
    """Each relation between things that were looked for, checked in the frame that shows both best."""
    found: list[tuple[Relation, Check]] = []
    for relation in relations:
        a, b = located.get(relation.subject), located.get(relation.object)
        if a is None or b is None:
            continue
        if not (a.found and b.found) or a.labels == b.labels:
            found.append((relation, Check(None, None)))
            continue
        both = max(views, key=lambda v, a=a, b=b: min(support(v, a.labels), support(v, b.labels)))
        first, second = (place(both, t.labels, classifier.class_weights) for t in (a, b))
        found.append((relation, check(first, relation.name, second)))
    return found
