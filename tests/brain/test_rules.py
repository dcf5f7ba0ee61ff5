"""The rule brain's decisions: which tool, which arguments, which words."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.sleeptime import WARM_UP
from dqa.agenthost.turn import request_text
from dqa.brain import NAME
from dqa.brain.answer import complete, stream
from dqa.brain.fill import fill, labelled, media_in
from dqa.brain.wording import compose
from tests.brain.tools import schemas

MANIFEST = load_manifest()
DIRECTOR = ["ask_writer", "verify_video", "recent_evaluations", "deliver_video", "ab_variations"]
VERIFIER = ["semantic_evaluation", "recent_evaluations"]
CAMERAMAN = ["generate_video", "verify_video"]
MEDIA_ID = "md_01m80859ych04s657w8zwmqa3t"
REASONING = "Grade B+ (0.79): ok. Sharp."


def ask(*messages: dict[str, Any], tools: list[str] | None = None, choice: Any = "auto") -> dict[str, Any]:
    request: dict[str, Any] = {"model": "m", "messages": list(messages)}
    if tools is not None:
        request |= {"tools": schemas(tools), "tool_choice": choice}
    return complete(request)["choices"][0]["message"]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def called(message: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    calls = message.get("tool_calls")
    return (calls[0]["function"]["name"], json.loads(calls[0]["function"]["arguments"])) if calls else None


def result(name: str, data: Any, status: str = "OK", number: int = 1) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": "{}"}}
    content = json.dumps({"status": status, "message": json.dumps(data), "time": "now"})
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": content},
    ]


@pytest.mark.parametrize(
    ("text", "media", "prompt"),
    [
        (
            request_text("clips/a b.mp4", 'say "hi", wolf\nmedia: x.mp4'),
            "clips/a b.mp4",
            'say "hi", wolf\nmedia: x.mp4',
        ),
        ('Grade clips/wolf.mp4, prompt: "a dark wolf"', "clips/wolf.mp4", "a dark wolf"),
        ("evaluate /v/w.webm prompt: a dark wolf runs", "/v/w.webm", "a dark wolf runs"),
        ("media: w.mp4, prompt: a dark wolf", "w.mp4", "a dark wolf"),
        (
            'Please verify "my clips/a wolf.mp4" against “a dark wolf in snow”',
            "my clips/a wolf.mp4",
            "a dark wolf in snow",
        ),
        (
            f"evaluate {MEDIA_ID} a dark wolf runs",
            MEDIA_ID,
            "a dark wolf runs",
        ),
        (json.dumps({"media": "w.mp4", "prompt": "a wolf"}), "w.mp4", "a wolf"),
    ],
)
def test_media_and_prompt_are_found_word_for_word(text: str, media: str, prompt: str) -> None:
    forced = {"type": "function", "function": {"name": "spatial_evaluation"}}
    for tools, choice in ((["semantic_evaluation"], "auto"), (["spatial_evaluation"], forced)):
        found = called(ask(user(text), tools=tools, choice=choice))
        assert found == (tools[0], {"media": media, "prompt": prompt})


@pytest.mark.parametrize(
    ("text", "offered", "tool"),
    [
        ("Please make a video of a wolf", DIRECTOR, "ask_writer"),
        ("Create a short film about two robots dancing", DIRECTOR, "ask_writer"),
        ("Make two variations of it", DIRECTOR, "ab_variations"),
        ("Show me variations of the last clip", DIRECTOR, "ab_variations"),
        ('Grade the clip w.mp4, prompt: "a wolf"', DIRECTOR, "verify_video"),
        ("Why did the last clip get that grade?", DIRECTOR, "recent_evaluations"),
        ("hello, who are you?", DIRECTOR, None),
        ("thanks!", VERIFIER, None),
        (WARM_UP, DIRECTOR, None),
        ("What can you do?", VERIFIER, None),
        ('Evaluate w.mp4, prompt: "a wolf"', VERIFIER, "semantic_evaluation"),
        ("Evaluate w.mp4", VERIFIER, None),
        (
            'Generate the clip for this prompt, then verify it.\nprompt: "a wolf"\nattempt: 2',
            CAMERAMAN,
            "generate_video",
        ),
        ('Evaluate this clip.\nmedia: "w.mp4"\nprompt: "a wolf"', CAMERAMAN, "verify_video"),
        ('Write the prompt for this brief.\nbrief: "a wolf"\nadvice: ""', ["submit_prompt"], "submit_prompt"),
    ],
)
def test_the_tool_fits_what_was_said(text: str, offered: list[str], tool: str | None) -> None:
    found = called(ask(user(text), tools=offered))
    assert (found[0] if found else None) == tool


@pytest.mark.parametrize("name", sorted(MANIFEST.tools))
def test_a_forced_tool_is_called_whatever_was_said(name: str) -> None:
    choice = {"type": "function", "function": {"name": name}}
    found = called(ask(user("the weather is nice"), tools=[*DIRECTOR, name], choice=choice))
    assert found is not None
    assert found[0] == name
    required = called(ask(user("the weather is nice"), tools=[name], choice="required"))
    assert required is not None


def test_values_come_from_what_tools_returned_in_this_turn() -> None:
    turn = [user("Make a video of a wolf"), *result("ask_writer", {"prompt": "a grey wolf"})]
    force = {"type": "function", "function": {"name": "ask_cameraman"}}
    assert called(ask(*turn, tools=["ask_cameraman"], choice=force)) == ("ask_cameraman", {"prompt": "a grey wolf"})
    again = [*turn, *result("ask_cameraman", {"id": "ev_1", "advice": ["less motion", "more light"]}, number=2)]
    again += result("decide_next", {"decision": "refine", "message": "refine"}, number=3)
    force = {"type": "function", "function": {"name": "ask_writer"}}
    assert called(ask(*again, tools=["ask_writer"], choice=force)) == (
        "ask_writer",
        {"brief": "Make a video of a wolf", "advice": "less motion; more light"},
    )
    older = [*turn, user("Make a video of a cat")]
    found = called(ask(*older, tools=["ask_cameraman"], choice="required"))
    assert found is not None
    assert found[1].get("prompt") != "a grey wolf", "an earlier turn's answer is not this turn's"


def test_what_failed_gives_no_values() -> None:
    turn = [user("Make a video of a wolf"), *result("ask_writer", {"prompt": "no", "error": "x"}, "Failed")]
    found = called(ask(*turn, tools=["ask_cameraman"], choice="required"))
    assert found is not None
    assert found[1].get("prompt") != "no"


def test_a_strict_schema_gets_null_for_what_is_unknown() -> None:
    parameters = {
        "type": "object",
        "properties": {"limit": {"type": ["integer", "null"]}, "flag": {"type": "boolean"}, "n": {"type": "number"}},
        "required": ["limit", "flag", "n"],
    }
    from dqa.brain.conversation import read

    arguments, missing = fill(parameters, read([user("n: 2.5")]))
    assert arguments == {"limit": None, "n": 2.5}
    assert missing == ["flag"]


def test_after_a_tool_it_speaks_of_what_came_of_it() -> None:
    verdict = {
        "id": "ev_1",
        "grade": "B+",
        "final": 0.7996,
        "action": "accept",
        "reasoning": REASONING,
    }
    said = ask(user("grade it"), *result("verify_video", {**verdict, "advice": ["less motion"]}), tools=DIRECTOR)
    assert said.get("tool_calls") is None
    for fact in ("B+ (0.79)", "accept", "Sharp.", "less motion", "ev_1", NAME):
        assert fact in said["content"]
    later = ask(*[user("grade it"), *result("verify_video", verdict), user("hm, thanks")], tools=DIRECTOR)
    assert "B+" in later["content"]


@pytest.mark.parametrize("data", [{"error": "the worker is down", "fix": "start it"}, "boom"])
def test_a_failure_is_told_as_one(data: Any) -> None:
    said = ask(user("grade it"), *result("verify_video", data, "Failed"), tools=DIRECTOR)["content"]
    assert "failed" in said
    assert "There is no result" in said
    assert (data["fix"] if isinstance(data, dict) else data) in said


def test_nothing_evaluated_yet_is_said() -> None:
    said = ask(user("why?"), *result("recent_evaluations", {"evaluations": []}), tools=DIRECTOR)["content"]
    assert "Nothing has been evaluated yet" in said


def test_every_answer_in_words_says_what_speaks() -> None:
    for text in ("hi", "", "Summarise our conversation.", '{"type": "user_message", "message": "hi"}'):
        assert NAME in ask(user(text))["content"]


def test_the_host_s_own_notes_are_not_the_user() -> None:
    note = user(json.dumps({"type": "heartbeat", "message": "tick", "time": "now"}))
    found = called(ask(user("Make a video of a wolf"), note, tools=DIRECTOR))
    assert found == ("ask_writer", {"brief": "Make a video of a wolf"})


def test_the_same_request_gets_the_same_bytes() -> None:
    request = {"messages": [user("Make a video of a wolf")], "tools": schemas(DIRECTOR), "tool_choice": "auto"}
    assert json.dumps(complete(request)) == json.dumps(complete(json.loads(json.dumps(request))))


@pytest.mark.parametrize("text", ["Make a video of a wolf", "hello there, this is a longer text to speak about"])
def test_a_stream_adds_up_to_the_whole_answer(text: str) -> None:
    request = {"messages": [user(text)], "tools": schemas(DIRECTOR), "stream_options": {"include_usage": True}}
    whole = complete(request)["choices"][0]
    lines = "".join(stream(request)).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == (whole["message"]["content"] or "")
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    wanted = [call["function"] for call in whole["message"].get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in calls) == "".join(f["arguments"] for f in wanted)
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == whole["finish_reason"]
    assert chunks[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("brief", "advice", "prompt"),
    [
        ("Make a video of a wolf", "", "a wolf"),
        ("I'd like you to film two robots, dancing", "", "two robots, dancing"),
        ("a dark wolf prowling", "", "a dark wolf prowling"),
        ("video", "", "video"),
        ("a wolf", "motion low -> reduce prompt complexity", "a wolf, slow, smooth, steady motion"),
    ],
)
def test_a_prompt_keeps_the_brief_s_words(brief: str, advice: str, prompt: str) -> None:
    assert compose(brief, advice) == prompt


@given(st.text(max_size=80), st.text(max_size=80))
def test_composing_never_loses_the_brief(brief: str, advice: str) -> None:
    assert compose(brief, advice) or not brief.strip()


@given(st.text(max_size=60).filter(str.strip), st.text(max_size=120).filter(str.strip))
def test_what_a_tool_asks_arrives_word_for_word(media: str, prompt: str) -> None:
    text = request_text(media, prompt)
    assert labelled("media", text) == media
    assert labelled("prompt", text) == prompt


@given(st.text(max_size=200))
def test_no_text_upsets_it(text: str) -> None:
    media_in(text)
    message = ask(user(text), tools=[*DIRECTOR, *VERIFIER])
    assert message["content"] or message["tool_calls"]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "'" + "a" * 100_000,
        "not found in the picture: " * 5_000,
        "please " * 20_000,
        "x.mp4" * 20_000,
        "prompt: a" + " " * 60_000 + "z",
    ],
)
def test_long_texts_cost_no_more_than_their_length(text: str) -> None:
    began = time.process_time()
    ask(user(text), tools=[*DIRECTOR, *VERIFIER])
    compose(text, text)
    assert time.process_time() - began < 30, "CPU seconds; a third of one where it was measured, minutes if quadratic"


def test_variations_are_answered_with_the_page_to_choose_on() -> None:
    made = {"test_id": "t1", "choose": "http://127.0.0.1/choose?a=ev_1", "a": {"id": "ev_1", "grade": "B"}}
    said = ask(user("two variations please"), *result("ab_variations", made), tools=DIRECTOR)["content"]
    assert made["choose"] in said
    assert "grade" not in said, "what the judge thinks would sway the choice"
