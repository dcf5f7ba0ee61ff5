"""Makes ``dqa/prompt/data/lexicon.txt`` and ``plurals.txt`` from WordNet 3.0 (Debian package wordnet-base).

    python scripts/build_lexicon.py /usr/share/wordnet

The lexicon holds what a word can be, likeliest first by WordNet's sense counts: N a thing that can be seen, n any
other noun, v verb, a adjective, r adverb. Words that are only N are left out: an unknown word is taken for that.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

OUT = Path(__file__).parent.parent / "dqa" / "prompt" / "data"
KIND = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
# lexnames(5WN), in this order: animal, artifact, body, event, food, group, location, object, person,
# phenomenon, plant, shape, substance.
VISIBLE = {5, 6, 8, 11, 13, 14, 15, 17, 18, 19, 20, 25, 27}
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
RARE = 0.08
SEEN = 0.3
TOPS = (
    "person",
    "people",
    "animal",
    "plant",
    "food",
    "object",
    "book",
    "page",
    "document",
    "newspaper",
    "letter",
    "coin",
)
# Endings by which dqa.prompt.lexicon guesses at an unlisted word: a plain noun with one of them must be listed.
GUESSED = ("ing", "ed", "ly", "ic", "ous", "ful", "less", "ish", "able", "ible", "ive", "lit")


def counts(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, _, rest = key.partition("%")
        found[lemma][KIND[rest[0]]] += int(count)
    return found


def lemmas(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, kind in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        for line in (folder / f"index.{name}").read_text().splitlines():
            if not line.startswith(" "):
                found[line.split()[0]].add(kind)
    return found


def visible_nouns(folder: Path) -> set[str]:
    """Nouns with at least SEEN of their uses in fields of visible things; unused ones by their first sense."""
    field = {}
    for line in (folder / "data.noun").read_text().splitlines():
        if not line.startswith(" "):
            offset, number = line.split()[:2]
            field[offset] = int(number)
    uses: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, _, rest = key.partition("%")
        if rest.startswith("1:"):
            uses[lemma][0] += int(count)
            uses[lemma][1] += int(count) * (int(rest.split(":")[1]) in VISIBLE)
    seen = set(TOPS)
    for line in (folder / "index.noun").read_text().splitlines():
        if not line.startswith(" "):
            parts = line.split()
            total, visible = uses.get(parts[0], [0, 0])
            first = field[parts[-int(parts[2])]] in VISIBLE
            if visible >= SEEN * total if total else first:
                seen.add(parts[0])
    return seen


def lexicon(folder: Path) -> list[str]:
    tally, visible = counts(folder), visible_nouns(folder)
    rows = []
    for word, kinds in sorted(lemmas(folder).items()):
        if not WORD.fullmatch(word) or len(word) < 2:
            continue
        total = sum(tally[word].values())
        common = [k for k in kinds if k == "n" or total == 0 or tally[word][k] / total >= RARE]
        common.sort(key=lambda k: (-tally[word][k], "anvr".index(k)))
        code = "".join("N" if k == "n" and word in visible else k for k in common)
        # Abstract nouns too rare for WordNet's tagged texts hardly occur in prompts; without them the file halves.
        if code and (code != "N" or word.endswith(GUESSED)) and not (total == 0 and code == "n"):
            rows.append(f"{word} {code}")
    known = {row.split()[0] for row in rows}
    every = lemmas(folder)
    irregular = (line.split()[0] for line in (folder / "verb.exc").read_text().splitlines())
    return sorted({*rows, *(f"{w} v" for w in irregular if WORD.fullmatch(w) and w not in known and w not in every)})


def plurals(folder: Path) -> list[tuple[str, str]]:
    nouns = {w for w, kinds in lemmas(folder).items() if "n" in kinds}
    rows = []
    for line in (folder / "noun.exc").read_text().splitlines():
        plural, singular = line.split()[:2]
        if WORD.fullmatch(plural) and WORD.fullmatch(singular):
            rows.append(f"{plural} {singular}")
    # Singulars that end in s: stripping it would leave no noun.
    rows += [f"{w} {w}" for w in nouns if WORD.fullmatch(w) and w.endswith("s") and w[:-1] not in nouns]
    # "buses" and "headaches", where "-es" would be cut wrongly.
    rows += [f"{w}es {w}" for w in nouns if WORD.fullmatch(w) and w.endswith("s")]
    rows += [f"{w}s {w}" for w in nouns if WORD.fullmatch(w) and w.endswith(("che", "xe", "she"))]
    return sorted(dict(reversed([row.split() for row in rows])).items())


def main() -> None:
    folder = Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    plural_rows = [" ".join(row) for row in plurals(folder)]
    for name, rows in (("lexicon", lexicon(folder)), ("plurals", plural_rows)):
        (OUT / f"{name}.txt").write_text("\n".join(rows) + "\n")
        print(name, len(rows))


if __name__ == "__main__":
    main()
