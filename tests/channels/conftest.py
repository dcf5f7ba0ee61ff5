"""The real clips graded once, for the tests that go on from what was found."""

from __future__ import annotations

import pytest

from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.record import EvaluationRecord
from tests.conftest import RealClip


@pytest.fixture(scope="session")
def graded(clips: list[RealClip], tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvaluationRecord]:
    """Each real clip's record by its id, of a user whose taste is not known: to be read only."""
    evaluator = Evaluator(Settings(home=tmp_path_factory.mktemp("graded")))
    return {clip.id: evaluator.evaluate(clip.path, clip.prompt) for clip in clips}
