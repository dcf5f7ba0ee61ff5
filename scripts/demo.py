"""The main job on real clips: grade, rank, catch a frozen copy, serve the same verdict over HTTP, write a report.

Everything runs through the command `dqa`, as a user would; its state goes to .demo/.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import demo_agents

ROOT = Path(__file__).parents[1]
DEMO = ROOT / ".demo"
CLIPS = ROOT / "tests" / "data" / "clips"
DQA = Path(sys.executable).parent / "dqa"
PROMPT = "human girl talk to cute dragon, pixar, disney"
DESERT = "a desert with sand dunes at sunset"


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def dqa(*arguments: str, capture: bool = False) -> str:
    """Runs one `dqa` command, showing it; stops the demo if it fails."""
    print("$ dqa " + " ".join(f'"{a}"' if " " in a else a for a in arguments), flush=True)
    out = subprocess.PIPE if capture else None
    done = subprocess.run([str(DQA), *arguments], cwd=ROOT, env=ENV, text=True, stdout=out, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    return done.stdout or ""


def begin_anew() -> None:
    """An empty state folder, but for Letta's environments: 1.2 GB that are the same every time."""
    DEMO.mkdir(exist_ok=True)
    letta = (
        DEMO / "home" / "letta"
    ).resolve()  # under root's home it is a link to a folder that Letta's user can enter
    for folder, kept in ((DEMO, "home"), (DEMO / "home", "letta"), (letta, "environment")):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name != kept:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def graded(clip: Path, prompt: str) -> dict[str, Any]:
    """The record of one clip."""
    return json.loads(dqa("evaluate", str(clip), "--prompt", prompt, "--json", capture=True))


def frozen_copy(source: Path, target: Path) -> None:
    """The clip's first frame, as long as the clip: what a failed generation often looks like."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        frames = [frame for frame in given.decode(stream)]
        out = made.add_stream("libx264", rate=stream.average_rate)
        out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
        first = frames[0].to_ndarray(format="rgb24")
        for _ in frames:
            made.mux(out.encode(av.VideoFrame.from_ndarray(first, format="rgb24")))
        made.mux(out.encode())


def over_http(clip: Path, prompt: str) -> dict[str, Any]:
    """The same verdict from the service: starts it, asks it, stops it."""
    service = subprocess.Popen(
        [str(DQA), "serve", "--port", "0"],
        cwd=ROOT,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert service.stdout is not None
        url = json.loads(service.stdout.readline())["url"]
        print(f"$ dqa serve            # ready at {url}\n$ curl -X POST {url}/v1/evaluations ...", flush=True)
        body = json.dumps({"media": str(clip), "prompt": prompt, "wait": True}).encode()
        request = urllib.request.Request(
            f"{url}/v1/evaluations", body, {"Content-Type": "application/json", "Idempotency-Key": "demo"}
        )
        for _ in range(60):
            with urllib.request.urlopen(request, timeout=180) as answer:
                record = json.load(answer)
            if record.get("schema"):
                return record
            time.sleep(2)
        raise SystemExit("the service did not finish in time")
    finally:
        service.terminate()
        service.wait(timeout=30)


def main() -> None:
    begin_anew()
    base, flex = CLIPS / "wan21_07_base.mp4", CLIPS / "wan21_07_flex.mp4"
    desert, frozen = CLIPS / "cogvideox_0.mp4", DEMO / "frozen.mp4"

    say("1. Two generations of one prompt, and a frozen copy of one, ranked")
    frozen_copy(flex, frozen)
    report = DEMO / "report.html"
    dqa("evaluate", str(base), str(flex), str(frozen), "--prompt", PROMPT, "--report", str(report))

    say("2. The same clip against a prompt it was not made from")
    right = graded(desert, DESERT)
    wrong = graded(desert, "a sports car racing through a city street")
    for record in (right, wrong):
        semantic = record["channels"]["semantic"]["score"]
        shown = "abstained" if semantic is None else f"{semantic:.2f}"
        print(f"   {record['prompt']!r}: semantic {shown}, grade {record['grade']}, {record['action']}")

    say("3. The same verdict over HTTP")
    served = over_http(desert, DESERT)
    same = (served["final"], served["grade"]) == (right["final"], right["grade"])
    told = "equal" if same else "NOT EQUAL"
    print(f"   {served['id']}: grade {served['grade']}, final {served['final']:.4f}: {told} to the command line's")

    say("4. And again from its record")
    dqa("reproduce", str(right["id"]))

    say("5. The agents on a real Letta server (the first time, some minutes to set up)")
    demo_agents.show(DEMO / "home")

    say("Done")
    print(f"   report: {report.relative_to(ROOT)} (open it in a browser; it needs no network)")
    if not same:
        sys.exit(1)


ENV = {**os.environ, "DQA_HOME": str(DEMO / "home"), "DQA_ROOTS": str(CLIPS)}

if __name__ == "__main__":
    main()
