"""bench.py MODULE [--json] [--seconds N] [--rounds N]: nginx with weir against the same nginx
without it (plain proxy_pass), on loopback, by wrk: 1 KiB prompts, 4 KiB answers of a third nginx.

Both keep their connections to the backend, have one worker and log nothing. The policy counts the
prompt, holds three limits, picks one of two backends and settles by the answer's usage. Rounds
alternate; medians are told. Then memory: the same number of idle event streams through each, the
growth of the worker's private memory divided by it.

With --calls, what asking an embedder costs: every prompt is new, in a partition of a cache of its
own, so that nothing is found that would be compared; a policy whose embedder nobody asks stands
beside the same one with `weir_call`, over kept connections, to vectors of 1536 components (31 KB of
JSON)."""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "nginx"))
from support import (  # noqa: E402
    PEPPER, Ask, Backend, STREAM_HEADERS, chat_chunk, eventually, key_hash, skip, unused_port)

CONNECTIONS = 32
IDLE_STREAMS = 400
ANSWER_BYTES = 4096
PROMPT_BYTES = 1024

ORIGIN = """
daemon off; master_process on; worker_processes 1; pid {work}/origin.pid;
error_log {work}/origin.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {work}/b0; proxy_temp_path {work}/p0; fastcgi_temp_path {work}/f0;
  uwsgi_temp_path {work}/u0; scgi_temp_path {work}/s0;
  server {{ listen 127.0.0.1:{origin}; listen 127.0.0.1:{second};
    set $first '{first}'; set $rest '{rest}';
    location / {{ default_type application/json; return 200 $first$rest; }}
    location = /v1/embeddings {{ alias {work}/vector.json; error_page 405 =200 /vector.json; }}
    location = /vector.json {{ root {work}; default_type application/json; }} }}
}}
"""

GATEWAY = """
{load}
daemon off; worker_processes 1; pid {work}/{name}.pid; error_log {work}/{name}.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {work}/b1; proxy_temp_path {work}/p1; fastcgi_temp_path {work}/f1;
  uwsgi_temp_path {work}/u1; scgi_temp_path {work}/s1;
  upstream origin {{ server 127.0.0.1:{origin}; server 127.0.0.1:{second}; keepalive 64; }}
  upstream streams {{ server 127.0.0.1:{streams}; }}
  {main}
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""

PLAIN = """
location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
location /streams/ { proxy_pass http://streams/; proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_buffering off; }
"""

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer vk-bench"
wrk.body = [[%s]]
"""


NEW_PROMPTS = """
local before, after = wrk.body:match("^(.-)Tell me(.*)$")
local run, number = os.time(), 0
request = function()
  number = number + 1
  wrk.headers["x-part"] = run .. "-" .. number
  return wrk.format(nil, nil, nil, before .. run .. " " .. number .. after)
end
"""

CALL = """
location = /weir-call { internal; weir off; proxy_pass http://origin$weir_call_target;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
"""


def vector() -> str:
    components = [round(((i * 7919) % 2003 - 1001) / 25025, 16) for i in range(1536)]
    return json.dumps({"object": "list", "model": "small", "data": [
        {"object": "embedding", "index": 0, "embedding": components}]})


def cached(policy: dict) -> dict:
    policy["caches"] = {"faq": {
        "embedding": {"backend": "origin", "model": "small", "dimensions": 1536},
        "min_similarity": 0.99, "partition": ["request.headers['x-part']"], "guards": "none",
        "max_entries": 64, "max_bytes": "4MiB"}}
    for route in policy["routes"]:
        route["cache"] = "faq"
    return policy


def answer() -> str:
    frame = {"id": "c1", "object": "chat.completion", "model": "gpt-4o",
             "choices": [{"index": 0, "message": {"role": "assistant", "content": ""},
                          "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 220, "completion_tokens": 700, "total_tokens": 920}}
    words = "The quick brown fox jumps over the lazy dog and is gone. " * 100
    room = ANSWER_BYTES - len(json.dumps(frame))
    frame["choices"][0]["message"]["content"] = words[:room]
    return json.dumps(frame)


def prompt() -> str:
    words = "Tell me in a few words why the sky looks blue at noon and red in the evening. " * 20
    frame = {"model": "gpt-4o", "messages": [{"role": "user", "content": ""}]}
    frame["messages"][0]["content"] = words[:PROMPT_BYTES - len(json.dumps(frame))]
    return json.dumps(frame)


def policy(ports: dict[str, int]) -> dict:
    def limit(unit: str, per: str) -> dict:
        return {"key": "consumer.id", "unit": unit, "amount": 10**12, "per": per}

    def pool(*names: str) -> dict:
        return {"strategy": "weighted", "members": [{"backend": name} for name in names]}
    limits = {"calls": limit("requests", "1m"), "tokens": limit("tokens", "1m"),
              "day": limit("tokens", "1d")}
    return {
        "weir": 1, "pepper": PEPPER, "consumers": {"bench": {"keys": [key_hash("vk-bench")]}},
        "backends": {name: {"url": f"http://127.0.0.1:{port}", "dialect": "openai"}
                     for name, port in ports.items()},
        "pools": {"chat": pool("origin", "second"), "streams": pool("streams")},
        "limits": limits,
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
                    "limits": list(limits)},
                   {"name": "streams", "match": {"path": "/streams/v1/chat/completions"},
                    "pool": "streams", "limits": list(limits)}],
    }


class Server:
    """An nginx with one worker."""

    def __init__(self, work: str, name: str, config: str, port: int):
        path = os.path.join(work, f"{name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = subprocess.Popen(["nginx", "-c", path, "-p", work, "-e",
                                         os.path.join(work, f"{name}.log")])
        self.port = port
        if not eventually(self._answers):
            sys.exit(f"{name} did not start")

    def _answers(self) -> bool | None:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return None

    def worker(self) -> str:
        return subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True,
                              text=True, check=True).stdout.split()[0]

    def cpu_s(self) -> float:
        """Processor time that the worker has used."""
        with open(f"/proc/{self.worker()}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def private_bytes(self) -> int:
        with open(f"/proc/{self.worker()}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file
                       if line.startswith(("Private_Dirty", "Private_Clean")))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def wrk(server: Server, script: str, seconds: int) -> tuple[float, float, float]:
    """Requests per second, the 99th percentile in milliseconds, and the worker's processor time for
    a request in microseconds, which other load on the machine disturbs least."""
    before = server.cpu_s()
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s",
                          script, f"http://127.0.0.1:{server.port}/v1/chat/completions"],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"not all requests were served:\n{out}")
    rate = next(line for line in out.splitlines() if line.startswith("Requests/sec"))
    late = next(line for line in out.splitlines() if line.strip().startswith("99%")).split()[1]
    units = {"us": 1e-3, "ms": 1.0}
    unit = late[-2:] if late[-2:] in units else "s"
    requests = int(next(line for line in out.splitlines() if " requests in " in line).split()[0])
    return (float(rate.split()[1]), float(late.removesuffix(unit)) * units.get(unit, 1e3),
            (server.cpu_s() - before) / requests * 1e6)


def idle_stream_bytes(server: Server, body: str) -> float:
    """Opens streams, each after its first event, and looks at the worker's memory."""
    head = (f"POST /streams/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
            f"application/json\r\nAuthorization: Bearer vk-bench\r\nContent-Length: {len(body)}")

    def opened(count: int) -> list[socket.socket]:
        sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port))
            number = client.getsockname()[1]
            new = body.replace("Tell me", f"{number:<7}", 1)  # to a cache
            client.sendall(f"{head}\r\nx-part: {number}\r\n\r\n{new}".encode())
            received = b""
            while b"data: " not in received:
                received += client.recv(65536)
            sockets.append(client)
        return sockets
    warm = opened(100)
    before = server.private_bytes()
    idle = opened(IDLE_STREAMS)
    after = server.private_bytes()
    for client in warm + idle:
        client.close()
    return (after - before) / IDLE_STREAMS


def asks_embedder(server: Server) -> bool:
    """By what a new prompt's answer says of the cache."""
    ask = Ask(server.port, prompt().replace("Tell me", "Say it").encode(), headers=[
        ("content-type", "application/json"), ("authorization", "Bearer vk-bench"),
        ("x-part", "asks")]).wait()
    return "no_vector" not in (ask.header("x-weir-cache") or "no_vector")


def one_event(arrival) -> None:
    arrival.head(200, STREAM_HEADERS)
    arrival.data(chat_chunk("Hello"))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            skip(f"{program} is not installed")
    work = subprocess.run(["mktemp", "-d"], capture_output=True, text=True,
                          check=True).stdout.strip()
    os.chmod(work, 0o755)
    streams = Backend(one_event)
    names = ["plain", "weir"] + (["unasked", "asked"] if options.calls else [])
    ports = {name: unused_port() for name in ["origin", "second", *names]}
    shared = ports | {"work": work, "streams": streams.port}

    def write(name: str, text: str) -> str:
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)
        return os.path.join(work, name)

    def start(name: str, locations: str, document: dict | None = None) -> Server:
        load = main = ""
        if document is not None:
            path = write(f"{name}.json", json.dumps(document))
            load = f"load_module {os.path.abspath(options.module)};"
            main = f"weir_policy {path}; weir_state {work}/{name}.state; weir_keepalive 64;"
        return Server(work, name, GATEWAY.format(name=name, load=load, main=main, port=ports[name],
                                                 locations=locations, **shared), ports[name])
    write("vector.json", vector())
    scripts = {name: write(f"{name}.lua", SCRIPT % prompt()) for name in ("plain", "weir")}
    new = write("new.lua", SCRIPT % prompt() + NEW_PROMPTS)
    backends = {"origin": ports["origin"], "second": ports["second"], "streams": streams.port}
    origin = Server(work, "origin", ORIGIN.format(first=answer()[:2000], rest=answer()[2000:],
                                                  **shared), ports["origin"])
    servers = {"plain": start("plain", PLAIN),
               "weir": start("weir", "location / { weir on; }", policy(backends))}
    if options.calls:
        document = cached(policy(backends))
        scripts |= {"unasked": new, "asked": new}
        servers["unasked"] = start("unasked", "location / { weir on; }", document)
        servers["asked"] = start("asked", CALL + "weir_call /weir-call; location / { weir on; }",
                                 document)
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    try:
        for _ in range(options.rounds):
            for name, server in servers.items():
                results[name].append(wrk(server, scripts[name], options.seconds))
        if options.calls and [asks_embedder(servers[name])
                              for name in ("unasked", "asked")] != [False, True]:
            sys.exit("an embedder is asked where it should not be, or is not where it should")
        time.sleep(0.5)
        body = json.dumps(json.loads(prompt()) | {"stream": True})
        memory = {name: idle_stream_bytes(server, body) for name, server in servers.items()}
    finally:
        for server in [origin, *servers.values()]:
            server.stop()
        shutil.rmtree(work, ignore_errors=True)
    figures = {f"{name}_{what}": statistics.median(each[i] for each in results[name])
               for name in results for i, what in enumerate(("requests_per_s", "p99_ms", "cpu_us"))}
    figures["requests_ratio"] = statistics.median(
        b[0] / a[0] for a, b in zip(results["plain"], results["weir"]))
    figures["p99_ratio"] = figures["weir_p99_ms"] / figures["plain_p99_ms"]
    figures |= {f"{name}_idle_stream_bytes": round(value) for name, value in memory.items()}
    figures["idle_stream_added_bytes"] = round(memory["weir"] - memory["plain"])
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:26} {value:12.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
