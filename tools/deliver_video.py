"""Letta tool of the Director: the best clip of this turn, or what prevented one."""

import hashlib
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


def _run() -> str:
    """The id of the turn this tool is called in; empty where the Letta server can't be asked."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    try:
        found = _call("DQA_LETTA", "GET", f"/v1/runs/?agent_id={agent}&active=true&limit=1") if agent else []
    except _Trouble:
        return ""
    return str(found[0].get("id", "")) if isinstance(found, list) and found else ""


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


_NOTES = {
    "accepted": "",
    "review": "for review: the verdict leaves this clip to a person, so it was neither accepted nor refined",
    "exhausted": "below the standard; no attempt reached it within the retries, and this is the best one",
    "failed": "not finished: the last attempt brought no verdict, and this is the best clip before it",
}


def _outcome(shots: list) -> str:
    """How this turn ended, by the same rule as decide_next."""
    last = shots[-1] if shots else {}
    if not last.get("id"):
        return "failed"
    if last.get("action") == "review":
        return "review"
    if not _to_refine(last):
        return "accepted"
    return "exhausted" if len(shots) > _retries() else "failed"


def _best(shots: list, outcome: str) -> dict:
    """The clip that was accepted, else the one with the highest final score."""
    good = [shot for shot in shots if shot.get("id")]
    if outcome == "accepted":
        return good[-1]
    return max(good, key=lambda shot: (shot.get("final") is not None, shot.get("final") or 0.0))


def _recorded(shots: list, outcome: str, user: str) -> dict:
    """Has the worker record the run, as the host's log tells it; trouble there spoils no delivery."""
    written = [data for _, data in _returns("ask_writer") if data.get("prompt")]
    prompts = [str(shot.get("prompt") or "") for shot in shots]
    brief = next((str(data["brief"]) for data in written if data.get("brief")), next(iter(prompts), ""))
    last = str(written[-1]["prompt"]) if written else brief
    least = _standard("MIN_ACCEPTABLE_GRADE", "B")
    made = [str(shot.get("video_id") or "") for shot in shots if shot.get("id")]
    body = {
        "brief": brief,
        "writer": "agent-dqa-writer",
        "generator": "comfyui" if made and all(clip.startswith("md_") for clip in made) else "clips from a folder",
        # No clip below B is accepted unseen, whatever the block says.
        "min_grade": least if least in _GRADES and _GRADES.index(least) >= _GRADES.index("B") else "B",
        "max_retries": _retries(),
        "outcome": outcome,
        "cycles": [
            {"prompt": text or last, "evaluation": shot.get("id"), "media": str(shot.get("video_id") or "")}
            for text, shot in zip(prompts, shots, strict=True)
        ],
    }
    if user:
        body["user"] = user
    try:
        if not brief:
            raise _Trouble("there was no brief", "nothing to record")
        key = hashlib.sha256(json.dumps([os.environ.get("LETTA_AGENT_ID", ""), _run(), body]).encode()).hexdigest()
        return {"refinement": _call("DQA", "POST", "/v1/refinements", body, key).get("id")}
    except _Trouble as trouble:
        what, fix = trouble.args
        return {"refinement": None, "not_recorded": {"error": what, "fix": fix}}


def deliver_video() -> str:
    """Deliver the best clip of this turn with its verdict, and record how many attempts it took. Takes no arguments.

    Returns:
        str: JSON: {"delivered", "outcome": "accepted" | "review" | "exhausted" | "failed", "note", "media", "prompt",
            "grade", "attempts", "accepted", "id", "reasoning", "refinement", ...}. On failure {"error", "fix"}: then
            there is no clip, and the user must be told.
    """
    try:
        shots = _shots()
        outcome = _outcome(shots)
        if not any(shot.get("id") for shot in shots):
            _recorded(shots, outcome, os.environ.get("DQA_USER", ""))
            last = shots[-1] if shots else {}
            raise _Trouble(
                str(last.get("error") or "no clip was made and verified in this turn"),
                str(last.get("fix") or "call ask_writer, then ask_cameraman"),
            )
        best = _best(shots, outcome)
        record = _call("DQA", "GET", f"/v1/evaluations/{best['id']}")
        return json.dumps(
            {
                "delivered": True,
                "accepted": outcome == "accepted",
                "outcome": outcome,
                "note": _NOTES[outcome],
                "media": best.get("video_id"),
                "prompt": record.get("prompt"),
                "attempts": len(shots),
                "id": record.get("id"),
                "grade": record.get("grade"),
                "final": record.get("final"),
                "action": record.get("action"),
                "reasoning": record.get("reasoning"),
                "advice": list(record.get("advice") or [])[:6],
                **_recorded(shots, outcome, str(record.get("user") or "")),
            }
        )
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
