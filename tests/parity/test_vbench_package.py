"""Our VBench numbers against the ``vbench`` package's own functions, where DQA_TEST_VBENCH names a folder with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SITE = os.environ.get("DQA_TEST_VBENCH", "")
CLOSE = 1e-4


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not SITE, reason="set DQA_TEST_VBENCH to a folder as tests/parity/vbench_package.py describes")
def test_every_number_is_that_of_the_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.parity.vbench_package", SITE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    moving = told.pop("dynamic_degree")
    for numbers in told.values():
        assert len(numbers) == 4
        for ours, theirs in numbers.values():
            assert ours == pytest.approx(theirs, abs=CLOSE)
    assert [run["verdict"] for run in moving.values()] == [[0.0, 0.0], [1.0, 1.0]]
    for run in moving.values():
        ours, theirs = run["tops"]
        assert ours == pytest.approx(theirs, abs=CLOSE)
