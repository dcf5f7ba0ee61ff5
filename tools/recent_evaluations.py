"""Letta tool for conversation: what the worker judged last."""

import json
import os
import time
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


def recent_evaluations(limit: int = 1) -> str:
    """Look up the latest evaluations: to say why the last clip got its grade, or what was judged recently.

    Args:
        limit (int): How many, newest first, from 1 to 10.

    Returns:
        str: JSON: {"evaluations": [{"id", "prompt", "grade", "final", "action", "scores", "reasoning", "advice"}]}. On
            failure {"error", "fix"}.
    """
    try:
        count = max(1, min(10, int(limit or 1)))
        user = os.environ.get("DQA_USER", "")
        # Another user's clips are not what "my last one" means, and none of this user's business.
        own = f"&user={quote(user, safe='')}" if user else ""
        page = _call("DQA", "GET", f"/v1/evaluations?limit={count}{own}")
        items = [_verdict(item, (item.get("reproduce") or {}).get("media", "")) for item in page["items"]]
        for verdict, item in zip(items, page["items"], strict=True):
            verdict["prompt"] = item.get("prompt")
        return json.dumps({"evaluations": items})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
