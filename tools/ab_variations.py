"""Letta tool of the Director: two clips of one prompt, for the user to choose between."""

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


def _block(label: str) -> dict:
    """A memory block of this agent, as the host has it now."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    return _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/core-memory/blocks/{label}")


def _delivered() -> str:
    """The prompt of the clip that was delivered last, by the host's log; empty where there is none."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    found = _call("DQA_LETTA", "GET", f"/v1/agents/{agent}/messages?limit=200&order=desc")
    if found and str(found[0].get("date")) > str(found[-1].get("date")):
        found = found[::-1]  # 0.16.8 gives the newest page oldest first, whatever the order asked for
    for message in reversed(found):
        if message.get("message_type") == "tool_return_message" and message.get("name") == "deliver_video":
            try:
                prompt = json.loads(message.get("tool_return") or "{}").get("prompt")
            except (ValueError, AttributeError):
                continue
            if prompt:
                return str(prompt)
    return ""


def _announced(a: str, b: str) -> dict:
    """Has the worker set the test in the block ab_testing; every other key stays.

    The text is written only if nobody wrote in between, and made anew otherwise: the host has no other lock.
    """
    test = "test_" + uuid.uuid4().hex[:24]
    for _ in range(6):
        block = _block("ab_testing")
        body = {"block": block.get("value") or "", "a": a, "b": b, "test_id": test}
        made = _call("DQA", "POST", "/v1/pairs/block", body)
        if _block("ab_testing").get("value") == block.get("value"):
            try:
                _call("DQA_LETTA", "PATCH", f"/v1/blocks/{block['id']}", {"value": made["block"]})
            except _Trouble as trouble:
                if "409" not in trouble.args[0]:
                    raise
            else:
                return {"test_id": test, "choose": made["choose"]}
        time.sleep(0.2)
    raise _Trouble("others write the block ab_testing all the time", "try again later: both clips are kept")


def ab_variations(wording: str = "") -> str:
    """Variations, versions or alternatives for an A/B test.

    Two clips of one prompt are made and verified, and the user gets the address of the page to choose between them.

    Args:
        wording (str): The prompt to vary, word for word. Empty for the prompt of the clip that was delivered last.

    Returns:
        str: JSON: {"test_id", "choose": the address of the page to choose on, "prompt", "a", "b"}, where a and b are
            {"id", "video_id", "grade", "final"}. On failure {"error", "fix"}.
    """
    try:
        text = (wording or "").strip() or _delivered()
        if not text:
            raise _Trouble("there is no prompt to vary", "have a video made first, or give its prompt")
        made = [_shot(text, number) for number in (1, 2)]
        if made[0].get("video_id") == made[1].get("video_id"):
            raise _Trouble("the generator made the same clip twice", "give its workflow a seed slot: dqa comfy slots")
        test = _announced(str(made[0]["id"]), str(made[1]["id"]))
        sides = [{name: shot.get(name) for name in ("id", "video_id", "grade", "final")} for shot in made]
        return json.dumps({**test, "prompt": text, "a": sides[0], "b": sides[1]})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
