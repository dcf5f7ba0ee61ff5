"""How long the deployment takes: cold and warm start, a second up, healing, a tool call, stop; and its memory.

    python benchmarks/deployment.py [--environments DIR]

Without ``--environments`` they are made anew (pip's own cache is not used), which is the cold start. Figures are wall
seconds on this machine; megabytes are resident memory of the process and its children.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from dqa.agenthost import local, runtime
from dqa.agenthost.runtime.health import free_port
from dqa.config import Settings

TOOL = '''
def nothing() -> str:
    """Does nothing.

    Returns:
        str: "ok".
    """
    return "ok"
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path)
    asked = parser.parse_args()
    os.environ["PIP_NO_CACHE_DIR"] = "1"
    top = Path(tempfile.mkdtemp(prefix="dqa-deployment-"))
    top.chmod(0o755)
    settings = Settings(home=top / "home", port=free_port())
    options = runtime.UpOptions(letta_port=free_port(), brain_port=free_port(), environment=asked.environments)
    try:
        print(json.dumps(measure(settings, options), indent=2))
    finally:
        runtime.down(settings, print_progress)
        shutil.rmtree(top)


def measure(settings: Settings, options: runtime.UpOptions) -> dict[str, Any]:
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_at_start": os.getloadavg()[0]}

    def up() -> None:
        runtime.up(settings, options, print_progress)
        local.deploy_agents(settings, runtime.connect(settings))

    found["first_up_s"] = timed(up)
    found["second_up_s"] = timed(up)
    found["tool_call_s"] = tool_call(runtime.connect(settings))
    found["memory_mb"] = memory(settings)
    found["letta_heals_s"] = timed(lambda: heal(settings, "letta"))
    found["down_s"] = timed(lambda: runtime.down(settings, print_progress))
    found["warm_up_s"] = timed(up)
    return found


def timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return round(time.perf_counter() - began, 1)


def tool_call(link: runtime.Connection) -> float:
    """Seconds that an empty tool takes, from the request to its answer; the best of three."""
    headers = {"Authorization": f"Bearer {link.letta_key}"}
    with httpx.Client(base_url=f"{link.letta_url}/v1", headers=headers, timeout=120, trust_env=False) as letta:
        tool = letta.put("/tools/", json={"source_code": TOOL}).raise_for_status().json()
        spent: list[float] = []
        for _ in range(3):
            began = time.perf_counter()
            body = {"source_code": TOOL, "args": {}, "name": "nothing"}
            answer = letta.post("/tools/run", json=body).raise_for_status().json()
            spent.append(time.perf_counter() - began)
            assert answer["status"] == "success", answer
        letta.delete(f"/tools/{tool['id']}")
    return round(min(spent), 2)


def memory(settings: Settings) -> dict[str, int]:
    resident: dict[str, int] = {}
    for entry in runtime.status(settings).processes:
        if entry.pid is not None:
            process = psutil.Process(entry.pid)
            family = [process, *process.children(recursive=True)]
            resident[entry.name] = sum(p.memory_info().rss for p in family) // 1_000_000
    return resident


def heal(settings: Settings, name: str) -> None:
    before = next(p for p in runtime.status(settings).processes if p.name == name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    while True:
        now = next(p for p in runtime.status(settings).processes if p.name == name)
        if now.phase == "healthy" and now.pid not in (None, before.pid):
            return
        time.sleep(0.2)


def print_progress(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
