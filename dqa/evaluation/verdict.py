"""From the channels' results to the record."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import JsonValue

from dqa.acceptance.apply import calibrated
from dqa.config import Settings
from dqa.evaluation.request import CHANNELS, Underway
from dqa.models.profiles import Profile
from dqa.reasoning import advice, reasoning
from dqa.record import EvaluationRecord, Media, Reproduce
from dqa.synthesis import WEIGHTS, synthesise
from dqa.taste import channel_weights


def record_of(
    clip: Underway, profile: Profile, settings: Settings, memory: dict[str, JsonValue], version: str
) -> EvaluationRecord:
    """The verdict on a clip that every channel has answered for.

    Args:
        memory: what the record says of it.
        version: of DQA.
    """
    request, observation = clip.request, clip.observation
    own = channel_weights.usable(request.taste, profile.name) if settings.adaptive_weights else None
    results, fitted = calibrated({name: clip.results[name] for name in CHANNELS}, request.fits)
    if request.fits.calibration:  # weights of a user's own proved themselves on scores as the channels give them
        own = None
    verdict = synthesise(results, {**WEIGHTS, **(own or {})})
    told = (channel_weights.note(request.taste, request.user, own),) if request.taste and own else ()
    return EvaluationRecord(
        id=request.evaluation_id,
        created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        prompt=request.prompt.text,
        user=request.user,
        profile=profile.name,
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
            *_damage(observation.media),
            *told,
            *fitted,
            *dict.fromkeys(clip.notes),
            f"scores of profile {profile.name} are not comparable with another profile's",
        ),
        reproduce=Reproduce(
            dqa_version=version,
            media=request.media_name,
            sha256=observation.media.sha256,
            prompt=request.prompt.text,
            user=request.user,
            profile=profile.name,
            profile_sha256=profile.sha256,
            channels=request.channels,
            seed=request.seed,
            taste_version=request.taste.version if request.taste and request.taste.usable else None,
            adaptive_weights=own is not None,
            benchmark_backend=settings.benchmark_backend,
            vlm_component=settings.vlm_component,
            **request.fits.used,
        ),
        timings_s=clip.timings,
        memory=memory,
    )


def _damage(media: Media) -> tuple[str, ...]:
    """What a reader must know of a file that is not whole."""
    lost = media.corrupt_packets
    if not lost:
        return ()
    were = "was" if lost == 1 else "were"
    return (f"the file is damaged: {lost} of its packets {were} lost or corrupt; what could be decoded was judged",)
