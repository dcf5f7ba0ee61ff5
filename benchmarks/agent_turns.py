"""How long the agents' turns take on the running deployment (``dqa up``), and what of that is not the worker's.

    python benchmarks/agent_turns.py --clips DIR [--rounds N]

DIR holds clips under a root of the service, with a manifest.jsonl of their prompts in it or beside it. The Verifier's
overhead is the wall time of its turn less the worker's own time, by the record. The Tuner runs without news.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from dqa.agenthost import runtime
from dqa.agenthost.letta import LettaHost
from dqa.agenthost.turn import ask_verifier
from dqa.config import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    link = runtime.connect(load_settings())
    host = LettaHost(link.letta_url, link.letta_key)
    worker = httpx.Client(base_url=link.service_url, headers={"Authorization": f"Bearer {link.service_token}"})
    places = (asked.clips / "manifest.jsonl", asked.clips.parent / "manifest.jsonl")
    lines = next(path for path in places if path.is_file()).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][: asked.rounds]
    overheads: list[float] = []
    for row in rows:
        began = time.perf_counter()
        path = str((asked.clips / row["file"]).absolute())
        verdict = ask_verifier(
            host, path, row["prompt"], lambda name: worker.get(f"/v1/evaluations/{name}").raise_for_status().json()
        )
        overheads.append(time.perf_counter() - began - verdict.record["timings_s"]["total"])
    tuner = host.agents("agent-dqa-tuner-sleeptime")[0]
    runs: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        host.send(tuner.id, "wake up", 300)
        runs.append(time.perf_counter() - began)
    found = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "verifier_overhead_s": {"median": statistics.median(overheads), "max": max(overheads), "n": len(overheads)},
        "tuner_without_news_s": {"median": statistics.median(runs), "max": max(runs), "n": len(runs)},
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
