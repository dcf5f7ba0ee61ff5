"""Letta tool of the Tuner: the metrics, to session_state and archival memory."""

import json
import os
import time
import uuid
from urllib.parse import quote

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


def _block(label: str) -> dict:
    """A memory block of this agent, as the host has it now."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    return _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/core-memory/blocks/{label}")


def _step() -> dict:
    """The training step of this turn; trouble where it failed or was left out, so that nothing claims success."""
    steps = _returns("dpo_training_step")
    if not steps or steps[-1][1].get("error") or "training_step" not in steps[-1][1]:
        raise _Trouble("no training step succeeded in this turn", "nothing was written; see dpo_training_step")
    return steps[-1][1]


def _write(label: str) -> dict:
    """Has the worker set its own keys in a block; every other key, and the block's form, stay.

    The text is written only if nobody wrote in between, and made anew otherwise: the host has no other lock.
    """
    for _ in range(6):
        block = _block(label)
        body = {"label": label, "block": block.get("value") or ""}
        if os.environ.get("DQA_USER"):
            body["user"] = os.environ["DQA_USER"]
        made = _call("DQA", "POST", "/v1/tuner/blocks", body, "block-" + str(uuid.uuid4()))
        if made["block"] == block.get("value"):
            return {"updated": False, "keys": made["keys"]}
        if _block(label).get("value") == block.get("value"):
            try:
                _call("DQA_LETTA", "PATCH", f"/v1/blocks/{block['id']}", {"value": made["block"]})
            except _Trouble as trouble:
                if "409" not in trouble.args[0]:
                    raise
            else:
                return {"updated": True, "keys": made["keys"]}
        time.sleep(0.2)
    raise _Trouble(f"others write the block {label} all the time", "try again later: nothing was lost")


def _archive(entry: dict) -> bool:
    """Logs a step to this agent's archival memory, once."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    place = f"/v1/agents/{agent}/archival-memory"
    name = f"{os.environ.get('DQA_USER') or 'default'}: training step {entry['training_step']};"
    if _call("DQA_LETTA", "GET", f"{place}?search={quote(name)}&limit=1"):
        return False
    _call("DQA_LETTA", "POST", place, {"text": f"{name} {json.dumps(entry)}", "tags": ["training"]})
    return True


def log_training_metrics() -> str:
    """Log the step's metrics to archival memory and to session_state. Last step; no arguments.

    Only after a successful dpo_training_step of the same turn.

    Returns:
        str: JSON: the Tuner's output {"training_step", "loss", "new_patterns", "model_confidence", "archived"}.
            On failure {"error", "fix"}.
    """
    try:
        step = _step()
        written = [data for _, data in _returns("update_quality_standards")]
        if not written or written[-1].get("error"):
            raise _Trouble("quality_standards was not written in this turn", "nothing was logged; see that tool")
        _write("session_state")
        metrics = {name: step.get(name) for name in ("training_step", "loss", "new_patterns", "model_confidence")}
        archived = bool(step.get("new_choices")) and _archive(metrics)
        return json.dumps({**metrics, "new_choices": step.get("new_choices"), "archived": archived})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
