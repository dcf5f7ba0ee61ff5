"""Which judge a profile has: its vision-language model, or, without one, measurement."""

from __future__ import annotations

from dqa.calibrate.axes import Axes
from dqa.calibrate.judge import Judge
from dqa.calibrate.measured import MeasuredJudge
from dqa.calibrate.vlm_judge import VlmJudge
from dqa.config import Settings
from dqa.models.pool import ENDPOINTS, FOUND, ModelPool
from dqa.models.profiles import Component, Profile, chosen_profile


def judge_for(settings: Settings, axes: Axes, pool: ModelPool | None = None) -> Judge:
    """The judge of the profile that the settings name; ``pool`` holds that profile's models, if somebody has them.

    Raises:
        ConfigError: there is no such profile, or it has no such vision-language model.
        ModelUnavailable: its model is not there.
    """
    profile = chosen_profile(settings)
    component = _vlm(profile)
    if component is None:
        return MeasuredJudge(axes)
    pool = pool or ModelPool(profile, settings.home, settings)
    model = pool.get(component.id)
    return VlmJudge(axes, model, pool.identity(component.id))


def _vlm(profile: Profile) -> Component | None:
    return next((c for c in profile.components if c.default and (c.loader in ENDPOINTS or c.loader in FOUND)), None)
