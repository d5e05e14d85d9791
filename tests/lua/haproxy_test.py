#!/usr/bin/env python3
"""examples/lua/haproxy in Debian's HAProxy, two threads with a Lua state each."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import hosts
from hosts import chat, check


def refusals_and_answers(host: hosts.Host) -> None:
    answer = chat(host.port, key="")
    check(answer.status == 401 and "error" in json.loads(answer.body), f"no key: {answer}")
    answer = chat(host.port)
    check(answer.status == 200, f"plain: {answer}")
    check(json.loads(answer.body)["usage"]["completion_tokens"] == 20, f"usage: {answer}")
    check("x-ratelimit-remaining-tokens" in answer.headers, f"headers: {answer}")
    answer = chat(host.port, stream=True)
    check(answer.status == 200 and answer.body.rstrip().endswith("data: [DONE]"),
          f"stream: {answer}")


def asked(provider: hosts.Provider) -> int:
    """The requests that it has seen."""
    return provider.stats()["requests"]


def next_request_goes_elsewhere(host: hosts.Host) -> None:
    before = asked(host.payg)
    host.ptu.control(faults=["throttle=30s"])
    answer = chat(host.port)
    check(answer.status == 429, f"throttled: {answer}")
    answer = chat(host.port)
    check(answer.status == 200, f"the other provider: {answer}")
    check(asked(host.payg) == before + 1, "the other provider was asked")
    host.payg.stop()
    answer = chat(host.port)
    check(answer.status == 503, f"no connection: {answer}")
    host.payg = hosts.Provider("payg-secret", host.payg.port)
    check(chat(host.port).status == 200, "it is back")


def one_limit_for_all_threads(host: hosts.Host) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: chat(host.port, key="sk-blue"), range(60)))
    admitted = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    check(len(admitted) + len(refused) == 60, f"{[answer.status for answer in answers]}")
    used = sum(json.loads(answer.body)["usage"]["total_tokens"] for answer in admitted)
    # More than the reservations of 42 tokens alone would let pass: what was used is settled.
    check(21 * 32 < used <= 900 and refused, f"{used} tokens of 900 in {len(admitted)} answers")
    check("retry-after" in refused[0].headers, f"{refused[0]}")


def reload_keeps_counts(host: hosts.Host) -> None:
    host.process.send_signal(signal.SIGUSR2)
    time.sleep(1)
    hosts.await_port(host.port)
    answer = chat(host.port, key="sk-blue")
    check(answer.status == 429, f"after a reload: {answer}")


def test(folder: pathlib.Path) -> None:
    host = hosts.Host(folder, "haproxy", "haproxy.cfg", 8080)
    config = folder / "haproxy.cfg"
    module = pathlib.Path(os.environ["LUA53_MODULE"]).parent
    config.write_text(config.read_text().replace(
        "global\n", f"global\n  lua-prepend-path {module}/?.so cpath\n"))
    try:
        host.start(["haproxy", "-W", "-f", "haproxy.cfg"], log="haproxy.log")
        refusals_and_answers(host)
        next_request_goes_elsewhere(host)
        one_limit_for_all_threads(host)
        hosts.check_ledger(host, "haproxy.log", "[info] ")
        reload_keeps_counts(host)
        written = (folder / "haproxy.log").read_text()
        check("runtime error" not in written, written)
        check('"outcome":"connect"' in written, f"weir is told of no connection: {written}")
    finally:
        host.stop()
    print("HAProxy with Lua governs what it passes on")


def lua_version() -> str:
    told = subprocess.run(["haproxy", "-vv"], capture_output=True, text=True).stdout
    match = re.search(r"Lua version : Lua (\d\.\d)", told)
    return match[1] if match else ""


if __name__ == "__main__":
    hosts.need(shutil.which("haproxy"), "no haproxy")
    hosts.need(lua_version() == "5.3", f"haproxy has Lua {lua_version() or 'not'}, not 5.3")
    hosts.need(os.environ.get("LUA53_MODULE"), "no module for Lua 5.3")
    hosts.need(os.environ.get("WEIR_UPSTREAM"), "no simulated provider")
    hosts.run(test)
