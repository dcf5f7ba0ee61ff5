"""What each feature is called when something is said to a person or an agent: one table for every sentence.

Each feature has a noun (for "low motion smoothness"), what more of it is ("smooth motion") and what less of it is
("jerky motion"). ``wish`` says what to ask for in the next prompt to get more or less of it, only where the prompt can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dqa.taste.features import NAMES

Way = Literal["high", "low"]
"""Which way a feature lies: more of it, or less."""


@dataclass(frozen=True, slots=True)
class Words:
    """How to speak of one feature.

    Attributes:
        noun: what it measures.
        more, less: what a clip has with a high, or a low, value.
        wish_more, wish_less: what to change in the prompt to get there; empty where no prompt is known to do it.
    """

    noun: str
    more: str
    less: str
    wish_more: str = ""
    wish_less: str = ""


def words(name: str, way: Way = "high") -> str:
    """What a clip has that is high (or low) in a feature, in a few words.

    >>> words("dimension:motion_smoothness"), words("dimension:motion_smoothness", "low")
    ('smooth motion', 'jerky motion')
    >>> words("embedding:3")
    'what is shown (embedding)'
    """
    entry = table(name)
    return entry.more if way == "high" else entry.less


def beside(name: str, way: Way) -> str:
    """What a clip has beside the typical one, in a few words: what is there or not as such, what has a scale compared.

    >>> beside("look:brightness", "low"), beside("tag:people", "low")
    ('lower brightness than typical', 'no people')
    """
    if name.startswith(("tag:", "embedding:")):
        return words(name, way)
    return f"{'higher' if way == 'high' else 'lower'} {noun(name)} than typical"


def noun(name: str) -> str:
    """What a feature measures.

    >>> noun("axis:fidelity")
    'fidelity'
    """
    return table(name).noun


def wish(name: str, way: Way) -> str:
    """What to change in the prompt to get more (``high``) or less (``low``) of it; empty where nothing is known."""
    entry = table(name)
    return entry.wish_more if way == "high" else entry.wish_less


def table(name: str) -> Words:
    """The entry of a feature; one without an entry is called by its own name."""
    if name.startswith("embedding:"):
        return _SHOWN
    return _TABLE.get(name) or _plain(name)


def named() -> frozenset[str]:
    """The features that have an entry of their own."""
    return frozenset(_TABLE) | {name for name in NAMES if name.startswith("embedding:")}


def _plain(name: str) -> Words:
    what = name.partition(":")[2].replace("_", " ") or name
    return Words(what, f"more {what}", f"less {what}")


_SHOWN = Words("what is shown (embedding)", "what is shown (embedding)", "what is shown (embedding)")

_TABLE: dict[str, Words] = {
    "channel:semantic": Words(
        "match with the prompt",
        "a close match with the prompt",
        "a loose match with the prompt",
        "say the one thing that matters first, and drop what competes with it",
    ),
    "channel:spatial": Words(
        "presence of what the prompt names",
        "what the prompt names in the picture",
        "things the prompt names missing from the picture",
        "name fewer things, the most important one first",
    ),
    "channel:benchmark": Words("measured quality", "high measured quality", "low measured quality"),
    "channel:visionreward": Words("visual reward", "a high visual reward", "a low visual reward"),
    "dimension:frame_continuity": Words(
        "frame continuity",
        "frames that never freeze",
        "frozen or repeated frames",
        "ask for continuous motion from start to end",
    ),
    "dimension:shot_integrity": Words(
        "shot integrity",
        "one unbroken shot",
        "cuts or morphs within the shot",
        "describe a single scene; move later events to prompts of their own",
    ),
    "dimension:temporal_flickering": Words(
        "steadiness",
        "steady light",
        "flicker",
        "ask for constant, even light; leave out flashing or glittering",
    ),
    "dimension:motion_smoothness": Words(
        "motion smoothness", "smooth motion", "jerky motion", "ask for slower, simpler motion"
    ),
    "dimension:imaging_quality": Words(
        "picture sharpness and cleanness",
        "a sharp, clean picture",
        "a blurred or noisy picture",
        "ask for sharp focus and fewer small details",
    ),
    "dimension:subject_consistency": Words(
        "subject consistency",
        "a subject that stays the same",
        "a subject that changes",
        "describe one subject and keep it in view throughout",
    ),
    "dimension:background_consistency": Words(
        "background consistency",
        "a background that stays the same",
        "a background that changes",
        "ask for a steady camera and a single place",
    ),
    "dimension:dynamic_degree": Words(
        "amount of motion",
        "much motion",
        "little motion",
        "name one clear movement",
        "ask for a calm, nearly still scene",
    ),
    "axis:aesthetic": Words(
        "aesthetic",
        "pleasing light, colour and composition",
        "dull light, colour or composition",
        "name the light, two or three colours and where the subject stands",
    ),
    "axis:motion": Words("motion quality", "good motion", "poor motion", "ask for one clear, continuous movement"),
    "axis:coherence": Words(
        "coherence", "one coherent scene", "an incoherent scene", "describe a single scene and one subject"
    ),
    "axis:fidelity": Words("fidelity", "a clean, artefact-free picture", "visible artefacts", "ask for fewer details"),
    "look:brightness": Words(
        "brightness", "bright pictures", "dark pictures", "ask for bright light", "ask for low light or night"
    ),
    "look:contrast": Words(
        "contrast", "strong contrast", "soft contrast", "ask for hard, directional light", "ask for soft, diffuse light"
    ),
    "look:colourfulness": Words(
        "colourfulness", "vivid colours", "muted colours", "name strong colours", "ask for muted or few colours"
    ),
    "look:warmth": Words(
        "warmth of colour", "warm colours", "cool colours", "ask for warm light", "ask for cool light"
    ),
    "look:pace": Words("pace", "a fast pace", "a slow pace", "ask for quick movement", "ask for slow movement"),
    "tag:animation": Words("animation", "animation", "no animation", "ask for animation", "leave animation out"),
    "tag:photoreal": Words(
        "photorealism", "photorealism", "no photorealism", "ask for a photorealistic look", "leave photorealism out"
    ),
    "tag:painting": Words(
        "painting", "a painted look", "no painted look", "ask for a painted look", "leave the painted look out"
    ),
    "tag:people": Words("people", "people", "no people", "put people in it", "leave people out"),
    "tag:animal": Words("animals", "animals", "no animals", "put an animal in it", "leave animals out"),
    "tag:nature": Words("nature", "nature", "no nature", "set it in nature", "set it anywhere but in nature"),
    "tag:city": Words("cities", "cities", "no cities", "set it in a city", "set it anywhere but in a city"),
    "tag:fantasy": Words("fantasy", "fantasy", "no fantasy", "ask for something fantastic", "keep it realistic"),
    "tag:dark": Words("a dark mood", "a dark mood", "no dark mood", "ask for a dark mood", "leave the dark mood out"),
    "tag:closeup": Words("close-ups", "close-ups", "no close-ups", "ask for a close-up", "ask for a wider view"),
    "prompt:length": Words("prompt length", "long prompts", "short prompts", "say more", "write a shorter prompt"),
    "prompt:complexity": Words(
        "prompt complexity",
        "prompts that ask for much",
        "simple prompts",
        "ask for more at once",
        "ask for less at once",
    ),
    "style:likes": Words(
        "match with your likes",
        "what you say you like",
        "nothing you say you like",
        "name what the user says they like",
    ),
    "style:dislikes": Words(
        "match with your dislikes",
        "what you say you dislike",
        "nothing you say you dislike",
        wish_less="leave out what the user says they dislike",
    ),
    "history:success": Words(
        "likeness to clips chosen before", "clips like those chosen before", "clips like those rejected before"
    ),
    "adapter:reward": Words(
        "reward of the trained language model",
        "a high reward of the trained language model",
        "a low reward of the trained language model",
    ),
}
