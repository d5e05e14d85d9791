"""weir report beside what people use otherwise: Python's json, and jq where there is one.

  bench/report_bench.py WEIR [MEGABYTES]

Times are of the processor, the best of three, so that other work on the machine does not count.
"""

import collections
import json
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile


def line_of(chance):
    prompt, completion = chance.randint(10, 4000), chance.randint(1, 1500)
    backend = chance.choice(["ptu-east", "payg-west"])
    made = {
        "weir": 1, "id": f"{chance.getrandbits(128):032x}",
        "time": f"2026-11-{chance.randint(1, 28):02}T07:42:27.{chance.randint(0, 999999):06}Z",
        "consumer": f"team-{chance.randint(1, 40)}", "route": "chat", "operation": "chat",
        "stream": True, "model": "gpt-4o", "served": "gpt-4o-2024-08-06", "backend": backend,
        "status": 200, "outcome": "ok",
        "usage": {"prompt": prompt, "completion": completion, "cached": 0, "reasoning": 0,
                  "prompt_provenance": "provider", "completion_provenance": "provider"},
        "cost": {"micro_usd": (prompt * 25 + completion * 100 + 9) // 10,
                 "price": {"model": "gpt-4o", "source": "policy", "input": 2500000,
                           "output": 10000000}},
        "latency": {"total_us": chance.randint(100000, 9000000), "first_byte_us": 456789},
        "attempts": [{"backend": backend, "status": 200, "outcome": "ok", "sent_us": 120,
                      "took_us": 50300}],
        "limits": [{"limit": "per-consumer", "admitted": True, "cost": 1540, "before": 20000,
                    "amount": 50000, "remaining": 28460}],
        "dimensions": {"team": chance.choice(["red", "blue"]), "app": "search"},
    }
    return json.dumps(made, separators=(",", ":")) + "\n"


def seconds_of(command):
    """(processor seconds, output)"""
    best, output = None, b""
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = took if best is None else min(best, took)
    return best, output


NAIVE = """
import collections, json, sys
sums = collections.Counter()
for line in open(sys.argv[1], "rb"):
    made = json.loads(line)
    sums[made["consumer"]] += made["cost"]["micro_usd"]
print(json.dumps(sums))
"""


def main(weir, megabytes="100"):
    wanted = int(megabytes) * 1000000
    chance = random.Random(1)
    block = "".join(line_of(chance) for _ in range(20000))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "ledger.jsonl"
        with path.open("w") as out:
            while out.tell() < wanted:
                out.write(block)
        size = path.stat().st_size / 1e6
        commands = {
            "weir report": [weir, "report", "--json", str(path)],
            "weir report --by team,model,day": [weir, "report", "--json", "--by", "team,model,day",
                                                str(path)],
            "weir report --html": [weir, "report", "--html", str(path)],
            "Python's json, one sum": [sys.executable, "-c", NAIVE, str(path)],
        }
        if shutil.which("jq"):
            commands["jq, one field"] = ["jq", ".cost.micro_usd", str(path)]
        outputs = {}
        for name, command in commands.items():
            seconds, outputs[name] = seconds_of(command)
            print(f"{name:34} {size / seconds:8.0f} MB/s")
        groups = json.loads(outputs["weir report"])["groups"]
        ours = {group["by"]["consumer"]: group["micro_usd"] for group in groups}
        if ours != collections.Counter(json.loads(outputs["Python's json, one sum"])):
            sys.exit("the sums differ")


if __name__ == "__main__":
    main(*sys.argv[1:])
