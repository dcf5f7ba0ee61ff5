"""Letta tool of the Calibrator: hands over a corrected prompt."""

import json


def propose_edit(axis: str, wording: str, prompt: str, leave: bool = False) -> str:
    """Propose the correction of a prompt on one axis: checks its form, and ends the turn.

    Args:
        axis (str): The axis, exactly as the task names it; two joined by + where it names two.
        wording (str): The few words that are to make the difference; for two axes joined by " + ".
        prompt (str): The whole new prompt: changed where it concerns the axis, else word for word as it was.
        leave (bool): True where there is nothing left to try on this axis; wording and prompt are empty then.

    Returns:
        str: JSON: {"axis", "wording", "prompt"}, or {"axis", "leave": true}. On failure {"error", "fix"}.
    """
    name, said, text = str(axis or "").strip(), " ".join(str(wording or "").split()), str(prompt or "").strip()
    if not name:
        return json.dumps({"error": "the axis is missing", "fix": "name it as the task does"})
    if str(leave).lower() == "true":
        return json.dumps({"axis": name, "leave": True})
    if not any(char.isalnum() for char in text):
        return json.dumps({"error": "the prompt is empty", "fix": "give the whole new prompt, or leave the axis"})
    if len(text) > 4000:
        return json.dumps({"error": f"the prompt has {len(text)} characters", "fix": "keep it under 4000"})
    if not said:
        return json.dumps({"error": "the wording is empty", "fix": "give the words that make the difference"})
    return json.dumps({"axis": name, "wording": said, "prompt": text})
