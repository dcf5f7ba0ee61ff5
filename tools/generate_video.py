"""Letta tool of the Cameraman: the generator, which is the operator's ComfyUI, or a folder of clips in its place."""

import hashlib
import json
import os
import pathlib
import re
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


def _words(text: str) -> set:
    """The words that say what is to be seen."""
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3}


def _clips(folder: pathlib.Path) -> list:
    """(file, prompt it was made from) of every clip, by a manifest.jsonl in the folder or beside it."""
    made_for = {}
    manifests = [path for path in (folder / "manifest.jsonl", folder.parent / "manifest.jsonl") if path.is_file()]
    for manifest in manifests[:1]:
        for line in manifest.read_text(encoding="utf-8").splitlines():
            row = json.loads(line) if line.strip() else {}
            name = row.get("file") or row.get("media") or row.get("path") or ""
            made_for[pathlib.PurePath(str(name)).name] = str(row.get("prompt") or "")
    kinds = {".mp4", ".webm", ".mov", ".mkv", ".gif", ".webp"}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in kinds)
    return [(path, made_for.get(path.name, path.stem.replace("_", " "))) for path in files]


def _stand_in(folder: pathlib.Path, prompt: str, number: int) -> dict:
    """The clip of the folder whose own prompt is closest; a later attempt gives the next one."""
    wanted = _words(prompt)
    ranked = sorted(_clips(folder), key=lambda clip: (-len(wanted & _words(clip[1])), clip[0].name))
    if not ranked:
        raise _Trouble("the folder of clips is empty", "put clips into the folder that DQA_CLIPS names")
    path, made_for = ranked[(number - 1) % len(ranked)]
    source = "a clip from a folder that stands in for a video generator"
    return {"media": str(path), "attempt": number, "source": source, "made_for": made_for}


_PATIENCE_S = 2400.0  # longer than the worker waits for ComfyUI by default, so that its reason is heard first


def _generated(prompt: str, number: int) -> dict:
    """The clip that DQA's worker has made on the operator's ComfyUI: asked for once, then found again by its key."""
    body = {"prompt": prompt, "attempt": number, "wait": 20}
    if os.environ.get("DQA_USER"):
        body["user"] = os.environ["DQA_USER"]
    parts = [os.environ.get("LETTA_AGENT_ID", ""), _run() or str(uuid.uuid4()), prompt, str(number)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    until = time.monotonic() + _PATIENCE_S
    while True:
        made = _call("DQA", "POST", "/v1/generations", body, key, patience=40.0)
        if not isinstance(made, dict) or not made.get("id"):
            raise _Trouble("DQA's worker made nothing of the request", "see its log")
        if made.get("media_id"):
            told = {"media": made["media_id"], "attempt": number, "source": "ComfyUI"}
            return {**told, "seed": made.get("seed"), "generation": made["id"]}
        if time.monotonic() > until:
            _call("DQA", "DELETE", f"/v1/generations/{made['id']}")
            raise _Trouble(
                "the clip took longer than this tool may wait, and was cancelled", "make it shorter or smaller"
            )
        time.sleep(1.0)


def generate_video(prompt: str, attempt: int = 1) -> str:
    """Generate the clip for a prompt. Then call verify_video with the clip's media and the same prompt.

    The operator's ComfyUI makes it, which can take many minutes. Where none is configured, the clip whose own prompt is
    closest is taken from the operator's folder (DQA_CLIPS), and "source" says so.

    Args:
        prompt (str): The prompt, word for word.
        attempt (int): 1 for the first clip; a later attempt gives another one.

    Returns:
        str: JSON: {"media", "attempt", "source", ...}. On failure {"error", "fix"}.
    """
    try:
        number = max(1, int(attempt or 1))
        told = _call("DQA", "GET", "/v1/generations")
        if told.get("configured"):
            return json.dumps(_generated(prompt, number))
        folder = pathlib.Path(os.environ.get("DQA_CLIPS") or "?")
        if not folder.is_dir():
            what, _, fix = str(told.get("why") or "no video generator is configured").partition("; ")
            raise _Trouble(what, f"{fix.rstrip('.')}; or set DQA_CLIPS to a folder of clips".strip("; "))
        return json.dumps(_stand_in(folder, prompt, number))
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
