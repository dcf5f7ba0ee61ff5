"""Words on how a clip is rendered or filmed: they say nothing about what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PHRASES = """
3d render|3d rendering|3d animation|3d|2d|cgi|render|octane render|unreal engine|ray tracing|studio shot
studio lighting|animation style|anime style|cartoon style|animation|anime|cartoon|pixar|pixar style|disney
disney style|ghibli|studio ghibli|claymation|stop motion|stop-motion|pixel art|low poly|line art|concept art
digital art|digital painting|oil painting|watercolor|watercolour|pencil sketch|comic book style|photorealistic
photo-realistic|hyperrealistic|realistic|cinematic|cinematic lighting|cinematic shot|hdr|uhd|hd|full hd
high quality|best quality|masterpiece|highly detailed|ultra detailed|award winning|trending on artstation
artstation|vibrant|psychedelic|vibrant colors|vivid colors|surreal|black and white|slow motion|slow-motion
time lapse|time-lapse|timelapse|hyperlapse|panoramic shot|wide shot|wide angle|wide-angle shot|close up|close-up
close-up shot|extreme close-up|medium shot|long shot|tracking shot|dolly shot|aerial shot|aerial view|drone shot
drone flight|drone footage|drone view|bird's eye view|birds eye view|top view|side view|front view|low angle
low-angle shot|high angle|point of view|pov|handheld camera|shallow depth of field|depth of field|bokeh
macro shot|macro|establishing shot|shot|view|panning shot|steadicam|film grain|vintage film|35mm|70mm
white background|black background|plain background|green screen|seamless loop|national geographic
in the style of|style|panoramic view|camera pan|zoom in|zoom out|slow zoom|gopro|vhs|lo-fi|abstract animation
scientific animation|footage|photograph|photography|portrait|camera movement|camera moves|camera angle
the camera
"""
_BY_FIRST: dict[str, list[tuple[str, ...]]] = {}
for _phrase in _PHRASES.replace("\n", "|").split("|"):
    if _phrase:
        _words = tuple(_phrase.split())
        _BY_FIRST.setdefault(_words[0], []).append(_words)
for _options in _BY_FIRST.values():
    _options.sort(key=len, reverse=True)

_TECHNICAL = re.compile(r"\d{1,5}(?:k|p|fps|mm|hz|bit)|\d{3,5}x\d{3,5}")


def style_length(words: Sequence[str], start: int) -> int:
    """How many of the lower-case ``words`` from ``start`` on form a phrase on rendering or filming; 0 for none.

    >>> style_length(["4k", "robot"], 0), style_length(["studio", "shot"], 0), style_length(["robot"], 0)
    (1, 2, 0)
    """
    if _TECHNICAL.fullmatch(words[start]):
        return 1
    for phrase in _BY_FIRST.get(words[start], ()):
        if tuple(words[start : start + len(phrase)]) == phrase:
            return len(phrase)
    return 0
