"""Letta tool of the Director: asks the Cameraman for a clip and its verdict."""

import json
import os
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


def _ask(name: str, text: str, tool: str, patience: float) -> dict:
    """What ``tool`` returned when another agent was asked. A turn that ends without it is repeated once."""
    found = _call("DQA_LETTA", "GET", f"/v1/agents/?name={name}&tags=dqa&limit=5")
    agents = [agent for agent in found if agent.get("name") == name]
    if not agents:
        raise _Trouble(f"there is no agent {name}", "run: dqa agents deploy")
    said = ""
    for _ in range(2):
        # Never posted again for want of an answer: that would be a second turn beside the first.
        body = {"messages": [{"role": "user", "content": text}]}
        answer = _call("DQA_LETTA", "POST", f"/v1/agents/{agents[0]['id']}/messages", body, patience=patience)
        messages = answer.get("messages") or []
        for message in reversed(messages):
            returned = message.get("message_type") == "tool_return_message" and message.get("name") == tool
            if returned and message.get("status") == "success":
                data = json.loads(message.get("tool_return") or "null")
                if isinstance(data, dict):
                    return data
        said = " ".join(str(m.get("content")) for m in messages if m.get("message_type") == "assistant_message")[:300]
    what = f"{name} ended its turn without {tool}, twice" + (f"; it said: {said}" if said else "")
    raise _Trouble(what, "try again, or give the agent another model")


def _shot(text: str, number: int) -> dict:
    """The clip that the Cameraman made in one turn, with the verdict that he got for it."""
    request = f"Generate the clip for this prompt, then verify it.\nprompt: {json.dumps(text)}\nattempt: {number}"
    verdict = _ask("agent-dqa-cameraman", request, "verify_video", 3500.0)
    if verdict.get("error"):
        raise _Trouble(str(verdict["error"]), str(verdict.get("fix") or "try again"))
    return verdict


def ask_cameraman(prompt: str, attempt: int = 1) -> str:
    """Have the Cameraman generate a clip for a prompt and verify it. Then call decide_next.

    The Writer's prompt of this turn is taken as it is, and the attempts are counted, by the host's log.

    Args:
        prompt (str): The prompt that the Writer handed over, word for word.
        attempt (int): 1 for the first clip, one more for each refinement.

    Returns:
        str: JSON: the verdict on the clip: {"id", "video_id", "grade", "action", "reasoning", "advice", ...}.
            On failure {"error", "fix"}.
    """
    try:
        log = _returns("ask_writer", "ask_cameraman")
        written = [data for name, data in log if name == "ask_writer"]
        if written and not written[-1].get("prompt"):
            raise _Trouble(str(written[-1].get("error") or "no prompt"), str(written[-1].get("fix") or ""))
        text = str(written[-1]["prompt"]) if written else prompt
        if not text.strip():
            raise _Trouble("there is no prompt", "call ask_writer first")
        number = 1 + sum(name == "ask_cameraman" for name, _ in log) if written else int(attempt or 1)
        return json.dumps({**_shot(text, number), "attempt": number, "prompt": text})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
