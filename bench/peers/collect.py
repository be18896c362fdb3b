"""Reads result lines from standard input and writes them, with the machine and the fastest variant of
each mode, as one JSON file: python collect.py OUT.json < lines"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import datetime, timezone


def cpu_name() -> str:
    """The processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main() -> None:
    results = [json.loads(line) for line in sys.stdin if line.startswith('{"mode"')]
    missing = {"train", "generate", "grpo"} - {r["mode"] for r in results}
    if missing:
        sys.exit(f"no result for {', '.join(sorted(missing))}: see the errors above")
    fastest: dict[str, dict] = {}
    for result in results:
        best = fastest.get(result["mode"])
        if best is None or result["seconds"]["median"] < best["seconds"]["median"]:
            fastest[result["mode"]] = result
    record = {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "load_average": round(os.getloadavg()[0], 2),
        },
        "fastest": {
            mode: {
                "variant": r["variant"],
                "seconds": r["seconds"]["median"],
                "tokens_per_s": r["tokens_per_s"]["median"],
            }
            for mode, r in fastest.items()
        },
        "results": results,
    }
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(record, out, indent=2)
        out.write("\n")
    print(json.dumps(record["fastest"], indent=2))


if __name__ == "__main__":
    main()
