"""Letta tool of the Cameraman: the generator. A folder of clips stands in for one."""

import json
import os
import pathlib
import re


class _Trouble(Exception):
    """What went wrong, and what to do about it, in words for the agent."""


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


def generate_video(prompt: str, attempt: int = 1) -> str:
    """Generate the clip for a prompt. Then call verify_video with the clip's media and the same prompt.

    Until a video generator is connected, the clip whose own prompt is closest is taken from the configured folder
    (DQA_CLIPS), and the answer says so.

    Args:
        prompt (str): The prompt, word for word.
        attempt (int): 1 for the first clip; a later attempt gives the next clip.

    Returns:
        str: JSON: {"media", "attempt", "source", "made_for"}. On failure {"error", "fix"}.
    """
    try:
        folder = pathlib.Path(os.environ.get("DQA_CLIPS") or "?")
        if not folder.is_dir():
            raise _Trouble("no video generator is configured", "set DQA_CLIPS to a folder of clips: dqa agents deploy")
        wanted = _words(prompt)
        ranked = sorted(_clips(folder), key=lambda clip: (-len(wanted & _words(clip[1])), clip[0].name))
        if not ranked:
            raise _Trouble("the folder of clips is empty", "put clips into the folder that DQA_CLIPS names")
        number = max(1, int(attempt or 1))
        path, made_for = ranked[(number - 1) % len(ranked)]
        source = "a clip from a folder that stands in for a video generator"
        return json.dumps({"media": str(path), "attempt": number, "source": source, "made_for": made_for})
    except _Trouble as trouble:
        what, fix = trouble.args
        return json.dumps({"error": what, "fix": fix})
    except Exception as problem:  # noqa: BLE001 - an agent needs words, not a traceback
        return json.dumps({"error": f"{type(problem).__name__}: {problem}", "fix": "tell the operator; see dqa doctor"})
