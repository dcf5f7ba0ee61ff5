"""The report in a real browser: no complaint, no request, nothing run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dqa.report.render import render
from tests.report.browser import CHROMIUM, screenshot, visit
from tests.report.example import example
from tests.report.test_render import HOSTILE

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"), pytest.mark.slow]


def test_the_watch_itself_sees_a_request_and_a_complaint(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("boo")</script>')
    seen = visit(page, tmp_path)
    assert seen.requests == ["http://127.0.0.1:9/x.png"]
    assert any("boo" in line for line in seen.console)


def test_a_report_of_hostile_text_is_quiet(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    evil = " ".join(HOSTILE) + "<script>console.error('ran')</script><img src='http://127.0.0.1:9/x'>"
    page.write_text(
        render([example(prompt=evil, reasoning=evil, advice=[evil]), example("wan21_07_base", good=False)], title=evil)
    )
    seen = visit(page, tmp_path)
    assert seen.console == []
    assert seen.requests == []
    assert "<article" in seen.document
    assert not re.search(r"<script|onerror=", re.sub(r">[^<]*<", "><", seen.document))


def test_it_draws_something_on_a_phone(tmp_path: Path) -> None:
    from PIL import Image

    page, out = tmp_path / "r.html", tmp_path / "r.png"
    page.write_text(render([example()]))
    screenshot(page, out, tmp_path, 500, 1600)
    with Image.open(out) as image:
        assert len(set(image.convert("L").resize((50, 160)).tobytes())) > 40
