"""Backends by name: a profile names one per channel, and a record's profile is enough to build the same judge again."""

from __future__ import annotations

import importlib

from dqa.channels.contract import Channel
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec
from dqa.record import ChannelName

BACKENDS: dict[str, str] = {
    "topic": "dqa.channels.semantic.topic:TopicSemantic",
    "vqa": "dqa.channels.semantic.vqa:VqaSemantic",
    "cam": "dqa.channels.spatial.cam:CamSpatial",
    "proxyclip": "dqa.channels.spatial.proxyclip:ProxyClipSpatial",
    "measured-benchmark": "dqa.channels.benchmark.channel:MeasuredBenchmark",
    "measured-visionreward": "dqa.channels.visionreward.measured:MeasuredVisionReward",
    "visionreward-checklist": "dqa.channels.visionreward.asked:AskedVisionReward",
    "taste": "dqa.channels.preference:TastePreference",
}
"""Backend name -> ``module:class``. The class takes ``pool=``, ``components=`` (ids) and the profile's arguments."""


def build_channel(name: ChannelName, spec: ChannelSpec, pool: ModelPool) -> Channel:
    """Builds the judge that ``spec`` describes. Models load on its first use, not here."""
    module, _, attribute = BACKENDS[spec.backend].partition(":")
    channel: Channel = getattr(importlib.import_module(module), attribute)(
        pool=pool, components=spec.components, **spec.arguments
    )
    if channel.facts.name != name:
        raise ValueError(f"backend {spec.backend!r} judges {channel.facts.name}, not {name}")
    return channel
