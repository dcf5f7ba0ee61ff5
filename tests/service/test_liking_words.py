"""The sentence on a verdict's page fits what the preference channel really says."""

from __future__ import annotations

import numpy as np

from dqa.channels.preference import _words
from dqa.record import ChannelResult
from dqa.service.web.verdict import in_a_word
from dqa.taste.explain import Push
from dqa.taste.features import INDEX, NAMES
from dqa.testing import scripted_record


def test_what_the_channel_names_is_what_the_page_names() -> None:
    offset = np.zeros(len(NAMES))
    offset[INDEX["dimension:motion_smoothness"]] = -0.3
    evidence = [{"text": _words(Push("dimension:motion_smoothness", -0.4), offset)}]
    result = ChannelResult.model_validate({"status": "ok", "score": 0.2, "reason": "", "evidence": evidence})
    record = scripted_record("ev_x").model_copy(update={"channels": {"preference": result}, "prompt_adherence": 0.8})
    because = "because of lower motion smoothness than typical."
    said = f"It obeys the prompt (0.80); you will probably not like it (0.20), {because}"
    assert in_a_word(record) == said
