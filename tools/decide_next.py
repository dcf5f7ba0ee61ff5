"""Letta tool of the Director: refine or deliver, by the verdicts of this turn."""

import json
import os
import re
import time

import httpx


class _Trouble(Exception):
    """What went wrong, and what to do about it, in words for the agent."""


def _data(answer: httpx.Response, base: str, name: str) -> object:
    """What an answer says; its failure, or an answer of somebody else, is trouble."""
    try:
        data = answer.json()
    except (ValueError, RecursionError):
        data = None
    if answer.status_code >= 400:
        detail = data.get("detail") if isinstance(data, dict) else None
        what, _, fix = str(detail or f"{name} answered {answer.status_code}").partition("; ")
        raise _Trouble(what, fix or "see its log")
    if not isinstance(data, (dict, list)) and answer.status_code != 204:
        # Another program's page, a proxy's redirect: asking again would bring the same.
        what = f"what answers as {name} is not it: status {answer.status_code}, and no JSON"
        raise _Trouble(what, f"see that {base}_URL is its address, then: dqa agents deploy")
    return data


def _call(base: str, method: str, path: str, body: object = None, key: str = "", patience: float = 30.0) -> object:
    """One JSON request to DQA's worker (DQA_URL) or to Letta (DQA_LETTA_URL).

    It is repeated only where that can do no harm: reading, and posting under an idempotency key.
    """
    url = os.environ.get(f"{base}_URL", "").rstrip("/")
    secret = os.environ.get("DQA_TOKEN" if base == "DQA" else f"{base}_KEY", "")
    name = "DQA's worker" if base == "DQA" else "the Letta server"
    if not url:
        raise _Trouble(f"this tool does not know where {name} is", f"set {base}_URL for the agent: dqa agents deploy")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    if key:
        headers["Idempotency-Key"] = key
    attempts = 4 if method == "GET" or key else 1
    for attempt in range(attempts):
        try:
            answer = httpx.request(
                method, url + path, json=body, headers=headers, timeout=httpx.Timeout(patience, connect=5.0)
            )
        except httpx.HTTPError as problem:
            if attempt + 1 == attempts:
                said = type(problem).__name__
                raise _Trouble(f"{name} does not answer ({said})", "start it with: dqa up, then try again") from None
        else:
            if answer.status_code not in (429, 502, 503, 504) or attempt + 1 == attempts:
                break
        time.sleep(0.5 * 2**attempt)
    return _data(answer, base, name)


def _returns(*names: str) -> list:
    """What these tools returned in this turn, oldest first, as (name, data). The host's log, not the model's word."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    runs = _call("DQA_LETTA", "GET", f"/v1/runs/?agent_id={agent}&active=true&limit=10")
    found = _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/messages?limit=200&order=desc")
    if found and str(found[0].get("date")) > str(found[-1].get("date")):
        found = found[::-1]  # 0.16.8 gives the newest page oldest first, whatever the order asked for
    by_run = {}
    for message in found:
        if message.get("message_type") != "tool_return_message" or message.get("name") not in names:
            continue
        try:
            data = json.loads(message.get("tool_return") or "")
        except ValueError:
            data = {"error": str(message.get("tool_return"))[:300], "fix": "see the tool's return"}
        entry = (message["name"], data if isinstance(data, dict) else {"value": data})
        by_run.setdefault(message.get("run_id"), []).append(entry)
    # The newest first: a run that died with its server stays active for good.
    return next((by_run[run["id"]] for run in runs if run.get("id") in by_run), [])


_GRADES = ["F", "C", "B-", "B", "B+", "A-", "A"]


def _standard(name: str, fallback: str) -> str:
    """A value of the quality_standards block, in either of its forms."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    try:
        block = _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/core-memory/blocks/quality_standards")
    except _Trouble:
        return fallback
    text = str(block.get("value")).lstrip("\ufeff")
    try:
        data = json.loads(text)
        stated = data.get(name) if isinstance(data, dict) else None
    except (ValueError, RecursionError):
        # Lines, or broken JSON. Only a key of its own counts, the last one: patterns and comments name keys, too.
        stated = (re.findall(rf'^(?:{name}|[{{ \t]*"{name}")[ \t]*:(.*)', text, re.MULTILINE) or [""])[-1]
    found = re.match(r'[ \t]*"?([A-F][+-]?|\d{1,9})(?![\w.+-])', str(stated))
    return found[1] if found else fallback


def _good_enough(verdict: dict) -> bool:
    """At least the grade that quality_standards asks for, and not rejected."""
    least = _standard("MIN_ACCEPTABLE_GRADE", "B")
    least = least if least in _GRADES else "B"
    grade = verdict.get("grade")
    return grade in _GRADES and _GRADES.index(grade) >= _GRADES.index(least)


def _to_refine(verdict: dict) -> bool:
    """Neither good enough nor for a person to look at ("review"): the rule of dqa.refine."""
    action = verdict.get("action")
    return action != "review" and not (_good_enough(verdict) and action in (None, "accept"))


def _retries() -> int:
    """Most refinements of one brief."""
    found = _standard("MAX_RETRIES", "3")
    return min(int(found), 10) if found.isdecimal() else 3


def _shots() -> list:
    """The verdicts of this turn, by the host's log."""
    return [data for _, data in _returns("ask_cameraman")]


def decide_next() -> str:
    """Decide by the last verdict whether the clip is delivered or the prompt refined. Takes no arguments.

    It counts the attempts of this turn itself, and reads MIN_ACCEPTABLE_GRADE and MAX_RETRIES from quality_standards.

    Returns:
        str: JSON: {"decision": "refine" | "deliver", "attempts", "grade", "wanted", "message"}.
    """
    try:
        shots = _shots()
        last = shots[-1] if shots else {}
        # A failure is not repeated here: its cause (a service that is down) would be the same.
        refine = bool(last.get("id")) and _to_refine(last) and len(shots) <= _retries()
        decision = "refine" if refine else "deliver"
        facts = {"attempts": len(shots), "grade": last.get("grade"), "wanted": _standard("MIN_ACCEPTABLE_GRADE", "B")}
        # The host's conditional rule compares what stands under "message" in a tool's JSON.
        return json.dumps({"decision": decision, **facts, "message": decision})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
