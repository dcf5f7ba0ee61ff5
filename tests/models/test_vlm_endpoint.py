"""The border to an endpoint: answers of any form, any size and any slowness are answers, or errors of our own."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.errors import DQAError, ServiceUnavailable
from dqa.models.roles import YesNo
from dqa.models.vlm import endpoint, endpoint_line
from dqa.models.vlm.endpoint import EndpointModel
from dqa.models.vlm.endpoint_answer import (
    THOUGHT,
    Misunderstood,
    Thinks,
    Token,
    after_thinking,
    begins_to_think,
    content,
    decoded,
    first_choice,
    tokens,
)
from tests.models.plain_server import answered, plain

GREY = np.full((48, 64, 3), 127, np.uint8)
SAID_YES = {"message": {"role": "assistant", "content": '{"answer": "yes"}'}}
TWO = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -2.4}]


def told(*listed: Any) -> dict[str, Any]:
    """A choice with these tokens."""
    return {"logprobs": {"content": list(listed)}, **SAID_YES}


def body(choice: object) -> bytes:
    return answered(json.dumps({"choices": [choice]}).encode())


def asked(*bodies: bytes, **more: Any) -> tuple[list[YesNo | None], list[dict[str, Any]]]:
    with plain(bodies) as server:
        found = EndpointModel(server.url, "m", patience_s=5, **more).ask([GREY], ["a fox?"])
        return found, server.requests


# -- probabilities of one token alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tops", [[], None, [{"token": "Yes", "logprob": -0.001}]])
@pytest.mark.parametrize("word", ["yes", "no"])
def test_one_token_without_alternatives_is_a_stated_word(tops: object, word: str) -> None:
    one = told({"token": word.title(), "logprob": -0.001, "top_logprobs": tops})
    one["message"] = {"content": json.dumps({"answer": word})}
    (found,), _ = asked(body(one))
    assert found is not None
    assert not found.soft
    assert (found.p_yes > 0.85) == (word == "yes"), "never 0.5, whatever it said"


def test_servers_that_write_minus_9999_give_bounded_odds() -> None:
    tops = [{"token": "Yes", "logprob": -0.001}, {"token": "No", "logprob": -9999.0}]
    (found,), _ = asked(body(told({"token": "Yes", "logprob": -0.001, "top_logprobs": tops})))
    assert found is not None
    assert found.soft
    assert 30 < found.log_odds <= 50


# -- forms that nobody understands -------------------------------------------------------------------------------------

GARBAGE: tuple[object, ...] = (
    {"logprobs": "x"},
    {"logprobs": [1]},
    {"logprobs": {"content": "x"}},
    {"logprobs": {"content": ["x"]}},
    {"logprobs": {"content": [None]}},
    told({"token": "Yes", "logprob": -0.1, "top_logprobs": ["a"]}),
    told({"token": "Yes", "logprob": -0.1, "top_logprobs": {"Yes": -0.1}}),
    told({"token": 7, "logprob": -0.1}),
    told({"token": "Yes", "logprob": "-0.1"}),
    told({"token": "Yes", "logprob": True}),
    told({"token": "Yes", "logprob": 3.5}),
    told({"token": "Yes", "logprob": 10**400, "top_logprobs": TWO}),
    told({"token": "Yes", "logprob": math.nan, "top_logprobs": TWO}),
    told({"token": "Yes", "logprob": math.inf, "top_logprobs": TWO}),
    told({"token": "Yes", "logprob": -math.inf, "top_logprobs": TWO}),
    {"message": "Yes"},
    {"message": ["Yes"]},
    {"message": {"content": {"answer": "yes"}}},
    "Yes",
    None,
    7,
)


@pytest.mark.parametrize("choice", GARBAGE)
def test_garbage_is_an_error_of_our_own(choice: object) -> None:
    with pytest.raises(Misunderstood, match="in a form that nobody understands"):
        asked(body(choice))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[1]",
        b'"x"',
        b"{}",
        b'{"choices": []}',
        b'{"choices": {"0": 1}}',
        b'{"choices": [' + b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"choices": [{"logprobs": {"content": [{"token": "Yes", "logprob": -1e999}]}}]}',
        b'{"choices": [{"logprobs": {"content": [{"token": "Yes", "logprob": ' + b"9" * 400 + b"}]}}]}",
        b'{"choices": [{"logprobs": {"content": [{"token": "Yes", "logprob": -' + b"9" * 5000 + b"}]}}]}",
        b"\xff\xfe\x00",
    ],
)
def test_bodies_of_any_kind_are_an_error_of_our_own(raw: bytes) -> None:
    with pytest.raises(Misunderstood, match="check DQA_VLM_URL"):
        asked(answered(raw))
    with plain([answered(raw)]) as server, pytest.raises(Misunderstood):
        EndpointModel(server.url, "m", patience_s=5).write([GREY], "Describe.", {"type": "object"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("<think>"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["token", "logprob", "top_logprobs", "content", "logprobs", "message", "reasoning"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_a_choice_is_it_gives_finite_numbers_or_our_error(choice: object) -> None:
    try:
        first = first_choice({"choices": [choice]})
        words, found = content(first), tokens(first)
        read = after_thinking(found) if found else None
    except DQAError:
        return
    assert words is None or isinstance(words, str)
    assert read is None or all(-math.inf < value <= 0 for _, value in read.likeliest)


@given(st.binary(max_size=200))
def test_whatever_a_body_is_it_is_an_object_or_our_error(raw: bytes) -> None:
    try:
        found = decoded(raw)
    except Misunderstood:
        return
    assert isinstance(found, dict)


def test_a_null_for_a_probability_of_nothing_is_left_out() -> None:
    tops = [*TWO, {"token": "The", "logprob": None}]
    (found,), _ = asked(body(told({"token": "Yes", "logprob": -0.1, "top_logprobs": tops})))
    assert found == YesNo(pytest.approx(2.3), soft=True)


# -- slow and large ----------------------------------------------------------------------------------------------------


def dripped(whole: bytes) -> list[bytes]:
    return [whole[i : i + 1] for i in range(len(whole))]


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_server_that_drips_is_given_up_when_patience_ends(part: str) -> None:
    whole = body(SAID_YES)
    begins = 0 if part == "head" else whole.index(b"\r\n\r\n") + 4
    began = time.monotonic()
    with (
        plain([[whole[:begins], *dripped(whole[begins:])]], pause_s=0.2) as server,
        pytest.raises(ServiceUnavailable, match="took longer than 1 seconds"),
    ):
        EndpointModel(server.url, "m", patience_s=1).ask([GREY], ["a fox?"])
    assert time.monotonic() - began < 3


def test_a_server_that_says_nothing_is_given_up_when_patience_ends() -> None:
    began = time.monotonic()
    with plain([[b"", b""]], pause_s=30) as server, pytest.raises(ServiceUnavailable, match="took longer"):
        EndpointModel(server.url, "m", patience_s=0.5).check()
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_line, "LARGEST", 2**20)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"
    with (
        plain([[head, *[b" " * 2**18] * 64]]) as server,
        pytest.raises(ServiceUnavailable, match="sends more than 16 MiB"),
    ):
        EndpointModel(server.url, "m", patience_s=20).ask([GREY], ["a fox?"])


def test_it_can_be_asked_where_a_loop_runs_already_and_leaves_no_thread() -> None:
    async def inside() -> list[YesNo | None]:
        return asked(body(told({"token": "Yes", "logprob": -0.1, "top_logprobs": TWO})))[0]

    assert asyncio.run(inside())[0] is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "endpoint"]


# -- thoughts ----------------------------------------------------------------------------------------------------------


def spoken(*texts: str) -> dict[str, Any]:
    """A choice with these tokens; the last may be either word."""
    pad = [{"token": text, "logprob": -0.1, "top_logprobs": [{"token": text, "logprob": -0.1}] * 2} for text in texts]
    return told(*pad[:-1], {"token": texts[-1], "logprob": -0.1, "top_logprobs": TWO})


def test_models_are_told_not_to_think() -> None:
    found, requests = asked(body(spoken("Yes")))
    assert found[0] is not None
    assert requests[0]["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize("code", ["400 Bad Request", "415 x", "422 x", "501 x"])
def test_an_endpoint_that_refuses_the_switch_is_asked_without_it_from_then_on(code: str) -> None:
    with plain([answered(b"unknown field", code), body(spoken("Yes"))]) as server:
        model = EndpointModel(server.url, "m", patience_s=5)
        assert [a is not None and a.soft for a in model.ask([GREY], ["a?", "b?", "c?"])] == [True] * 3
        assert ["chat_template_kwargs" in request for request in server.requests] == [True, False, False, False]


def test_the_first_word_after_an_empty_block_is_the_answer() -> None:
    empty = ("<think>", "\n\n", "</think>", "\n\n", "Yes")
    found, requests = asked(body(spoken(*empty[:1])), body(spoken(*empty)))
    assert found == [YesNo(pytest.approx(2.3), soft=True)]
    assert [request["max_tokens"] for request in requests] == [1, THOUGHT]


def test_thoughts_that_do_not_end_are_said() -> None:
    with pytest.raises(Thinks, match="begins with thoughts"):
        asked(body(spoken("<think>")), body(spoken("<think>", *["hm"] * 31)))
    for choice in (
        {"message": {"content": "<think>Let me see"}},
        {"message": {"content": None, "reasoning_content": "Let me see"}},
    ):
        with pytest.raises(Thinks, match="switch its thinking off"):
            asked(body(choice))


def test_a_stated_word_may_come_after_thoughts() -> None:
    (found,), _ = asked(body({"message": {"content": '<think>\n\n</think>\n\n{"answer": "no"}'}}))
    assert found is not None
    assert found.log_odds < 0


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["Yes"], "Yes"),
        (["<", "think", ">", "</", "think", ">", "\n", "No"], "No"),
        (["<", "b", ">"], "<"),
        (["◁think▷", "◁/think▷", "Yes", "."], "Yes"),
        (["\n"], "\n"),
        (["<thinking>", "</thinking>", "Yes"], "Yes"),
    ],
)
def test_where_a_block_ends(texts: list[str], answer: str) -> None:
    assert after_thinking([Token(text, ()) for text in texts]).text == answer


def test_what_may_begin_a_block() -> None:
    assert begins_to_think([Token("<", ())])
    assert begins_to_think([Token("<think>\n", ())])
    assert not begins_to_think([Token("Yes", ())])
    assert not begins_to_think([Token("\n", ())])
    assert not begins_to_think([])


def test_an_endpoint_at_which_nobody_listens_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_NOBODY_S", 1.0)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        EndpointModel("http://127.0.0.1:9/v1", "m", patience_s=120).ask([GREY], ["a fox?"])
    assert time.monotonic() - began < 30
