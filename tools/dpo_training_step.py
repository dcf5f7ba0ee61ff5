"""Letta tool of the Tuner: one training step in the worker, which serialises them."""

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


def dpo_training_step() -> str:
    """Learn from the imported choices: one DPO step, done by the worker. Second step; no arguments.

    Steps of overlapping triggers wait for one another in the worker; without new choices nothing is trained.

    Returns:
        str: JSON: {"training_step", "loss", "new_patterns", "model_confidence", "new_choices", "choices_seen"}.
            On failure {"error", "fix"}.
    """
    try:
        read = _returns("read_user_selections")
        if not read or read[-1][1].get("error"):
            raise _Trouble("the choices were not read in this turn", "call read_user_selections first")
        body = {"user": os.environ["DQA_USER"]} if os.environ.get("DQA_USER") else {}
        # Repeating it is harmless: the worker consumes each choice in exactly one step.
        step = _call("DQA", "POST", "/v1/tuner/steps", body, "step-" + str(uuid.uuid4()), patience=600.0)
        names = ("training_step", "loss", "new_patterns", "model_confidence", "new_choices", "choices_seen")
        return json.dumps({name: step.get(name) for name in names})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
