"""``dqa models fit-checklist``: from choices between answered clips to weights that evaluations use and name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dqa.acceptance.apply import fingerprint, in_force
from dqa.acceptance.content import ChecklistWeights, Figure, KindWeights
from dqa.acceptance.shelf import checklists
from dqa.acceptance.unfitted import unfitted_axes, unfitted_score
from dqa.channels.visionreward.answers import answers_of
from dqa.channels.visionreward.checklist import checklist
from dqa.channels.visionreward.reweighed import questions_hash, reweighed
from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.record import PUBLISHED, ChannelResult, EvaluationRecord, ModelIdentity
from dqa.store import Store
from dqa.store.selections import Selection
from dqa.taste.features import Judged, features
from tests.channels.test_visionreward_refit import AnsweredChoice, choices, own_weights
from tests.cli.conftest import Run, sentence
from tests.models.vlm_server import ScriptedVlm, serving
from tests.observing import gliding, observed
from tests.report.example import example

VIDEO = checklist("video")
OWN = reweighed(VIDEO, own_weights().tolist())
JUDGE = ModelIdentity(id="visionreward-checklist", licence="Apache-2.0")
PROFILE = ("--profile", "remote-vlm")
_EXAMPLE = example().record


def record(name: str, choice: AnsweredChoice, side: str, judge: ModelIdentity) -> EvaluationRecord:
    answers = choice.a if side == "a" else choice.b
    listed = [{"question": q.text, "p_yes": p} for q, p in zip(VIDEO.questions, answers.p_yes, strict=True)]
    result = ChannelResult(
        status="ok", score=answers.score(VIDEO), reason="r", model=judge,
        raw={"answers": listed, "gates": dict(answers.present)},
    )  # fmt: skip
    media = _EXAMPLE.media.model_copy(update={"sha256": hashlib.sha256(f"{name}{side}".encode()).hexdigest()})
    changes = {"id": f"ev_{name}{side}", "prompt": choice.prompts[0], "profile": "remote-vlm", "media": media}
    return _EXAMPLE.model_copy(update=changes | {"channels": {"visionreward": result}})


def keep(home: Path, made: list[AnsweredChoice], judge: ModelIdentity = JUDGE, user: str = "mira") -> None:
    store = Store.open(Settings(home=home))
    for i, choice in enumerate(made):
        ids: list[str] = []
        for side in ("a", "b"):
            kept = record(f"{user}{i}", choice, side, judge)
            store.import_record(kept)
            ids.append(kept.id)
        store.selections.add(Selection(user, f"t{i}", ids[0], ids[1], choice.chosen, "cli"))


def test_choices_become_weights_in_force(cli: Run, home: Path) -> None:
    keep(home, choices(100, OWN))
    done = cli("models", "fit-checklist", *PROFILE)
    assert done.code == 0, done.err
    assert "video: fitted" in done.out
    assert "(100 choices, 50 groups of prompts)" in done.out
    kept = checklists(home, "remote-vlm").in_force()
    assert kept is not None
    assert kept.content.users == "everybody"
    weights = np.array(kept.content.kinds["video"].weights)
    assert (
        np.corrcoef(weights, own_weights())[0, 1]
        > np.corrcoef([q.weight for q in VIDEO.questions], own_weights())[0, 1]
    )
    assert "* 1: " in cli("models", "fit-checklist", "--list", *PROFILE).out
    assert cli("models", "fit-checklist", "--reset", "--json", *PROFILE).json["in_force"] is None
    assert cli("models", "fit-checklist", "--rollback", 1, "--json", *PROFILE).json["in_force"] == 1


def test_only_one_users_choices_count_if_asked(cli: Run, home: Path) -> None:
    keep(home, choices(5, OWN))
    keep(home, choices(45, VIDEO, seed=5), user="theo")
    data = cli("models", "fit-checklist", "--user", "theo", "--dry-run", "--json", *PROFILE).json
    assert data["kinds"]["video"]["pairs"] == 45
    assert data["version"] is None
    assert not (home / "fits").exists()


def test_choices_that_can_not_be_read_are_counted(cli: Run, home: Path) -> None:
    keep(home, choices(3, OWN))
    keep(home, choices(2, OWN), judge=JUDGE.model_copy(update={"revision": "2"}), user="theo")
    store = Store.open(Settings(home=home))
    store.import_record(_EXAMPLE.model_copy(update={"id": "ev_plain"}))
    store.selections.add(Selection("mira", "gone", "ev_mira0a", "ev_none", "a", "cli"))
    store.selections.add(Selection("mira", "other", "ev_mira0a", "ev_plain", "a", "cli"))
    done = cli("models", "fit-checklist", "--json", *PROFILE)
    assert done.json["left_out"] == {
        "answered by another model": 2, "a clip has no evaluation here": 1, "judged by another profile": 1,
    }  # fmt: skip
    assert "3 decided choices" in done.json["kinds"]["video"]["refused"]


def test_nothing_known_changes_nothing(cli: Run) -> None:
    done = cli("models", "fit-checklist")
    assert done.code == 0
    assert "the weights stay" in done.out


def test_two_commands_at_once_are_refused(cli: Run) -> None:
    done = cli("models", "fit-checklist", "--list", "--reset")
    assert done.code == 2
    assert "commands of their own" in sentence(done)


@pytest.fixture(scope="module")
def clip() -> Observation:
    return observed(gliding(16))


def test_an_evaluation_uses_and_names_them(tmp_path: Path, clip: Observation) -> None:
    def p_yes(question: str) -> float:
        return 0.2 + 0.6 * (sum(question.encode()) % 97) / 96

    with serving(ScriptedVlm(p_yes=p_yes)) as url:
        evaluator = Evaluator(Settings(home=tmp_path, profile="remote-vlm", vlm_url=url, vlm_model="scripted"))

        def judge(**options: object) -> EvaluationRecord:
            return evaluator.judge(clip, "a wolf", channels=["visionreward"], media_name="c", **options)  # type: ignore[arg-type]

        plain = judge()
        before = plain.channels["visionreward"]
        answers = answers_of(before)
        assert answers is not None
        assert answers.judge == fingerprint(before.model)
        assert before.score == answers.score(VIDEO)
        kept = checklists(tmp_path, "remote-vlm").add(_weights(answers.judge))
        fitted = judge()
        after = fitted.channels["visionreward"]
        assert fitted.reproduce.checklist == kept.used
        assert after.score == answers.score(OWN) != before.score
        assert after.raw["checklist_version"] == 1
        assert unfitted_score(after) == before.score
        assert unfitted_axes(after) == {name: axis.score for name, axis in (before.axes or {}).items()}
        assert after.raw["published_score"] == before.raw["published_score"]
        one, two = (features(Judged.of(each)) for each in (plain, fitted))
        assert np.array_equal(one, two, equal_nan=True)
        assert judge(fits=plain.reproduce).channels["visionreward"] == before
        assert PUBLISHED not in before.raw
        checklists(tmp_path, "remote-vlm").add(_weights("another judge"))
        assert judge().channels["visionreward"] == before
        assert in_force(tmp_path, "embedded").checklist is None
        assert judge(fits=fitted.reproduce).channels["visionreward"] == after


def _weights(judge: str) -> ChecklistWeights:

    none = Figure(before=0, after=0, low=0, high=0)
    kind = KindWeights(
        questions=questions_hash(VIDEO),
        weights=tuple(own_weights().tolist()),
        pairs=1,
        prompts=1,
        wrong=none,
        log_loss=none,
    )
    return ChecklistWeights(
        profile="remote-vlm", created="2026-01-01T00:00:00Z", dqa_version="0", judge=judge, users="everybody",
        kinds={"video": kind},
    )  # fmt: skip
