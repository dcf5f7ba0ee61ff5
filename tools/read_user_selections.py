"""Letta tool of the Tuner: imports the choices in ab_testing, and what user_style says, into the worker."""

import json
import os
import time
import uuid

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


def _block(label: str) -> dict:
    """A memory block of this agent, as the host has it now."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    return _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/core-memory/blocks/{label}")


def read_user_selections() -> str:
    """Read ab_testing.USER_SELECTIONS for new choices, each test once, and user_style. First step; no arguments.

    Returns:
        str: JSON: {"imported", "already_known", "problems": [{"index", "error", "fix"}], "style": {"likes", "dislikes",
        "changed"}}. On failure {"error", "fix"}.
    """
    try:
        body = {"block": str(_block("ab_testing").get("value") or "")}
        missing = None
        try:
            body["style"] = str(_block("user_style").get("value") or "")
        except _Trouble as trouble:
            # The choices count without it; the worker keeps what the block said before.
            what, fix = trouble.args
            missing = {"error": what, "fix": fix}
        if os.environ.get("DQA_USER"):
            body["user"] = os.environ["DQA_USER"]
        # A key of this call alone: what is repeated on a bad line is answered as the first, and a block that says
        # again what it said yesterday counts again. The worker knows every test_id that it has.
        key = "block-" + uuid.uuid4().hex
        answer = _call("DQA", "POST", "/v1/selections/import", body, key, patience=60.0)
        problems = list(answer.get("problems") or [])
        return json.dumps(
            {
                "imported": answer.get("imported"),
                "already_known": answer.get("already_known"),
                "problems": problems[:20],
                "problems_in_all": len(problems),
                "style": missing or answer.get("style"),
            }
        )
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
