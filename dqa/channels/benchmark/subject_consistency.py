"""Does the subject stay itself? VBench's subject_consistency, with the profile's image encoder in place of DINO."""

from __future__ import annotations

from dqa.channels.benchmark.consistency import judge, too_few
from dqa.channels.benchmark.view import Finding, View


def measure(view: View) -> Finding:
    """See :func:`dqa.channels.benchmark.consistency.judge`; features of whole frames."""
    return too_few(view, view.track) or judge(view, view.track, view.subject, "picture", view.likeness.subject)
