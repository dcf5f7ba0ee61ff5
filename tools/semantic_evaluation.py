"""Letta tool of the Verifier: the semantic channel, by DQA's worker."""

import hashlib
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


def _run() -> str:
    """The id of the turn this tool is called in; empty where the Letta server can't be asked."""
    agent = os.environ.get("LETTA_AGENT_ID", "")
    try:
        found = _call("DQA_LETTA", "GET", f"/v1/runs/?agent_id={agent}&active=true&limit=1") if agent else []
    except _Trouble:
        return ""
    return str(found[0].get("id", "")) if isinstance(found, list) and found else ""


def _evaluate(clip: str, text: str, channel: str = "") -> dict:
    """The worker's record on this clip: asked for once a turn, then found again by its key.

    So the tools of one turn share one evaluation, a repeated call waits for the one under way, and the next turn
    looks at the clip afresh. Where the turn is unknown, only the channel that is needed is evaluated.
    """
    if not clip.strip() or not text.strip():
        raise _Trouble("media and prompt are both needed", "give the clip's media id or path, and its prompt")
    run = _run()
    body = {"media": clip.strip(), "prompt": text, "wait": 20}
    if os.environ.get("DQA_USER"):
        body["user"] = os.environ["DQA_USER"]
    if channel and not run:
        body["channels"] = [channel]
    turn = run or str(uuid.uuid4())
    parts = [os.environ.get("LETTA_AGENT_ID", ""), turn, clip.strip(), text, *body.get("channels", [])]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    until = time.monotonic() + float(os.environ.get("DQA_PATIENCE_S") or 600)
    while True:
        record = _call("DQA", "POST", "/v1/evaluations", body, key, patience=40.0)
        if not isinstance(record, dict) or not record.get("id"):
            raise _Trouble("DQA's worker made nothing of the request", "see its log")
        if record.get("channels"):
            return record
        if time.monotonic() > until:
            raise _Trouble("the evaluation takes longer than this tool may wait", "call the tool again: it goes on")
        time.sleep(1.0)


def _channel(record: dict, name: str) -> dict:
    """One channel of a record, short."""
    result = (record.get("channels") or {}).get(name) or {"status": "unavailable", "reason": "the profile has none"}
    parts = {part: value.get("score") for part, value in (result.get("dimensions") or {}).items()}
    return {
        "id": record.get("id"),
        "channel": name,
        "status": result.get("status"),
        "score": result.get("score"),
        "confidence": result.get("confidence"),
        "reason": str(result.get("reason"))[:600],
        "evidence": [str(item.get("text"))[:200] for item in list(result.get("evidence") or [])[:5]],
        **({"dimensions": parts} if parts else {}),
    }


def semantic_evaluation(media: str, prompt: str) -> str:
    """Evaluate one clip for what is in it, against its prompt. Then call spatial_evaluation.

    Args:
        media (str): The clip: a media id of the worker (md_...), or a path under its configured roots.
        prompt (str): The prompt that the clip was made from, word for word.

    Returns:
        str: JSON: {"id", "channel", "status", "score", "confidence", "reason", "evidence"}; the score is
            in [0, 1], or null where the channel could not judge. On failure {"error", "fix"}.
    """
    try:
        return json.dumps(_channel(_evaluate(media, prompt, "semantic"), "semantic"))
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
