"""Letta tool of the Writer: hands over the finished prompt."""

import json


def submit_prompt(prompt: str, based_on: str = "brief") -> str:
    """Write a prompt and hand it over: checks it, and ends the turn.

    Args:
        prompt (str): The finished prompt: subject, action, setting, light, camera; one paragraph.
        based_on (str): "brief", or "brief and advice" when a verdict's advice was worked in.

    Returns:
        str: JSON: {"prompt", "based_on"}. On failure {"error", "fix"}.
    """
    text = " ".join(str(prompt or "").split())
    if not text or not any(char.isalpha() for char in text):
        return json.dumps({"error": "the prompt is empty", "fix": "describe what the video should show"})
    if len(text) > 4000:
        return json.dumps({"error": f"the prompt has {len(text)} characters", "fix": "keep it under 4000"})
    return json.dumps({"prompt": text, "based_on": str(based_on or "brief")})
