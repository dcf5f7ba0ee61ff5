"""The one evaluator behind every surface: clip -> observation -> channels -> synthesis -> record."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

import structlog

import dqa
from dqa.acceptance.apply import Fits, as_recorded, in_force
from dqa.channels.contract import RewardSource
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import Settings, load_settings
from dqa.errors import Cancelled, DQAError, InsufficientMemory, ModelUnavailable, VersionNotFound
from dqa.evaluation import residence
from dqa.evaluation.judges import Judges
from dqa.evaluation.request import (
    CHANNELS,
    Evaluation,
    Item,
    Options,
    Progress,
    Request,
    TasteSource,
    Underway,
    printable,
    silent,
)
from dqa.evaluation.rounds import MOST_CLIPS, rounds
from dqa.evaluation.verdict import record_of
from dqa.ids import new_id
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models import device
from dqa.models.plan import PhasePlan, Plan
from dqa.models.pool import ModelPool
from dqa.models.profiles import Profile, load_profile, with_vlm
from dqa.models.residency import card
from dqa.models.residency.meter import Reading
from dqa.prompt import check_prompt, parse_prompt
from dqa.record import ChannelName, ChannelResult, EvaluationRecord, Reproduce
from dqa.taste.taste import Taste

__all__ = ["CHANNELS", "Evaluation", "Evaluator", "Item", "Options", "Progress", "TasteSource", "evaluate"]

log = structlog.get_logger(__name__)

_MANY = 100
"""Frames after which decoding counts as half done: how many there will be is known only at the end."""


class Evaluator:
    """Grades clips with one profile; models come and go by its plan. Not for several threads at once.

    Args:
        settings: limits, state folder, default user and seed.
        profile: default the one that ``settings`` names.
        taste: finds a user's taste, the serving one or that of a version; default nobody has one.
        rewards: asks users' language-model adapters; default there are none.

    Attributes:
        plan: what is on the device when (:mod:`dqa.models.plan`).

    Raises:
        ConfigError: there is no such profile, or it has no such vision-language model.
        ModelUnavailable: the profile can only be planned for.
        InsufficientMemory: it does not fit the memory budget.
    """

    def __init__(
        self,
        settings: Settings,
        profile: Profile | None = None,
        taste: TasteSource | None = None,
        rewards: RewardSource | None = None,
    ) -> None:
        self.settings = settings
        self.profile = with_vlm(profile or load_profile(settings.profile), settings.vlm_component)
        if not self.profile.ready:
            raise ModelUnavailable(
                f"profile {self.profile.name} can be planned for, but not evaluated with in this version",
                fix="use --profile embedded",
            )
        _keep_stdout_clean()
        self._taste = taste or _nobody
        budget = card.budget_gb(self.profile, settings)
        if (more := card.overdrawn(self.profile, settings)) is not None:
            log.warning("the budget is more than there is", why=more)
        self.pool = ModelPool(self.profile, settings.home, settings, budget_gb=budget)
        asked = residence.as_asked(self.profile, settings)
        self._declared = residence.declared(asked, settings)
        self.plan: Plan = residence.chosen(asked, settings.model_copy(update={"budget_gb": budget}), self.pool)
        self._judges = Judges(self.profile, settings, self.pool, rewards)
        if settings.benchmark_backend == "vbench":
            self._judges.channel("benchmark")  # its environment must be there before time goes into a clip

    def load(self) -> None:
        """Loads the models of the first phase now, all of them where they stay: the first evaluation is then as quick
        as the next."""
        for phase in self.plan.evaluation[:1]:
            self.pool.enter(phase.components, phase.kept)
            for component in phase.components:
                if self.profile.component(component).loader is not None:  # the language model of taste loads itself
                    self._load(component)

    def _load(self, component: str) -> None:
        try:
            self.pool.get(component)
        except ModelUnavailable as error:  # the channels that need it will say so; the others can judge
            log.info("not loaded", component=component, error=str(error))
        except InsufficientMemory as error:  # there may be room once a clip comes; else the channels will say so
            log.warning("not loaded for want of memory", component=component, error=str(error))
        else:
            return
        self.pool.free()  # outside of the handlers: the traceback holds what was loaded of it

    @property
    def at_once(self) -> int:
        """How many clips go through :meth:`run_many` together."""
        return 1 if len(self.plan.evaluation) <= 1 else MOST_CLIPS

    @property
    def readings(self) -> dict[ChannelName, Reading]:
        """What the device held in each channel's last run."""
        return dict(self.pool.ledger.readings)

    @property
    def on_device(self) -> bool:
        """Whether models lie on a GPU now, the language model of taste among them."""
        return (self.pool.device != "cpu" and bool(self.pool.resident)) or self._judges.rewards_on_device

    def release(self) -> None:
        """Takes the models off the device until the next evaluation, for a training that wants it alone."""
        self._judges.release()
        self.pool.release()

    def evaluate(self, media: Path | str, prompt: str, **options: Unpack[Options]) -> EvaluationRecord:
        """Grades one clip against its prompt; see :meth:`run`."""
        return self.run(media, prompt, **options).record

    def run(self, media: Path | str, prompt: str, **options: Unpack[Options]) -> Evaluation:
        """Grades one clip against its prompt.

        Args:
            media: the video or image file.
            prompt: the text it was made from.
            options: see :class:`Options`.

        Raises:
            InputError: this media or prompt can't be evaluated.
            VersionNotFound: the ``taste_version`` or ``fits`` that were asked for can't judge (any more).
            Cancelled: ``progress`` asked to stop.
        """
        clip = self._open(Item(Path(media), prompt, options))
        self._judge([clip])
        return self._closed(clip)

    def run_many(self, items: Iterable[Item]) -> Iterator[Evaluation | Exception]:
        """Grades clips, each as :meth:`run` would, in their order; what one raises is given in its place.

        Where the models do not all fit the budget, a round of clips goes through a phase before the next phase loads;
        where they do, clips come one by one. A round holds a bounded number of clips.

        Raises:
            Cancelled: the ``progress`` of one asked to stop.
        """
        for some in rounds(items, self._opened, self.at_once):
            self._judge([clip for clip in some if isinstance(clip, Underway)])
            while some:  # let go of each clip as soon as it is given out
                clip = some.pop(0)
                yield self._closed(clip) if isinstance(clip, Underway) else clip

    def judge(self, observation: Observation, prompt: str, **options: Unpack[Options]) -> EvaluationRecord:
        """Grades a clip that was observed before; ``media_name`` says what the record calls it. Else as :meth:`run`."""
        request = self._request(Item(Path(), prompt, options))
        clip = Underway(request, observation, options.get("progress") or silent, {"decode": 0.0})
        self._judge([clip])
        return self._closed(clip).record

    def _opened(self, item: Item) -> Underway | Exception:
        try:
            return self._open(item)
        except Cancelled:
            raise
        except DQAError as error:
            return error
        except Exception as error:  # one clip's fault, whatever it is, must not cost the others' verdicts
            log.exception("a clip can't be opened", media=printable(item.media))
            return error

    def _open(self, item: Item) -> Underway:
        tell = item.options.get("progress") or silent
        request = self._request(item)
        started = time.perf_counter()
        tell("decode", 0.0)
        observation = self._observe(request, tell)
        return Underway(request, observation, tell, {"decode": time.perf_counter() - started})

    def _closed(self, clip: Underway) -> Evaluation:
        clip.timings["total"] = sum(clip.timings.values())
        clip.tell("done", 1.0)
        memory = residence.memory_of(self.profile.device, self._declared, clip.memory)
        return Evaluation(record_of(clip, self.profile, self.settings, memory, dqa.__version__), clip.observation)

    def _judge(self, clips: Sequence[Underway]) -> None:
        """Every channel's answer on every clip, a phase after the other."""
        with ExitStack() as held:
            if clips:
                held.enter_context(device.shared(self.settings.home, lambda: self._wait(clips[0])))
            held.callback(self.pool.about, None)  # what models keep of the last clip goes with it
            planned: set[ChannelName] = {name for phase in self.plan.evaluation for name in phase.channels}
            for clip in clips:
                self._unplanned(clip, planned)
            for phase in self.plan.evaluation:
                self._phase(phase, clips)

    def _wait(self, clip: Underway) -> None:
        """A training has the device alone: what lies there unused would take its memory."""
        if self.on_device:
            log.info("the device is given to the training")
            self.release()
        clip.tell(device.WAITING, 0.4)

    def _unplanned(self, clip: Underway, planned: set[ChannelName]) -> None:
        for name in CHANNELS:
            if name not in clip.request.channels:
                clip.results[name] = ChannelResult(status="unavailable", reason="Not asked for in this evaluation.")
            elif name not in planned:
                self._judges.ask(name, clip)

    def _phase(self, phase: PhasePlan, clips: Sequence[Underway]) -> None:
        asked: list[tuple[ChannelName, Underway]] = [
            (name, clip) for clip in clips for name in phase.channels if name in clip.request.channels
        ]
        if not asked:
            return
        self.pool.enter(phase.components, phase.kept)
        for name, clip in asked:
            self._judges.ask(name, clip)
        self.pool.ledger.phase_done(phase.name, phase.channels, len(clips))

    def _request(self, item: Item) -> Request:
        options = item.options
        channels, seed = options.get("channels"), options.get("seed")
        user = options.get("user") or self.settings.user
        return Request(
            media=item.media,
            media_name=options.get("media_name") or printable(item.media),
            roots=options.get("roots"),
            prompt=parse_prompt(check_prompt(item.prompt)),
            user=user,
            taste=self._taste_of(user, options.get("taste_version")),
            fits=self._fits(options.get("fits")),
            seed=self.settings.seed if seed is None else seed,
            channels=CHANNELS if channels is None else tuple(channels),
            evaluation_id=options.get("evaluation_id") or new_id("ev"),
        )

    def _taste_of(self, user: str, version: int | None) -> Taste | None:
        taste = self._taste(user, self.profile.name, version)
        if version and taste is None:
            what = f"version {version} of the taste of user {user} is not kept any more for profile {self.profile.name}"
            raise VersionNotFound(what, fix="see dqa tuner history for those that are")
        if version and taste is not None and not taste.usable:
            what = f"version {version} of the taste of user {user} was learned by an earlier version of DQA"
            raise VersionNotFound(what, fix="judge with that version of DQA, or with the taste of a newer step")
        return taste

    def _fits(self, recipe: Reproduce | None) -> Fits:
        if recipe is None:
            return in_force(self.settings.home, self.profile.name)
        return as_recorded(self.settings.home, recipe)

    def _observe(self, request: Request, tell: Progress) -> Observation:
        clip = Clip.open(request.media, Limits.from_settings(self.settings), request.roots)
        return observe(clip.frames(), lambda: clip.media, lambda n: tell("decode", 0.4 * n / (n + _MANY)), clip.frames)


def evaluate(
    media: Path | str,
    prompt: str,
    *,
    user: str | None = None,
    profile: str | None = None,
    seed: int | None = None,
    channels: Sequence[ChannelName] | None = None,
    settings: Settings | None = None,
) -> EvaluationRecord:
    """Grades one clip against its prompt and returns the record; models stay loaded for the next call.

    Raises:
        InputError: this media or prompt can't be evaluated.
        UnavailableError: a model is missing.
    """
    chosen = settings or load_settings({"profile": profile})
    if profile is not None and chosen.profile != profile:
        chosen = chosen.model_copy(update={"profile": profile})
    return _evaluator(chosen).evaluate(media, prompt, user=user, seed=seed, channels=channels)


_last: list[tuple[Settings, Evaluator]] = []


def _evaluator(settings: Settings) -> Evaluator:
    """The last call's evaluator if the settings are the same, else a new one: a process holds one set of models."""
    if not _last or _last[0][0] != settings:
        _last[:] = [(settings, Evaluator(settings))]
    return _last[0][1]


def _keep_stdout_clean() -> None:
    """Unless whoever uses this library set structlog up, warnings go to stderr and nothing to stdout."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger("WARNING"),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


def _nobody(user: str, profile: str, version: int | None) -> Taste | None:
    del user, profile, version
    return None
