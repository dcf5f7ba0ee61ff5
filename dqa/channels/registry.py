"""Backends by name: a profile names one per channel, and a record's profile is enough to build the same judge again."""

from __future__ import annotations

import importlib

from dqa.channels.contract import Channel
from dqa.errors import ConfigError
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec, Profile
from dqa.record import ChannelName

_MEASURED = "measured-benchmark"

BACKENDS: dict[str, str] = {
    "topic": "dqa.channels.semantic.topic:TopicSemantic",
    "contrastive": "dqa.channels.semantic.contrastive:ContrastiveSemantic",
    "vqa": "dqa.channels.semantic.vqa:VqaSemantic",
    "cam": "dqa.channels.spatial.cam:CamSpatial",
    "proxyclip": "dqa.channels.spatial.proxyclip:ProxyClipSpatial",
    "measured-benchmark": "dqa.channels.benchmark.channel:MeasuredBenchmark",
    "vbench": "dqa.channels.benchmark.vbench.channel:VBenchBenchmark",
    "asked-benchmark": "dqa.channels.benchmark.asked.channel:AskedBenchmark",
    "vbench-official": "dqa.channels.benchmark.official:OfficialBenchmark",
    "measured-visionreward": "dqa.channels.visionreward.measured:MeasuredVisionReward",
    "visionreward-checklist": "dqa.channels.visionreward.asked:AskedVisionReward",
    "taste": "dqa.channels.preference:TastePreference",
}
"""Backend name -> ``module:class``. The class takes ``pool=``, ``components=`` (ids) and the profile's arguments."""


def chosen_spec(profile: Profile, name: ChannelName, benchmark: str | None = None) -> ChannelSpec | None:
    """The profile's backend for a channel, or the one that ``--benchmark-backend`` asks for.

    Args:
        profile: whose.
        name: of the channel.
        benchmark: ``measured``, ``vbench`` (the official package), or None: the profile's own.

    Raises:
        ConfigError: the profile has no encoder for the measured benchmark.
    """
    spec = profile.channels.get(name)
    if name != "benchmark" or benchmark is None:
        return spec
    if benchmark == "vbench":
        return ChannelSpec(backend="vbench-official")
    if spec is not None and spec.backend == _MEASURED:
        return spec
    encoders = [component.id for component in profile.components if component.loader == "efficientnet-lite"]
    if not encoders:
        what = f"profile {profile.name} has no encoder for the measured benchmark"
        raise ConfigError(what, fix="leave --benchmark-backend out, or use --profile embedded")
    return ChannelSpec(backend=_MEASURED, components=(encoders[0],))


def build_channel(name: ChannelName, spec: ChannelSpec, pool: ModelPool) -> Channel:
    """Builds the judge that ``spec`` describes. Models load on its first use, not here."""
    module, _, attribute = BACKENDS[spec.backend].partition(":")
    channel: Channel = getattr(importlib.import_module(module), attribute)(
        pool=pool, components=spec.components, **spec.arguments
    )
    if channel.facts.name != name:
        raise ValueError(f"backend {spec.backend!r} judges {channel.facts.name}, not {name}")
    return channel
