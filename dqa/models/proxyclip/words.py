"""The sentences CLIP is asked with, and the words for what lies behind the things."""

from __future__ import annotations

from collections.abc import Iterable

# OpenAI's 80 prompts for ImageNet (CLIP, MIT licence): these with "a" and with "the", and four of their own.
_WITH_EITHER = (
    "# bad photo of @", "# good photo of @", "# photo of @", "# bright photo of @", "# dark photo of @",
    "# blurry photo of @", "# cropped photo of @", "# close-up photo of @", "# low resolution photo of @",
    "# pixelated photo of @", "# jpeg corrupted photo of @", "# black and white photo of @",
    "# photo of @ clean", "# photo of @ dirty", "# photo of @ cool", "# photo of @ nice", "# photo of @ weird",
    "# photo of @ large", "# photo of @ small", "# photo of @ hard to see",
    "# sculpture of @", "# rendering of @", "# rendition of @", "# tattoo of @", "# drawing of @", "# painting of @",
    "# doodle of @", "# sketch of @", "graffiti of @", "art of @", "itap of @",
    "@ embroidered", "@ plastic", "@ origami", "@ toy", "@ cartoon", "@ plushie",
)  # fmt: skip
_ALONE = ("a photo of many {}.", "a photo of my {}.", "a photo of one {}.", "itap of my {}.")

TEMPLATES: tuple[str, ...] = (
    *(
        f"{sentence.replace('#', 'a').replace('@', article)} {{}}."
        for sentence in _WITH_EITHER
        for article in ("a", "the")
    ),
    "a {} in a video game.",
    "the {} in a video game.",
    *_ALONE,
)

FEW_TEMPLATES: tuple[str, ...] = (
    "itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.", "a {} in a video game.",
    "art of the {}.", "a photo of the small {}.",
)  # fmt: skip
"""The seven that OpenAI found to do nearly as well: a tenth of the work, for machines without a GPU."""

BACKGROUND: tuple[tuple[str, ...], ...] = (
    ("sky", "skies"),
    ("cloud", "clouds"),
    ("wall", "walls", "brick", "bricks"),
    ("floor", "carpet", "rug", "tiles"),
    ("ceiling",),
    ("ground", "soil", "dirt", "mud", "field", "fields"),
    ("road", "street", "highway", "lane", "asphalt"),
    ("pavement", "sidewalk", "path", "trail"),
    ("grass", "lawn", "meadow", "garden"),
    ("tree", "trees", "forest", "wood", "woods", "jungle"),
    ("leaves", "bush", "bushes", "plants", "plant", "foliage"),
    ("sea", "ocean", "waves", "wave"),
    ("river", "lake", "stream", "pond", "water"),
    ("sand", "sands", "beach", "desert", "dunes", "dune"),
    ("snow", "ice"),
    ("rock", "rocks", "stone", "stones", "cliff", "cliffs"),
    ("mountain", "mountains", "hill", "hills", "peak", "peaks", "valley"),
    ("building", "buildings", "house", "houses", "skyscraper", "skyscrapers", "city", "skyline"),
    ("window", "windows"),
    ("door", "doors", "gate"),
    ("fence", "railing", "rail"),
    ("stairs", "stair", "steps"),
    ("curtain", "curtains"),
    ("shelf", "shelves", "cabinet", "wardrobe"),
    ("fog", "mist", "smoke", "haze"),
    ("shadow", "shadows", "darkness"),
)
"""Stuff, as the background of things: the first word of each line is asked for, unless a thing ends in one of the line.
(Chosen for generated clips; the published list for Pascal VOC is another.)"""


def background_for(things: Iterable[str]) -> list[str]:
    """The background's words, without those that name what is looked for itself.

    >>> "sky" in background_for(["a red kite"]), "sky" in background_for(["a starry sky"])
    (True, False)
    """
    wanted = {thing.lower().split()[-1] for thing in things if thing.strip()}
    return [line[0] for line in BACKGROUND if wanted.isdisjoint(line)]
