#!/usr/bin/env python3
"""examples/lua/nginx in Debian's nginx with its Lua module, two workers."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import time

import hosts
from hosts import chat, check

MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")


def refusals_and_answers(host: hosts.Host) -> None:
    answer = chat(host.port, key="")
    check(answer.status == 401 and "error" in json.loads(answer.body), f"no key: {answer}")
    answer = chat(host.port)
    check(answer.status == 200, f"plain: {answer}")
    check(json.loads(answer.body)["usage"]["completion_tokens"] == 20, f"usage: {answer}")
    check("x-ratelimit-remaining-tokens" in answer.headers, f"headers: {answer}")
    check(host.ptu.stats() != host.payg.stats(), "one provider was asked, by priority")
    answer = chat(host.port, stream=True)
    check(answer.status == 200 and answer.body.rstrip().endswith("data: [DONE]"),
          f"stream: {answer}")
    check('"usage":{' not in answer.body.replace('"usage":null', ""),
          f"a usage that the client did not ask for: {answer}")


def retries(host: hosts.Host) -> None:
    host.ptu.control(faults=["status=500"])
    answer = chat(host.port)
    check(answer.status == 200, f"500, then the other provider: {answer}")
    host.ptu.control(faults=["throttle=2s"])
    answer = chat(host.port, stream=True)
    check(answer.status == 200 and "[DONE]" in answer.body, f"429, then the other: {answer}")
    host.ptu.control(faults=[])
    host.ptu.stop()
    time.sleep(2.1)
    answer = chat(host.port)
    check(answer.status == 200, f"no connection, then the other: {answer}")
    host.payg.control(faults=["status=500"])
    answer = chat(host.port)
    check(answer.status >= 500 and "error" in json.loads(answer.body), f"none left: {answer}")
    host.payg.control(faults=[])
    host.ptu = hosts.Provider("ptu-secret", host.ptu.port)


def one_limit_for_all_workers(host: hosts.Host) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: chat(host.port, key="sk-blue"), range(60)))
    admitted = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    check(len(admitted) + len(refused) == 60, f"{[answer.status for answer in answers]}")
    used = sum(json.loads(answer.body)["usage"]["total_tokens"] for answer in admitted)
    check(0 < used <= 900 and refused, f"{used} tokens of 900 in {len(admitted)} answers")
    check("retry-after" in refused[0].headers, f"{refused[0]}")


def reload_keeps_counts(host: hosts.Host) -> None:
    rounds = 20 if os.environ.get("WEIR_LONG") else 2
    for _ in range(rounds):
        host.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        answer = chat(host.port, key="sk-blue")
        check(answer.status == 429, f"after a reload: {answer}")


def clients_that_leave_are_settled(host: hosts.Host) -> None:
    body = json.dumps({"model": "gpt-4o", "max_tokens": 30, "stream": True,
                       "messages": [{"role": "user", "content": "Tell me about gates."}]})
    host.ptu.control(faults=["stall=3"])
    with socket.create_connection(("127.0.0.1", host.port)) as client:
        client.sendall(("POST /v1/chat/completions HTTP/1.1\r\nHost: weir\r\n"
                        "Authorization: Bearer sk-red\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        received = b""
        while b"data:" not in received:
            received += client.recv(4096)
    time.sleep(0.3)
    host.ptu.control(faults=[])
    record = json.loads((host.folder / "access.log").read_text().splitlines()[-1])
    check(record["weir"]["phase"] == "ended" and record["weir"]["stream"], f"{record}")
    check(record["weir"]["usage"]["completion"] < 20, f"only what passed is charged: {record}")


def workers_may_be_killed(host: hosts.Host) -> None:
    master = host.process.pid
    workers = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    time.sleep(0.5)
    answer = chat(host.port, key="sk-blue")
    check(answer.status == 429, f"after the workers were killed: {answer}")


def what_is_written(host: hosts.Host) -> None:
    # Each worker has its own.
    texts = [hosts.request(host.port, "GET", "/metrics").body for _ in range(50)]
    check(any("team-red" in text for text in texts), f"metrics: {texts[0][:400]}")
    hosts.check_ledger(host, "access.log", '"weir":{')
    lines = (host.folder / "access.log").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    check(all(record["weir"]["route"] == "chat" for record in records if record["weir"]),
          "routes")
    retried = [record for record in records if len(record["weir"].get("attempts", [])) == 2]
    check(len(retried) >= 3, f"{len(retried)} requests had two attempts")
    errors = (host.folder / "error.log").read_text()
    check("lua" not in errors.replace("lua_", ""), f"errors: {errors[-2000:]}")


def test(folder: pathlib.Path) -> None:
    host = hosts.Host(folder, "nginx", "nginx.conf", 8080)
    config = folder / "nginx.conf"
    path = f"$prefix/?.lua;{os.environ['LUAJIT_FOLDER']}/?.lua;;"
    config.write_text(config.read_text().replace("$prefix/?.lua;;", path))
    try:
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is its own user's alone
        host.start(["nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-g", f"daemon off; {user}"],
                   log="start.log")
        refusals_and_answers(host)
        retries(host)
        clients_that_leave_are_settled(host)
        one_limit_for_all_workers(host)
        what_is_written(host)
        workers_may_be_killed(host)
        reload_keeps_counts(host)
    finally:
        host.stop()
    print("nginx with Lua governs what it passes on")


if __name__ == "__main__":
    hosts.need(shutil.which("nginx") and MODULE.exists(), "no nginx with its Lua module")
    hosts.need(os.environ.get("WEIR_UPSTREAM"), "no simulated provider")
    hosts.run(test)
