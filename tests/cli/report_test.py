"""weir report against a naive twin of it on random ledgers, and what it does with broken ones.

  report_test.py WEIR
"""

import collections
import csv
import html.parser
import io
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile

ODD = ["red", "", 'a "b"', "\u00e9\u4e2d", "=cmd()", "<script>alert(1)</script>",
       "x\u202ey", "\x1b[2J"]
PRICES = {"gpt-4o": (2500000, 1250000, 10000000), "mini": (150000, None, 600000), "odd": None}
failures = []


def check(what, good):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}")


def cost_of(price, prompt, cached, completion):
    """By the definition: each token at its price, rounded up once."""
    each_cached = price[0] if price[1] is None else price[1]
    millionths = (prompt - cached) * price[0] + cached * each_cached + completion * price[2]
    return (millionths + 999999) // 1000000


def exchange(chance):
    model = chance.choice(list(PRICES))
    made = {
        "weir": 1, "id": f"{chance.getrandbits(128):032x}",
        "time": f"2026-{chance.randint(10, 11)}-{chance.randint(1, 28):02}T"
                f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:00."
                f"{chance.randint(0, 999999):06}Z",
        "consumer": chance.choice(ODD), "route": "chat", "model": model,
    }
    if chance.random() < 0.2:
        made |= {"status": 429, "outcome": "refused", "latency": {"total_us": 100},
                 "limits": [{"limit": "shadowy", "admitted": False, "shadow": True, "cost": 1},
                            {"limit": chance.choice(["day", 'mo"nth']), "admitted": False}]}
        return made
    prompt, completion = chance.randint(0, 5000), chance.randint(0, 2000)
    cached = chance.randint(0, prompt)
    made |= {"backend": chance.choice(["ptu", "payg"]), "status": chance.choice([200, 200, 502])}
    made["outcome"] = "ok" if made["status"] == 200 else "reset"
    made["usage"] = {"prompt": prompt, "completion": completion, "cached": cached}
    price = PRICES[model]
    if price:
        row = {"model": model, "source": "policy", "input": price[0], "cached_input": price[1],
               "output": price[2]}
        made["cost"] = {"micro_usd": cost_of(price, prompt, cached, completion),
                        "price": {key: value for key, value in row.items() if value is not None}}
    else:
        made["cost"] = {"micro_usd": None}
    if chance.random() < 0.2:
        made["cache"] = {"result": "hit", "saved_prompt": 7, "saved_completion": 5,
                         "saved_micro_usd": 11}
    made["latency"] = {"total_us": int(chance.lognormvariate(12, 1)), "first_byte_us": 5}
    made["attempts"] = [{"backend": made["backend"], "status": made["status"], "sent_us": 1,
                         "utilization": chance.randint(0, 110)}]
    made["dimensions"] = {"team": chance.choice(ODD), "app": "search"}
    if chance.random() < 0.1:
        made["later_release"] = [{"deep": {"a": [1, "}"]}}]
    return made


def line_of(made):
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False)


def group_of(made, key):
    if key == "day":
        return made["time"][:10]
    if key in ("team", "app"):
        return made.get("dimensions", {}).get(key, made["consumer"])
    return made.get(key, "")


def twin(exchanges, keys):
    groups = collections.defaultdict(lambda: collections.defaultdict(int))
    for made in exchanges:
        sums = groups[tuple(group_of(made, key) for key in keys)]
        usage, cache = made.get("usage", {}), made.get("cache", {})
        sums["exchanges"] += 1
        sums["refused"] += made["outcome"] == "refused"
        sums["failed"] += made["outcome"] == "reset"
        for name in ("prompt", "completion", "cached"):
            sums[name] += usage.get(name, 0)
        sums["micro_usd"] += made.get("cost", {}).get("micro_usd") or 0
        sums["unknown_costs"] += "cost" in made and made["cost"]["micro_usd"] is None
        sums["cache_hits"] += bool(cache)
        sums["saved_tokens"] += 12 * bool(cache)
        sums["saved_micro_usd"] += 11 * bool(cache)
    return groups


def quantile_near(found, exchanges, q):
    times = sorted(made["latency"]["total_us"] for made in exchanges
                   if made["outcome"] != "refused")
    true = times[int(q * (len(times) - 1))]
    return abs(found - true) <= 0.04 * true + 1


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.fetched = collections.Counter(), []

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.fetched += [value for name, value in attributes if name in ("src", "href")]


def main(weir):
    def run(*words, code=0, text=None):
        done = subprocess.run([weir, "report", *words], capture_output=True, input=text)
        check(f"exit status of {words}: {done.returncode} {done.stderr[-300:]}",
              done.returncode == code)
        return done.stdout.decode()

    folder = tempfile.TemporaryDirectory()
    place = pathlib.Path(folder.name)
    chance = random.Random(7)
    exchanges = [exchange(chance) for _ in range(5000)]
    paths = [str(place / "a.jsonl"), str(place / "b.jsonl")]
    for path, part in zip(paths, (exchanges[:2000], exchanges[2000:])):
        pathlib.Path(path).write_text("".join(line_of(made) + "\n" for made in part))

    for keys in (["consumer"], ["team", "model"], ["day"], ["backend", "app"]):
        report = json.loads(run("--json", "--by", ",".join(keys), *paths))
        wanted = twin(exchanges, keys)
        found = {tuple(group["by"][key] for key in keys): group for group in report["groups"]}
        check(f"groups by {keys}", set(found) == set(wanted))
        for names, sums in wanted.items():
            for name, value in sums.items():
                check(f"{keys} {names} {name}", found[names][name] == value)
    whole = report["all"]
    for name, q in (("total_us_p50", 0.5), ("total_us_p95", 0.95), ("total_us_p99", 0.99)):
        check(name, quantile_near(whole[name], exchanges, q))
    check("times", report["first"] == min(made["time"] for made in exchanges))
    told = [made["attempts"][0]["utilization"] for made in exchanges
            if made.get("backend") == "ptu"]
    load = next(load for load in report["utilization"] if load["backend"] == "ptu")
    check("utilization", (load["answers"], load["sum_percent"], load["most_percent"]) ==
          (len(told), sum(told), max(told)))
    refused = collections.Counter(made["limits"][1]["limit"] for made in exchanges
                                  if made["outcome"] == "refused")
    check("refusals", report["refusals"] == refused)

    inside = [made for made in exchanges if "2026-10-05" <= made["time"] < "2026-11-02T12"]
    report = json.loads(run("--json", "--since", "2026-10-05", "--until", "2026-11-02T12", *paths))
    check("since and until", report["lines"] == len(inside))
    check("standard input", json.loads(run("--json", "-", text=pathlib.Path(paths[0]).read_bytes()))
          ["lines"] == 2000)
    report = json.loads(run("--json", "--unique", paths[0], paths[0]))
    check("each id once", (report["lines"], report["repeated"]) == (2000, 2000))

    rows = list(csv.reader(io.StringIO(run("--csv", "--by", "team", *paths), newline="")))
    sums = twin(exchanges, ["team"])
    check("csv", len(rows) == len(sums) + 1 and all(len(row) == len(rows[0]) for row in rows))
    for row in rows[1:]:
        check("no formula", row[0][:1] not in ("=", "+", "-", "@"))
        name = row[0].removeprefix("'")
        check(f"csv of {name!r}", int(row[rows[0].index("prompt")]) == sums[(name,)]["prompt"])
    table = run("--by", "team", *paths)
    check("nothing steers a terminal", "\x1b" not in table)
    check("one line a group", len(table.split("\n\n")[0].splitlines()) == len(sums) + 2)

    page = Page()
    text = run("--html", *paths)
    page.feed(text)
    check("the page fetches nothing and runs nothing",
          not page.fetched and page.tags["script"] == 0 and "http:" not in text
          and "https:" not in text)
    check("charts with tables behind them",
          page.tags["svg"] >= 6 and page.tags["details"] == page.tags["svg"])
    check("light and dark", "prefers-color-scheme:dark" in text and "@media print" in text)

    if sqlite_is_there(weir, paths[0], str(place / "x.sqlite")):
        data_base(run, place / "y.sqlite", paths, exchanges, whole)
    broken(run, place, exchanges[:200], chance)
    folder.cleanup()
    return 1 if failures else 0


def sqlite_is_there(weir, path, base):
    done = subprocess.run([weir, "report", "--sqlite", base, path], capture_output=True, text=True)
    if "without SQLite" in done.stderr:
        print("weir was built without SQLite: --sqlite is not tested")
        return False
    return True


def data_base(run, base, paths, exchanges, whole):
    for _ in range(2):  # the second time changes nothing
        run("--sqlite", str(base), *paths)
    with sqlite3.connect(base) as connection:
        found = connection.execute("SELECT count(*), sum(micro_usd), sum(prompt)"
                                   " FROM exchanges").fetchone()
        check("sqlite", found == (5000, whole["micro_usd"], whole["prompt"]))
        teams = connection.execute("SELECT value, count(*) FROM dimensions WHERE name = 'team'"
                                   " GROUP BY value").fetchall()
        check("dimensions", dict(teams) == collections.Counter(
            made["dimensions"]["team"] or None for made in exchanges if "dimensions" in made))
    check("sqlite elsewhere", run("--sqlite", "/no/such/folder/x", paths[0], code=1) == "")


def broken(run, place, exchanges, chance):
    """Poison lines, torn lines, lines written by somebody else, wrong costs."""
    path = place / "broken.jsonl"
    pieces, poison = [], 0
    for made in exchanges:
        line = line_of(made)
        kind = chance.randrange(5)
        if kind == 0:
            pieces.append(line[:chance.randrange(1, len(line))])  # with the next right behind it
            poison += 1
        elif kind == 1:
            odd = chance.choice(["garbage", "{}", '{"weir":2}', '{"weir":1,"id":"x"}'])
            pieces.append(odd + "\n")
            poison += 1
        elif kind == 2:
            line = json.dumps(made, indent=None, separators=(" , ", " : "))
        pieces.append(line + "\n")
    path.write_text("".join(pieces))
    report = json.loads(run("--json", str(path)))
    check("what is whole is counted", report["lines"] == len(exchanges))
    check(f"each poison line costs one: {report['poison']}, {poison}", report["poison"] == poison)

    path.write_text("".join(line_of(made) + "\n" for made in exchanges))
    run("--recompute", str(path))
    priced = next(made for made in exchanges if made.get("cost", {}).get("price"))
    priced["cost"]["micro_usd"] += 1
    path.write_text("".join(line_of(made) + "\n" for made in exchanges))
    run("--recompute", str(path), code=1)
    run(str(place / "nowhere"), code=1)
    run(code=2)
    run("--since", "yesterday", str(path), code=2)
    run("--by", "", str(path), code=2)
    empty = place / "empty"
    empty.write_text("")
    check("an empty ledger", json.loads(run("--json", str(empty)))["lines"] == 0)
    check("an empty page", "</html>" in run("--html", str(empty)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
