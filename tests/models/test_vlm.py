"""A vision-language model behind an endpoint: what its tokens come to, and everything that may go wrong."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dqa.config import Settings
from dqa.errors import ModelUnavailable, ServiceUnavailable, UnavailableError
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.models.vlm.endpoint import EndpointModel
from dqa.models.vlm.safety import LONGEST, quoted
from dqa.models.vlm.surface import log_odds, side
from tests.models.vlm_server import ScriptedVlm, serving

GREY = np.full((48, 64, 3), 127, np.uint8)


def test_surface_forms_are_added_up_before_the_ratio() -> None:
    vocabulary = {"Yes": 0.3, " yes": 0.2, "YES": 0.1, "No": 0.15, "no": 0.05, "The": 0.2}
    found = log_odds((token, math.log(p)) for token, p in vocabulary.items())
    assert found == pytest.approx(math.log(0.6 / 0.2))


def test_a_side_that_is_not_told_is_bounded_by_the_least_likely_token() -> None:
    assert log_odds([("Yes", math.log(0.9)), ("The", math.log(0.02))]) == pytest.approx(math.log(0.9 / 0.02))
    assert log_odds([("The", -0.1), ("A", -3.0)]) is None
    assert log_odds([]) is None


def test_a_side_that_is_not_told_has_at_most_what_the_told_ones_leave() -> None:
    assert log_odds([("Yes", math.log(0.9))]) == pytest.approx(math.log(0.9 / 0.1))
    assert log_odds([("No", -0.001)]) == pytest.approx(math.log(1 - math.exp(-0.001)) + 0.001)
    assert log_odds([("Yes", math.log(0.6)), ("No way", math.log(0.3))]) == pytest.approx(math.log(0.6 / 0.1))


def test_probabilities_that_sum_to_one_or_more_by_rounding_give_a_finite_ratio() -> None:
    for tokens in ([("Yes", 0.0)], [("Yes", 0.0), ("The", -0.0)], [("Yes", 1e-4)]):
        found = log_odds(tokens)
        assert found is not None
        assert 0 <= found <= 14
    assert log_odds([("Yes", -0.1), ("No", -math.inf), ("The", math.nan)]) == log_odds([("Yes", -0.1)])


def test_against_a_softmax_over_the_whole_vocabulary() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=5000) * 3
    words = {7: "Yes", 8: " yes", 9: "No", 10: "no."}
    full = np.log(np.exp(logits) / np.exp(logits).sum())
    tokens = [(words.get(i, f"w{i}"), float(full[i])) for i in range(5000)]
    expected = math.log(np.exp(full[7]) + np.exp(full[8])) - math.log(np.exp(full[9]) + np.exp(full[10]))
    assert log_odds(tokens) == pytest.approx(expected)


@given(st.lists(st.tuples(st.text(max_size=6), st.floats(-60, 0)), max_size=20))
def test_any_tokens_give_a_finite_ratio_or_none(tokens: list[tuple[str, float]]) -> None:
    found = log_odds(tokens)
    assert found is None or math.isfinite(found)
    assert (found is not None) == any(side(text) is not None for text, _ in tokens)


def test_answers_come_in_the_order_of_the_questions_with_the_images_first() -> None:
    vlm = ScriptedVlm(p_yes=lambda q: {"a": 0.9, "b": 0.2, "c": 0.5}[q])
    with serving(vlm) as url:
        answers = EndpointModel(url, "m").ask([GREY, GREY], ["a", "b", "c"])
    assert [round(a.p_yes, 3) for a in answers if a] == [0.9, 0.2, 0.5]
    assert all(a is not None and a.soft for a in answers)
    content = vlm.requests[0]["messages"][1]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    head, data = content[0]["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 48)
    assert (vlm.requests[0]["temperature"], vlm.requests[0]["max_tokens"], vlm.requests[0]["model"]) == (0, 1, "m")


def test_frames_go_as_one_video_where_that_is_wanted() -> None:
    vlm = ScriptedVlm()
    frames = [np.full((48, 64, 3), level, np.uint8) for level in (10, 120, 230)]
    with serving(vlm) as url:
        endpoint = EndpointModel(url, "m", as_video=True)
        endpoint.ask(frames, ["a"])
        endpoint.ask(frames[:1], ["a"])
        endpoint.ask([frames[0], np.zeros((64, 48, 3), np.uint8)], ["a"])
    sent = [body["messages"][1]["content"] for body in vlm.requests]
    assert [[part["type"] for part in content] for content in sent] == [
        ["video_url", "text"],
        ["image_url", "text"],  # one picture is no video
        ["image_url", "image_url", "text"],  # nor are pictures of two sizes: a reference beside a clip
    ]
    head, *parts = sent[0][0]["video_url"]["url"].split(",")
    assert head == "data:video/jpeg;base64"
    pictures = [Image.open(io.BytesIO(base64.b64decode(part))) for part in parts]
    assert [(picture.size, round(float(np.asarray(picture).mean()), -1)) for picture in pictures] == [
        ((64, 48), 10), ((64, 48), 120), ((64, 48), 230),
    ]  # fmt: skip


@pytest.mark.parametrize(("frames", "revision"), [("images", None), ("video", "frames as one video")])
def test_records_name_the_endpoints_model_and_how_it_was_shown_the_frames(frames: str, revision: str | None) -> None:
    settings = Settings(home=Path("x"), vlm_url="http://127.0.0.1:9/v1", vlm_model="Qwen/Q", vlm_frames=frames)
    pool = ModelPool(load_profile("remote-vlm"), settings.home, settings)
    assert pool.identity("vlm-endpoint").id == "vlm-endpoint"
    pool.get("vlm-endpoint")
    identity = pool.identity("vlm-endpoint")
    assert (identity.id, identity.revision) == ("Qwen/Q", revision)
    assert identity.licence == "the endpoint's model's own"
    assert identity.weakness is not None


def test_large_images_are_scaled_down() -> None:
    vlm = ScriptedVlm()
    with serving(vlm) as url:
        EndpointModel(url, "m", max_side=100).ask([np.zeros((400, 800, 3), np.uint8)], ["a"])
    data = vlm.requests[0]["messages"][1]["content"][0]["image_url"]["url"].split(",")[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (100, 50)


def test_without_token_probabilities_the_stated_word_counts_and_is_said_to_be_only_that() -> None:
    vlm = ScriptedVlm(p_yes=lambda q: 0.9 if "a fox" in q else 0.1, logprobs=False)
    with serving(vlm) as url:
        answers = EndpointModel(url, "m").ask([GREY], ["a fox?", "a cat?", "a dog?"])
    assert [a.soft for a in answers if a] == [False] * 3
    assert [a.log_odds > 0 for a in answers if a] == [True, False, False]
    assert all(a is not None and abs(a.log_odds) < 2.5 for a in answers)


@pytest.mark.parametrize(
    "said", ["", "Yes, absolutely!", '{"answer": "maybe"}', '{"answer": ["yes"]}', "[1]", '{"score": 1}', "[" * 9999]
)
def test_what_is_neither_yes_nor_no_by_the_schema_is_no_answer(said: str) -> None:
    with serving(ScriptedVlm(logprobs=False, content=said)) as url:
        assert EndpointModel(url, "m").ask([GREY], ["a?"]) == [None]


def test_tokens_that_say_neither_are_no_answer() -> None:
    with serving(ScriptedVlm(tokens=("Well", "I"))) as url:
        assert EndpointModel(url, "m").ask([GREY], ["a?"]) == [None]


def test_json_by_a_schema_and_none_for_what_is_no_object() -> None:
    schema = {"type": "object", "properties": {"mood": {"type": "string"}}}
    with serving(ScriptedVlm(content='{"mood": "calm"}')) as url:
        assert EndpointModel(url, "m").write([GREY], "Describe.", schema) == {"mood": "calm"}
    broken = ScriptedVlm(content="The mood is calm.")
    with serving(broken) as url:
        assert EndpointModel(url, "m").write([GREY], "Describe.", schema) is None
    assert len(broken.requests) == 2


@pytest.mark.parametrize("said", [None, '```json\n{"answer": "yes"}\n```'])
def test_a_server_that_refuses_probabilities_and_schemas_is_asked_in_words(said: str | None) -> None:
    vlm = ScriptedVlm(refused=frozenset({"logprobs", "json_schema", "json_object"}), content=said)
    with serving(vlm) as url:
        model = EndpointModel(url, "m")
        first = model.ask([GREY], ["a fox?"])
        asked = len(vlm.requests)
        answers = [*first, *model.ask([GREY], ["a cat?", "a dog?"])]
    assert [a is not None and (a.log_odds > 0, a.soft) for a in answers] == [(True, False)] * 3
    assert asked == 7, "each of the three with and without the switch for thinking, and then in words"
    assert len(vlm.requests) == asked + 2, "what it refused once is not asked for again"


def test_a_refusal_after_probabilities_were_told_is_a_refusal() -> None:
    vlm = ScriptedVlm()
    with serving(vlm) as url:
        model = EndpointModel(url, "m")
        assert model.ask([GREY], ["a fox?"])[0] is not None
        vlm.refused = frozenset({"logprobs"})
        with pytest.raises(UnavailableError, match="takes images"):
            model.ask([GREY], ["a cat?"])


def test_a_busy_server_is_asked_again() -> None:
    vlm = ScriptedVlm(statuses=[429, 503])
    with serving(vlm) as url:
        assert EndpointModel(url, "m").ask([GREY], ["a?"])[0] is not None
    assert len(vlm.requests) == 1


def test_a_server_that_stays_busy_or_away_is_named_with_what_to_do() -> None:
    with (
        serving(ScriptedVlm(statuses=[429] * 50)) as url,
        pytest.raises(ServiceUnavailable, match=r"is busy \(429\); start it, or check DQA_VLM_URL"),
    ):
        EndpointModel(url, "m", patience_s=0.6).ask([GREY], ["a?"])
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        EndpointModel("http://127.0.0.1:9/v1", "m", patience_s=0.2).ask([GREY], ["a?"])


def test_a_wrong_key_or_model_is_said_and_the_key_is_not() -> None:
    with serving(ScriptedVlm(key="right")) as url, pytest.raises(UnavailableError, match="DQA_VLM_KEY") as refused:
        EndpointModel(url, "m", "sk-canary-1234").ask([GREY], ["a?"])
    assert "canary" not in refused.value.sentence()
    with serving(ScriptedVlm(key="right")) as url:
        assert EndpointModel(url, "m", "right").ask([GREY], ["a?"])[0] is not None
    with serving(ScriptedVlm()) as url, pytest.raises(UnavailableError, match="has no model m"):
        EndpointModel(url + "/nothing-here", "m").ask([GREY], ["a?"])
    with serving(ScriptedVlm(statuses=[400] * 9)) as url, pytest.raises(UnavailableError, match="takes images"):
        EndpointModel(url, "m").ask([GREY], ["a?"])


def test_an_endpoint_that_is_not_set_is_named(tmp_path: object) -> None:
    pool = ModelPool(load_profile("remote-vlm"), Settings(home="x").home, Settings(home="x"))
    with pytest.raises(ModelUnavailable, match="DQA_VLM_URL"):
        pool.get("vlm-endpoint")


@given(st.text(max_size=300))
def test_quotes_can_not_be_left(text: str) -> None:
    shown = quoted(text)
    assert shown[0] == shown[-1] == '"'
    assert '"' not in shown[1:-1]
    assert "\n" not in shown
    assert len(shown) <= LONGEST + 2
