"""Verdicts to look at: by the thousand, hostile, of images, without any score; and choices between them."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from dqa.ids import new_id
from dqa.record import EvaluationRecord
from dqa.store import records
from dqa.store.engine import writing
from dqa.store.selections import Selection
from tests.report.example import record_data, stills
from tests.web.site import Site, evaluation

HOSTILE = (
    "<img src=x onerror='window.ran=1'>", '"><script>window.ran=2</script>', "javascript:window.ran=3",
    "' onmouseover='window.ran=4", "{{7*7}}${7*7}", "</title></style><svg onload=window.ran=5>", "a\u202egpj.exe",
)  # fmt: skip
"""What a stranger may put into a prompt, a reason, a file name or a user name."""


def thousand(site: Site, count: int = 1000) -> list[EvaluationRecord]:
    """Verdicts on the real clips, oldest first: every tenth an F, every hundredth anna's."""
    bases = list(site.recorded.values())
    made = [
        bases[i % len(bases)].model_copy(
            update={
                "id": new_id("ev"), "prompt": f"wolf number {i} in a wood", "user": "default" if i % 100 else "anna",
                **({} if i % 10 else {"grade": "F", "final": 0.3996, "action": "reject"}),
            }
        )
        for i in range(count)
    ]  # fmt: skip
    with site.store() as store, writing(store._engine) as connection:
        for record in made:
            records.insert(connection, record, record.reproduce.media)
    return sorted(made, key=lambda record: record.id)


def whole(site: Site, name: str = "wan21_07_flex", **changes: Any) -> EvaluationRecord:
    """A verdict with all that a page can show, on a real clip; also kept in the store."""
    clip = site.clips / f"{name}.mp4"
    base = evaluation(clip, "human girl talk to cute dragon")
    frames = stills(name)
    data = record_data(name, frames, base.media.width, base.media.height, good=True)
    data |= {"id": base.id, "media": base.media.model_dump(), **changes}
    data["reproduce"] |= {"media": str(clip), "sha256": base.media.sha256}
    record = EvaluationRecord.model_validate(data)
    site.record(record)
    return record


def hostile(site: Site) -> EvaluationRecord:
    """A verdict all of whose texts are hostile, its file's name too."""
    evil = " ".join(HOSTILE)
    file = site.clips / f"{HOSTILE[0]}.mp4"
    shutil.copy(site.clips / "wan21_07_flex.mp4", file)
    record = whole(site)
    data = record.model_dump(by_alias=True)
    for result in data["channels"].values():
        result["reason"] = evil
        result["evidence"] = [{**item, "text": evil} for item in result["evidence"]]
        if result["model"]:
            result["model"] |= {"id": evil, "licence": evil, "weakness": evil}
    for entity in data["channels"]["spatial"]["raw"]["entities"]:
        entity["name"] = evil
    for axis in data["channels"]["visionreward"]["axes"].values():
        axis |= {"reason": evil, "advice": evil}
    curves = data["channels"]["benchmark"]["raw"]["curves"]
    data["channels"]["benchmark"]["raw"]["curves"] = {**curves, evil: curves["motion"]}
    data |= {"id": new_id("ev"), "prompt": evil, "user": evil[:200], "reasoning": evil, "advice": [evil]}
    data |= {"notes": [evil], "created": evil}
    data["reproduce"] |= {"media": str(file), "prompt": evil}
    made = EvaluationRecord.model_validate(data)
    site.record(made)
    return made


def silent_image(site: Site) -> EvaluationRecord:
    """A verdict on an image, none of whose channels has a score."""
    file = site.clips / "still.png"
    Image.linear_gradient("L").resize((320, 200)).convert("RGB").save(file)
    results = {
        "semantic": {"status": "abstained", "reason": "Outside what it knows."},
        "spatial": {"status": "unavailable", "reason": "There is no model for it."},
        "benchmark": {"status": "failed", "reason": "It ran out of memory."},
    }
    base = evaluation(file, "a grey slope")
    changes = {
        "channels": results, "weights": {}, "prompt_adherence": None, "final": None, "grade": None, "action": "review",
        "reasoning": "No channel could judge this clip, so there is no grade.",
    }  # fmt: skip
    made = EvaluationRecord.model_validate(base.model_dump(by_alias=True) | changes)
    site.record(made)
    return made


def tasting(site: Site, user: str, choices: int = 60, every: int = 20) -> None:
    """Choices of a user who likes what VisionReward likes, one in ten by mistake; a version after each ``every``."""
    chance = random.Random(user)
    made = [_liked(site.clips / "wan21_07_flex.mp4", user, i, chance) for i in range(32)]
    site.record(*(record for record, _ in made))
    with site.store() as store:
        for i in range(choices):
            (a, liked_a), (b, liked_b) = chance.sample(made[i % 8 :: 8], 2)
            right = (liked_a > liked_b) == (chance.random() > 0.1)
            left = chance.choice("ab")
            store.selections.add(Selection(user, f"t{i}", a.id, b.id, "a" if right else "b", left=left))
            if i % every == every - 1:
                store.tuner.step(user)


def _liked(clip: Path, user: str, number: int, chance: random.Random) -> tuple[EvaluationRecord, float]:
    liked = chance.random()
    axes = ("aesthetic", "motion", "coherence", "fidelity")
    scores = [min(1.0, max(0.0, liked + chance.uniform(-0.2, 0.2))) for _ in axes]
    channels = {
        "semantic": {"status": "ok", "score": chance.random(), "confidence": 0.8, "reason": "Looked."},
        "visionreward": {
            "status": "ok", "score": liked, "confidence": 0.9, "reason": "Looked.",
            "axes": {a: {"score": s, "reason": "", "advice": ""} for a, s in zip(axes, scores, strict=True)},
        },
    }  # fmt: skip
    base = evaluation(clip, f"prompt {number % 8} of a wolf", user=user)
    media = base.media.model_dump() | {"sha256": hashlib.sha256(f"{user} {number}".encode()).hexdigest()}
    changes = {"channels": channels, "media": media}  # a clip of its own: one is never chosen over itself
    return EvaluationRecord.model_validate(base.model_dump(by_alias=True) | changes), liked
