"""The reference pages are what the code says now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts" / "write_reference.py")
assert SPEC is not None
assert SPEC.loader is not None
writer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(writer)


@pytest.mark.parametrize("page", writer.PAGES)
def test_the_page_is_up_to_date(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == writer.PAGES[page](), "run python scripts/write_reference.py"
