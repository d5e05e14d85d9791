"""ledger_test.py MODULE [NAME...]: weir_ledger in one nginx of several workers: a line of each
exchange, once, whatever becomes of it; through reloads and rotation; when the disk is full."""

import glob
import json
import os
import resource
import threading
import time

from support import (JSON_HEADERS, STREAM_HEADERS, Backend, Nginx, chat_answer, chat_chunk,
                     eventually, expect, policy, run_module_tests)

MODULE = ""
CANARY = "canary-in-the-prompt"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": CANARY}]}


def answering(arrival) -> None:
    arrival.answer(200, JSON_HEADERS, chat_answer("canary-in-the-answer"))


def with_ledger(document: dict, options: str = "", **config) -> Nginx:
    """Its workers' user is the test's, who rotates files there, and sets limits to processes."""
    nginx = Nginx(MODULE, document, **config)
    command = nginx.command()
    nginx.command = lambda: command + (["-g", "user root;"] if os.geteuid() == 0 else [])
    nginx.config["http"] = f"weir_ledger {nginx.path('ledger.jsonl')} {options};"
    return nginx


def lines_of(nginx: Nginx) -> list[dict]:
    """All lines but blank ones, of all files of the ledger."""
    texts = []
    for path in sorted(glob.glob(nginx.path("ledger.jsonl*"))):
        with open(path, encoding="utf-8") as file:
            texts += [line for line in file.read().split("\n") if line]
    return [json.loads(text) for text in texts]


def settled(nginx: Nginx, count: int) -> list[dict]:
    """The lines once there are so many: a line is written when nginx has done with the request."""
    eventually(lambda: True if len(lines_of(nginx)) >= count else None)
    lines = lines_of(nginx)
    expect(len(lines) == count, len(lines), "lines, not", count)
    expect(len({line["id"] for line in lines}) == count, "an id comes twice")
    return lines


def test_each_exchange_once() -> None:
    backend = Backend(answering)
    limit = {"calls": {"key": "consumer.id", "unit": "requests", "amount": 40, "per": "1h"}}
    with with_ledger(policy({"east": backend.url}, limit), workers=4) as nginx:
        asks = [nginx.ask(BODY) for _ in range(60)] + [nginx.ask(BODY, key="canary-key")]
        for ask in asks:
            ask.wait()
        nginx.ask(BODY, target="/no/such/route").wait()
        lines = settled(nginx, 62)
        statuses = [line["status"] for line in lines]
        expect([statuses.count(code) for code in (200, 429, 401, 404)] == [40, 20, 1, 1], statuses)
        for line in lines:
            if line["status"] != 200:
                expect("cost" not in line and line["outcome"] == "refused", line)
                continue
            price, usage = line["cost"]["price"], line["usage"]
            micro_usd = -(-(usage["prompt"] * price["input"] +
                            usage["completion"] * price["output"]) // 10**6)
            expect(line["cost"]["micro_usd"] == micro_usd == 175, line)
            expect(line["backend"] == "east" and line["consumer"] == "red", line)
        with open(nginx.path("ledger.jsonl"), encoding="utf-8") as file:
            text = file.read()
        for secret in ("canary", "vk-red", "authorization", "nginx tests"):
            expect(secret not in text, secret)
        expect(nginx.get("/metrics").body.find(b"weir_overhead_seconds_count{") > 0, "overhead")


def test_broken_streams_and_clients_that_leave() -> None:
    backend = Backend()
    with with_ledger(policy({"east": backend.url})) as nginx:
        ask = nginx.ask(BODY | {"stream": True})
        arrival = backend.take()
        arrival.head(200, STREAM_HEADERS)
        arrival.data(chat_chunk("Hello "))
        eventually(lambda: ask.body or None)
        arrival.break_off()
        ask.wait()
        ask = nginx.ask(BODY)
        arrival = backend.take()
        ask.hang_up()
        lines = settled(nginx, 2)
        expect(lines[0]["outcome"] == "reset" and lines[0]["stream"], lines[0])
        expect(lines[1]["status"] == 499, lines[1])


def test_reloads_and_rotation() -> None:
    backend = Backend(answering)
    with with_ledger(policy({"east": backend.url}), "rotate=8k every=1d", workers=3) as nginx:
        served, ends = [0] * 3, threading.Event()

        def load(index: int) -> None:
            while not ends.is_set():
                expect(nginx.ask(BODY).wait().status == 200, "a request failed")
                served[index] += 1

        threads = [threading.Thread(target=load, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.2)
            nginx.reload()
        ends.set()
        for thread in threads:
            thread.join()
        expect(sum(served) > 30, served)
        settled(nginx, sum(served))
        files = glob.glob(nginx.path("ledger.jsonl.*"))
        expect(len(files) > 1, files)


def limit_files(nginx: Nginx, size: int) -> None:
    """A limit on file sizes stands for a full disk."""
    for worker in nginx.workers():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_full_disk() -> None:
    backend = Backend(answering)
    document = policy({"east": backend.url})
    with with_ledger(document, "full=refuse spool=64k", workers=1) as nginx:
        limit_files(nginx, 2000)
        served = 0
        while nginx.ask(BODY).wait().status == 200:
            served += 1
            expect(served < 1000, "it never refuses")
        asks = backend.count
        expect(served > 10 and nginx.ask(BODY).wait().status == 503, served)
        expect(backend.count == asks, "a backend was asked")
        limit_files(nginx, resource.RLIM_INFINITY)
        expect(eventually(lambda: nginx.ask(BODY).wait().status == 200 or None), "still refuses")
        nginx.stop()
        with open(nginx.path("ledger.jsonl"), encoding="utf-8") as file:
            text = [line for line in file.read().split("\n") if line.endswith("}")]
        expect(len(text) == served + 1, len(text), "lines of", served + 1)


def test_faults() -> None:
    for options, why in (("ledger.jsonl", "needs an absolute path"),
                         ("/no/such/folder/ledger.jsonl", "/no/such/folder"),
                         ("/dev/null", "not a regular file"),
                         ("/tmp/x rotat=1", 'no option "rotat=1"'),
                         ("/tmp/x full=block", 'no option "full=block"'),
                         ("/tmp/x every=0", 'no option "every=0"')):
        document = policy({"east": "http://127.0.0.1:9"})
        nginx = Nginx(MODULE, document, http=f"weir_ledger {options};")
        told = nginx.check()
        nginx.close()
        expect(told.returncode != 0 and why in told.stderr, options, told.stderr)


if __name__ == "__main__":
    run_module_tests(globals())
