"""The one evaluator behind every surface: clip -> observation -> channels -> synthesis -> record."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack, get_args

import structlog
from pydantic import JsonValue

import dqa
from dqa.acceptance.apply import Fits, as_recorded, calibrated, in_force
from dqa.channels.contract import Channel, EvaluationContext, RewardSource
from dqa.channels.registry import build_channel, chosen_spec
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import Settings, load_settings
from dqa.errors import Cancelled, DQAError, InsufficientMemory, ModelUnavailable, VersionNotFound
from dqa.ids import new_id
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models import device
from dqa.models.plan import plan
from dqa.models.pool import ModelPool
from dqa.models.profiles import Profile, load_profile
from dqa.prompt import check_prompt, parse_prompt
from dqa.prompt.parse import Prompt
from dqa.reasoning import advice, reasoning
from dqa.record import ChannelName, ChannelResult, EvaluationRecord, Reproduce
from dqa.synthesis import WEIGHTS, synthesise
from dqa.taste import channel_weights
from dqa.taste.taste import Taste

log = structlog.get_logger(__name__)

_MANY = 100
"""Frames after which decoding counts as half done: how many there will be is known only at the end."""

CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)
TasteSource = Callable[[str, str, int | None], Taste | None]
"""The taste of a user for a profile's scores, the serving one (version None) or that of a version; None for none."""

Progress = Callable[[str, float], None]
"""Called with a stage and the share done, 0 to 1; may raise :class:`~dqa.errors.Cancelled` to stop."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A record, and the observation it was made from (for reports)."""

    record: EvaluationRecord
    observation: Observation


class Options(TypedDict, total=False):
    """What an evaluation may be told; ``None`` and absent mean the default.

    Attributes:
        user: whose taste counts; default the setting.
        seed: of everything random; default the setting.
        channels: which to judge; default all. The others are in the record as ``unavailable``.
        evaluation_id: the record's id; default a new one.
        media_name: what the record calls the media; default its absolute path.
        taste_version: which version of the user's taste judges; default the serving one, 0 for none.
        fits: the recipe of a record whose calibration and checklist weights count (or none); default those in force.
        roots: folders the media must lie under; default any: the caller's own choice.
        progress: told of each stage; raises ``Cancelled`` to stop.
    """

    user: str | None
    seed: int | None
    channels: Sequence[ChannelName] | None
    evaluation_id: str | None
    media_name: str | None
    taste_version: int | None
    fits: Reproduce | None
    roots: Sequence[Path] | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked, checked and with every default filled in."""

    media: Path
    media_name: str
    roots: Sequence[Path] | None
    prompt: Prompt
    user: str
    taste: Taste | None
    fits: Fits
    seed: int
    channels: tuple[ChannelName, ...]
    evaluation_id: str


class Evaluator:
    """Grades clips with one profile; loads each model once and keeps it. Not for several threads at once.

    Args:
        settings: limits, state folder, default user and seed.
        profile: default the one that ``settings`` names.
        taste: finds a user's taste, the serving one or that of a version; default nobody has one.
        rewards: asks users' language-model adapters; default there are none.

    Raises:
        ConfigError: there is no such profile.
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
        self.profile = profile or load_profile(settings.profile)
        if not self.profile.ready:
            raise ModelUnavailable(
                f"profile {self.profile.name} can be planned for, but not evaluated with in this version",
                fix="use --profile embedded",
            )
        self._taste = taste or _nobody
        self._rewards = rewards
        self.pool = ModelPool(self.profile, settings.home, settings)
        self._plan = plan(self.profile.components, "auto", settings.budget_gb or self.profile.budget_gb)
        if not self._plan.fits:
            needed, given = self._plan.peak_gb, self._plan.budget_gb
            raise InsufficientMemory(
                f"profile {self.profile.name} needs {needed:.1f} GB, and the budget is {given:g} GB",
                fix="raise DQA_BUDGET_GB, or see dqa plan",
            )
        self._channels: dict[ChannelName, Channel] = {}
        if settings.benchmark_backend == "vbench":
            self._channel("benchmark")  # its environment must be there before time goes into a clip
        _keep_stdout_clean()

    def load(self) -> None:
        """Loads every model of the profile now, so that the first evaluation is as quick as the next."""
        for component in self.profile.components:
            if component.default:
                self.pool.get(component.id)

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
        tell = options.get("progress") or _silent
        request = self._request(Path(media), prompt, options)
        started = time.perf_counter()
        tell("decode", 0.0)
        observation = self._observe(request, tell)
        return Evaluation(self._judged(request, observation, started, tell), observation)

    def judge(self, observation: Observation, prompt: str, **options: Unpack[Options]) -> EvaluationRecord:
        """Grades a clip that was observed before; ``media_name`` says what the record calls it. Else as :meth:`run`."""
        request = self._request(Path(), prompt, options)
        return self._judged(request, observation, time.perf_counter(), options.get("progress") or _silent)

    def _judged(self, request: _Request, observation: Observation, started: float, tell: Progress) -> EvaluationRecord:
        timings = {"decode": time.perf_counter() - started}
        with device.shared(self.settings.home, waiting=lambda: tell(device.WAITING, 0.4)):
            results = self._judge(request, observation, timings, tell)
        timings["total"] = time.perf_counter() - started
        tell("done", 1.0)
        return self._record(request, observation, results, timings)

    def _request(self, media: Path, prompt: str, options: Options) -> _Request:
        channels, seed = options.get("channels"), options.get("seed")
        user = options.get("user") or self.settings.user
        return _Request(
            media=media,
            media_name=options.get("media_name") or _printable(media),
            roots=options.get("roots"),
            prompt=parse_prompt(check_prompt(prompt)),
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

    def _observe(self, request: _Request, tell: Progress) -> Observation:
        clip = Clip.open(request.media, Limits.from_settings(self.settings), request.roots)
        return observe(clip.frames(), lambda: clip.media, lambda n: tell("decode", 0.4 * n / (n + _MANY)), clip.frames)

    def _judge(
        self, request: _Request, observation: Observation, timings: dict[str, float], tell: Progress
    ) -> dict[ChannelName, ChannelResult]:
        results: dict[ChannelName, ChannelResult] = {}
        checklist = request.fits.checklist
        for number, name in enumerate(CHANNELS):
            tell(name, 0.4 + 0.6 * number / len(CHANNELS))
            if name not in request.channels:
                results[name] = ChannelResult(status="unavailable", reason="Not asked for in this evaluation.")
                continue
            began = time.perf_counter()
            media = request.media if request.media != Path() else None
            context = EvaluationContext(
                request.user, request.seed, request.taste, dict(results), self._rewards, checklist, media
            )
            results[name] = self._ask(name, observation, request.prompt, context)
            timings[name] = time.perf_counter() - began
        return results

    def _ask(
        self, name: ChannelName, observation: Observation, prompt: Prompt, context: EvaluationContext
    ) -> ChannelResult:
        """One channel's answer; what goes wrong in it is its own result, and the others go on."""
        try:
            return self._channel(name).evaluate(observation, prompt, context)
        except Cancelled:
            raise
        except DQAError as error:
            return ChannelResult(status="unavailable", reason=error.public())
        except Exception as error:  # a fault in one channel must not cost the others' verdict
            log.exception("channel failed", channel=name)
            return ChannelResult(
                status="failed", reason=f"The channel failed with {type(error).__name__}; see the log."
            )

    def _channel(self, name: ChannelName) -> Channel:
        if name not in self._channels:
            spec = chosen_spec(self.profile, name, self.settings.benchmark_backend)
            if spec is None:
                raise ModelUnavailable(
                    f"profile {self.profile.name} has no model for {name}", fix="use another profile"
                )
            self._channels[name] = build_channel(name, spec, self.pool)
        return self._channels[name]

    def _record(
        self,
        request: _Request,
        observation: Observation,
        results: dict[ChannelName, ChannelResult],
        timings: dict[str, float],
    ) -> EvaluationRecord:
        own = channel_weights.usable(request.taste, self.profile.name) if self.settings.adaptive_weights else None
        results, fitted = calibrated(results, request.fits)
        if request.fits.calibration:  # weights of a user's own proved themselves on scores as the channels give them
            own = None
        verdict = synthesise(results, {**WEIGHTS, **(own or {})})
        told = (channel_weights.note(request.taste, request.user, own),) if request.taste and own else ()
        return EvaluationRecord(
            id=request.evaluation_id,
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            prompt=request.prompt.text,
            user=request.user,
            profile=self.profile.name,
            media=observation.media,
            channels=results,
            weights=verdict.weights,
            prompt_adherence=verdict.prompt_adherence,
            final=verdict.final,
            grade=verdict.grade,
            action=verdict.action,
            reasoning=reasoning(results, verdict),
            advice=advice(results),
            notes=(
                *verdict.notes,
                *told,
                *fitted,
                f"scores of profile {self.profile.name} are not comparable with another profile's",
            ),
            reproduce=Reproduce(
                dqa_version=dqa.__version__,
                media=request.media_name,
                sha256=observation.media.sha256,
                prompt=request.prompt.text,
                user=request.user,
                profile=self.profile.name,
                profile_sha256=self.profile.sha256,
                channels=request.channels,
                seed=request.seed,
                taste_version=request.taste.version if request.taste and request.taste.usable else None,
                adaptive_weights=own is not None,
                benchmark_backend=self.settings.benchmark_backend,
                **request.fits.used,
            ),
            timings_s=timings,
            memory=self._memory(),
        )

    def _memory(self) -> dict[str, JsonValue]:
        """The plan the evaluation ran under. Measured peaks go to the log and /metrics: they differ from run to run."""
        return {
            "device": self.profile.device,
            "mode": self._plan.mode,
            "budget_gb": self._plan.budget_gb,
            "planned_gb": {phase.name: phase.gb for phase in self._plan.phases},
        }


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


def _printable(path: Path) -> str:
    """The absolute path, with bytes that are not UTF-8 spelled out, as JSON requires."""
    return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")


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


def _silent(stage: str, share: float) -> None:
    del stage, share
