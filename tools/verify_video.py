"""Letta tool of Director and Cameraman: asks the Verifier, returns the worker's verdict."""

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


def _verdict(record: dict, clip: str) -> dict:
    """The record as agents read it: the worker's own figures, nothing of a model's."""
    channels = record.get("channels") or {}
    scores = {name: result.get("score") for name, result in channels.items()}
    return {
        "id": record.get("id"),
        "video_id": clip,
        "grade": record.get("grade"),
        "final": record.get("final"),
        "action": record.get("action"),
        "prompt_adherence": record.get("prompt_adherence"),
        "semantic_score": scores.get("semantic"),
        "spatial_score": scores.get("spatial"),
        "benchmark_score": scores.get("benchmark"),
        "scores": scores,
        "reasoning": record.get("reasoning"),
        "advice": list(record.get("advice") or [])[:6],
        "profile": record.get("profile"),
    }


def _verified(clip: str, text: str) -> dict:
    """The Verifier's verdict, checked: only a record of the worker on this very clip and prompt counts."""
    request = f"Evaluate this clip and give the final verdict.\nmedia: {json.dumps(clip)}\nprompt: {json.dumps(text)}"
    answer = _ask("agent-dqa-verifier", request, "final_verdict", 850.0)
    if answer.get("error"):
        raise _Trouble(str(answer["error"]), str(answer.get("fix") or "try again"))
    record = _call("DQA", "GET", f"/v1/evaluations/{str(answer.get('id'))[:64]}")
    if not isinstance(record, dict) or str(record.get("prompt")).split() != text.split():
        raise _Trouble("the verdict belongs to another prompt", "ask again")
    if (record.get("reproduce") or {}).get("media") not in (None, clip):
        raise _Trouble("the verdict belongs to another clip", "ask again")
    return _verdict(record, clip)


def verify_video(media: str, prompt: str) -> str:
    """Verify, grade or evaluate one clip against its prompt: asks the Verifier agent and waits for its verdict.

    A turn of the Verifier without a verdict is repeated once, and never taken for one.

    Args:
        media (str): The clip: a media id of the worker (md_...), or a path under its configured roots.
        prompt (str): The prompt that the clip was made from, word for word.

    Returns:
        str: JSON: {"id", "grade", "final", "action", "prompt_adherence", "scores", "reasoning", "advice", ...}, the
            worker's own record. On failure {"error", "fix"}.
    """
    try:
        if not media.strip() or not prompt.strip():
            raise _Trouble("media and prompt are both needed", "give the clip's media id or path, and its prompt")
        return json.dumps(_verified(media.strip(), prompt))
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
