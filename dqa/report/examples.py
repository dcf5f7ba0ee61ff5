"""What a score looks like before anybody has rated clips: the user's own clips that scored about as much.

Nothing here says how many people accept a clip; that is :mod:`dqa.report.anchors` with a calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dqa.acceptance.apply import fingerprint
from dqa.acceptance.samples import ANCHORS, NEAR, Thumbnail
from dqa.acceptance.unfitted import uncalibrated
from dqa.evaluation.request import CHANNELS
from dqa.record import ChannelName, EvaluationRecord
from dqa.report.pictures import smaller
from dqa.report.view import ClipView, clip_name

PICTURES, TRIES = 12, 100
"""Most clips that are shown, and most whose files are looked for: a report waits for no more."""

_SIDE, _BYTES = 192, 17_900

Score = Callable[[EvaluationRecord], float | None]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What else the user of a report has had judged.

    Attributes:
        records: newest first; those that the report's records don't compare with are passed over.
        thumbnail: makes their pictures; a clip that it has none of is passed over.
    """

    records: Sequence[EvaluationRecord]
    thumbnail: Thumbnail


@dataclass(frozen=True, slots=True)
class Example:
    """The clip that scored nearest to ``at``, of those that can be shown; ``record`` is None without one.

    ``near`` counts all that scored within a tenth of it.
    """

    at: float
    near: int
    score: float = 0.0
    record: EvaluationRecord | None = None
    picture: str | None = None

    @property
    def name(self) -> str:
        """The clip's file name, safe to show."""
        return "" if self.record is None else clip_name(self.record)


def examples(views: Sequence[ClipView], earlier: Earlier) -> dict[ChannelName | None, tuple[Example, ...]]:
    """For the final score (None) and each channel that scored a clip of ``views``: a clip near 0.3, 0.6 and 0.9.

    Clips of a report show each other's scores, but a report of one clip does not show it as its own example. Only
    clips of the same user that were judged in the same way count, by the scores that their channels gave.

    Args:
        views: of one profile, without a calibration.
        earlier: where else to look.
    """
    shown = [view.record for view in views]
    if len({record.user for record in shown}) > 1:
        return {}  # one page for several people shows nobody's other clips
    candidates = list(_candidates(shown, earlier.records))
    pictures = _Pictures(views, earlier.thumbnail)
    return {name: tuple(_nearest(at, candidates, score, pictures) for at in ANCHORS) for name, score in _scales(shown)}


def _candidates(shown: Sequence[EvaluationRecord], earlier: Iterable[EvaluationRecord]) -> Iterator[EvaluationRecord]:
    """Each clip and prompt once, by its newest verdict."""
    ways, kinds = {_way(record) for record in shown}, {record.media.kind for record in shown}
    clips = {record.media.sha256 for record in shown}
    alone = clips if len(clips) == 1 else frozenset[str]()
    seen = set[tuple[str, str]]()
    for record in (*shown, *earlier):
        key = (record.media.sha256, record.prompt)
        if key in seen or key[0] in alone or _way(record) not in ways or record.media.kind not in kinds:
            continue
        seen.add(key)
        yield record


def _way(record: EvaluationRecord) -> tuple[object, ...]:
    """How a clip was judged, apart from its models."""
    recipe = record.reproduce
    return (
        record.user,
        record.profile,
        recipe.profile_sha256,
        recipe.dqa_version,
        recipe.benchmark_backend,
        recipe.checklist,
    )


def _scales(shown: Sequence[EvaluationRecord]) -> Iterator[tuple[ChannelName | None, Score]]:
    """What has a score in the report, and how another record's is read where it means the same; None where not."""
    if any(record.final is not None for record in shown):
        yield None, _Final(shown)
    for name in CHANNELS:
        if any((result := record.channels.get(name)) and result.score is not None for record in shown):
            yield name, _Channel(name, shown)


class _Channel:
    """Reads a channel's own score where the same model gave it; a preference, by the same version of the taste."""

    def __init__(self, name: ChannelName, shown: Sequence[EvaluationRecord]) -> None:
        self._name: ChannelName = name
        self._judges = {self._judge(record) for record in shown if name in record.channels}

    def __call__(self, record: EvaluationRecord) -> float | None:
        result = record.channels.get(self._name)
        return uncalibrated(result) if result is not None and self._judge(record) in self._judges else None

    def _judge(self, record: EvaluationRecord) -> tuple[str, int | None]:
        version = record.reproduce.taste_version if self._name == "preference" else None
        return fingerprint(record.channels[self._name].model), version


class _Final:
    """Reads a final score that was made of the same models' own scores, weighted in the same way.

    The taste may have learned since: only its channel's model counts here.
    """

    def __init__(self, shown: Sequence[EvaluationRecord]) -> None:
        self._made = {self._of(record) for record in shown}

    def __call__(self, record: EvaluationRecord) -> float | None:
        return record.final if record.reproduce.calibration is None and self._of(record) in self._made else None

    @staticmethod
    def _of(record: EvaluationRecord) -> tuple[object, ...]:
        judges = sorted((name, fingerprint(result.model)) for name, result in record.channels.items())
        return (record.reproduce.adaptive_weights, *judges)


@dataclass
class _Pictures:
    """Pictures by clip, each made once; those of the report's own clips from what the report holds already."""

    views: Sequence[ClipView]
    thumbnail: Thumbnail
    made: dict[str, str | None] = field(default_factory=dict[str, str | None])

    def of(self, record: EvaluationRecord) -> str | None:
        clip = record.media.sha256
        if clip not in self.made:
            pictured = sum(picture is not None for picture in self.made.values())
            if pictured >= PICTURES or len(self.made) >= TRIES:
                return None
            self.made[clip] = self._make(record)
        return self.made[clip]

    def _make(self, record: EvaluationRecord) -> str | None:
        for view in self.views:
            if view.record.media.sha256 == record.media.sha256:
                return smaller(view.main.picture, _SIDE, _BYTES).uri
        return self.thumbnail(record)


def _nearest(at: float, candidates: Sequence[EvaluationRecord], score: Score, pictures: _Pictures) -> Example:
    scored = [(value, record) for record in candidates if (value := score(record)) is not None]
    near = [(value, record) for value, record in scored if abs(value - at) <= NEAR]
    for value, record in sorted(near, key=lambda pair: (abs(pair[0] - at), pair[1].id)):
        if (picture := pictures.of(record)) is not None:
            return Example(at, len(near), value, record, picture)
    return Example(at, len(near))
