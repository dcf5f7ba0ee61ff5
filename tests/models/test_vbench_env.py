"""The vbench package in its own environment: asked over a pipe, bounded in time, never believed without a look."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dqa.errors import ModelUnavailable, TookTooLong, UnavailableError
from dqa.models.vbench_env import environment as module
from dqa.models.vbench_env.client import VBenchError, VBenchRunner
from dqa.models.vbench_env.dimensions import NOT_FOR_ONE_CLIP, OFFICIAL
from dqa.models.vbench_env.environment import VBenchEnvironment, find_python, listing
from tests.conftest import CLIPS
from tests.models.vbench_stand_in import stand_in, told


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[VBenchRunner]:
    made = VBenchRunner(stand_in(tmp_path / "home"), timeout_s=60)
    yield made
    made.close()


def flicker(runner: VBenchRunner, folder: Path, text: str) -> float:
    return runner.measure(told(folder, text), "temporal_flickering")


def test_it_says_what_it_is_made_of(runner: VBenchRunner) -> None:
    hello = runner.hello()
    assert hello.versions["vbench"] == "0.1.5"
    assert hello.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")


def test_one_process_answers_clip_after_clip(runner: VBenchRunner, tmp_path: Path) -> None:
    assert [flicker(runner, tmp_path, text) for text in ("0.25", "0.75")] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise", "no frames"),
        ("nan", "number is nan"),
        ("empty", "no frame"),
        ("connect", "wanted to connect"),
        ("fetch", "wanted to download"),
        ("end", "process ended"),
    ],
)
def test_what_goes_wrong_there_is_said_in_words_and_the_next_clip_is_judged(
    runner: VBenchRunner, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(VBenchError, match=said) as caught:
        flicker(runner, tmp_path, text)
    assert str(tmp_path) not in caught.value.public()
    assert flicker(runner, tmp_path, "0.5") == 0.5


def test_a_dimension_that_it_lacks_is_an_error(runner: VBenchRunner, tmp_path: Path) -> None:
    with pytest.raises(VBenchError, match="No module named"):
        runner.measure(told(tmp_path, "1"), "background_consistency")


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    runner = VBenchRunner(stand_in(tmp_path / "home"), timeout_s=4)
    note = tmp_path / "pid"
    with pytest.raises(TookTooLong, match="temporal_flickering took longer than 4 s"):
        flicker(runner, tmp_path, f"hang {note}")
    if note.exists():  # on a very slow machine it had not come so far
        child = int(note.read_text() or 0)
        assert not child or not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    runner.close()


def test_secrets_of_ours_do_not_reach_it(runner: VBenchRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQA_TOKEN", "secret")
    assert flicker(runner, tmp_path, "environment") == 0.0


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"dimension": "other", "value": 1}', '{"value": 1}', "x" * 100_000]
)
def test_an_answer_out_of_form_is_never_a_number(tmp_path: Path, line: str) -> None:
    environment = stand_in(tmp_path / "home")
    environment.python.write_text(f"#!/bin/sh\nread -r asked\nprintf '%s\\n' '{line}'\nread -r more\n")
    runner = VBenchRunner(environment, timeout_s=60)
    with pytest.raises(VBenchError):
        flicker(runner, tmp_path, "0.5")
    runner.close()


def test_without_the_environment_it_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="dqa models vbench-env"):
        VBenchRunner(VBenchEnvironment(tmp_path)).hello()


def test_one_made_from_another_list_of_versions_is_not_ready(tmp_path: Path) -> None:
    environment = stand_in(tmp_path)
    assert environment.ready
    (environment.folder / "dqa.json").write_text('{"list": "other"}')
    assert not environment.ready
    with pytest.raises(ModelUnavailable, match="unfinished or of another version"):
        environment.require()


def test_each_dimension_without_weights_names_the_files(tmp_path: Path) -> None:
    blocked = stand_in(tmp_path).blocked()
    assert set(blocked) == set(OFFICIAL) - {"temporal_flickering"}
    assert "raft_model/models/raft-things.pth" in blocked["dynamic_degree"]
    assert "--non-commercial" in blocked["motion_smoothness"]
    assert "--non-commercial" in blocked["imaging_quality"]
    assert str(tmp_path) not in " ".join(blocked.values())


def test_opted_in_and_placed_it_can_run(tmp_path: Path) -> None:
    environment = stand_in(tmp_path, non_commercial=True)
    assert "amt_model/amt-s.pth" in environment.blocked()["motion_smoothness"]
    place = environment.weights / "amt_model" / "amt-s.pth"
    place.parent.mkdir()
    place.touch()
    assert "motion_smoothness" not in environment.blocked()


def test_the_sixteen_dimensions_are_all_named_once() -> None:
    assert len(OFFICIAL) + len(NOT_FOR_ONE_CLIP) == 16
    assert not set(OFFICIAL) & set(NOT_FOR_ONE_CLIP)


def test_the_scale_is_the_leaderboards() -> None:
    assert OFFICIAL["motion_smoothness"].score(0.9975) == 1.0
    assert OFFICIAL["motion_smoothness"].score(0.706) == 0.0
    assert OFFICIAL["subject_consistency"].score(0.5731) == pytest.approx(0.5)
    assert OFFICIAL["overall_consistency"].score(9.0) == 1.0
    quality = [one.weight for one in OFFICIAL.values() if one.needs == "video"]
    assert sum(quality) == pytest.approx(0.8)


def failing_pip(folder: Path, says: str) -> Path:
    """A "Python 3.11" whose venv works and whose pip complains."""
    python = folder / "python3.11"
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in *sys.version_info*) printf "3 11";; *venv*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python";;\n'
        f'*pip*) echo "{says}"; exit 1;; esac\n'
    )
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("says", "means"),
    [
        ("ERROR: No matching distribution found for vbench==0.1.5", "could not be fetched.*check the network"),
        ("ERROR: Failed building wheel for fairscale", "could not be installed.*see the log"),
    ],
)
def test_a_failed_install_says_why_and_leaves_nothing_that_looks_finished(
    tmp_path: Path, says: str, means: str
) -> None:
    environment = VBenchEnvironment(tmp_path / "home")
    steps: list[str] = []
    with pytest.raises(UnavailableError, match=means):
        environment.create(steps.append, python=failing_pip(tmp_path, says))
    assert not environment.ready
    assert any("vbench==0.1.5" in step for step in steps)
    assert says in environment.log.read_text()
    with pytest.raises(UnavailableError, match=means):  # taken up again, not from the start
        environment.create(lambda _: None, python=failing_pip(tmp_path, says))
    assert environment.log.read_text().count(says) == 2


def test_a_finished_one_is_kept_and_only_its_consent_changes(tmp_path: Path) -> None:
    environment = stand_in(tmp_path)
    environment.create(pytest.fail, non_commercial=True)
    assert environment.ready
    assert environment.non_commercial
    assert environment.remove()
    assert not environment.remove()
    assert environment.weights.exists()


def test_a_full_disk_is_found_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED_GB", 1e9)
    environment = VBenchEnvironment(tmp_path / "home")
    with pytest.raises(UnavailableError, match="GB are free"):
        environment.create(lambda _: None, python=failing_pip(tmp_path, ""))
    assert not environment.folder.exists()


def test_another_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"not a Python 3\.11"):
        find_python(tmp_path / "nothing")


def test_the_list_pins_what_vbench_needs() -> None:
    lines = listing()[0].read_text().split()
    for pin in ("numpy==1.26.4", "transformers==4.33.2", "torch==2.13.0"):
        assert pin in lines
    assert any(line.startswith("setuptools==80.") for line in lines)


@pytest.mark.slow
@pytest.mark.skipif("DQA_TEST_VBENCH_ENV" not in os.environ, reason="DQA_TEST_VBENCH_ENV names no state folder")
def test_the_real_package_judges_flicker_as_its_formula_says() -> None:
    import cv2
    import numpy as np

    from tests.observing import read_frames

    runner = VBenchRunner(VBenchEnvironment(Path(os.environ["DQA_TEST_VBENCH_ENV"])), timeout_s=250)
    clip = CLIPS / "wan21_01_base.mp4"
    frames = read_frames(clip)
    change = np.mean([np.abs(cv2.absdiff(a, b)).mean() for a, b in itertools.pairwise(frames)])
    assert runner.hello().versions["vbench"] == "0.1.5"
    # two decoders convert colours a little differently
    assert runner.measure(clip, "temporal_flickering") == pytest.approx((255 - change) / 255, abs=2e-3)
    runner.close()
