"""one_limit_test.py TARGET=FILE…: nginx with 4 workers, uvicorn with 8 and a Go proxy on one state
file and one policy. One limit of tokens holds across all of them while they are asked at once; then
a worker of nginx and one of uvicorn are killed amid requests.

Killed requests hold their tokens until the window is over, which is waited for, and their places
under a concurrency limit for a lease of ten minutes, which is not: weir's report on the file as of
twelve minutes later shows that they end.
"""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "nginx"))
from support import PEPPER, Ask, Nginx, eventually, key_hash, skip, unused_port  # noqa: E402

AMOUNT = 8000
FAST_TOKENS, SLOW_TOKENS = 20, 40  # of every answer
DEMAND = 3  # times the amount, at least
ROUNDS = 170  # of requests to every host
CLIENTS = 12
WINDOW_S = 60
SHORT_WINDOW_S = 3
WAIT_S = 20
LEASE_OVER_S = 720  # a lease may last a sixth longer
NGINX_WORKERS, PYTHON_WORKERS = 4, 8
SLOW_STREAMS = 12  # of each host whose worker is killed, or more until two have some

FAST, SLOW = "/v1/chat/completions", "/slow/v1/chat/completions"
HEADERS = [("authorization", "Bearer vk-red"), ("content-type", "application/json")]
PROVIDER = {"PROVIDER_KEY": "Bearer provider"}


def limit(amount: int, per_s: int) -> dict:
    """Nothing is admitted that could go above it: what is reserved is the most it can cost."""
    return {"key": "consumer.id", "unit": "tokens", "amount": amount, "per": f"{per_s}s",
            "reserve": {"prompt": "exact", "output": "max_tokens"}}


def policy(fast: str, slow: str) -> dict:
    return {
        "weir": 1, "pepper": PEPPER,
        "consumers": {"red": {"keys": [key_hash("vk-red")]}},
        "credentials": {"provider": {"header": "authorization",
                                     "value": {"env": "PROVIDER_KEY"}}},
        "backends": {name: {"url": url, "dialect": "openai", "credential": "provider"}
                     for name, url in (("fast", fast), ("slow", slow))},
        "pools": {name: {"members": [{"backend": name}]} for name in ("fast", "slow")},
        "limits": {"tpm": limit(AMOUNT, WINDOW_S), "burst": limit(10**6, SHORT_WINDOW_S),
                   "places": {"key": "consumer.id", "unit": "concurrency", "amount": 100}},
        "routes": [{"name": "fast", "match": {"path": FAST}, "pool": "fast", "limits": ["tpm"]},
                   {"name": "slow", "match": {"path": SLOW}, "pool": "slow",
                    "limits": ["burst", "places"]}],
    }


def start(stack: contextlib.ExitStack, port: int, *command: str) -> subprocess.Popen:
    """A program that is ended, with all that it started, when the test is."""
    process = subprocess.Popen(command, env=os.environ | PROVIDER, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(end, process)
    listens = eventually(lambda: process.poll() is not None or accepts(port) or None, WAIT_S)
    assert listens and process.poll() is None, f"{command} does not listen"
    return process


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        Ask(port, method="HEAD", target="/").hang_up()
        return True
    return False


def end(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Hosts:
    """The three hosts, on the policy and the state file of nginx's folder."""

    def __init__(self, stack: contextlib.ExitStack, programs: dict[str, str]):
        upstream = [programs["weir_upstream"], "--key", "provider", "--port"]
        fast, slow = unused_port(), unused_port()
        start(stack, fast, *upstream, str(fast), "--chunk-delay", "0", "--answer-tokens",
              str(FAST_TOKENS))
        start(stack, slow, *upstream, str(slow), "--chunk-delay", "100", "--answer-tokens",
              str(SLOW_TOKENS))
        self.nginx = Nginx(programs["weir_nginx"],
                           policy(f"http://127.0.0.1:{fast}", f"http://127.0.0.1:{slow}"),
                           PROVIDER, workers=NGINX_WORKERS)
        stack.enter_context(self.nginx)
        self.state = self.nginx.path("state")
        policy_path = self.nginx.path("policy.json")
        python, go = unused_port(), unused_port()
        self.python = start(stack, python, sys.executable, "-B", programs["weir_python"],
                            "--policy", policy_path, "--state", self.state, "--port", str(python),
                            "--workers", str(PYTHON_WORKERS))
        start(stack, go, programs["weir_go_proxy"], "-policy", policy_path, "-state", self.state,
              "-listen", f"127.0.0.1:{go}")
        self.ports = {"nginx": self.nginx.port, "python": python, "go": go}
        self.cli = programs["weir_cli"]

    def workers(self, host: str) -> list[int]:
        if host == "nginx":
            return self.nginx.workers()
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.python.pid)],
                             capture_output=True, text=True, check=False).stdout
        return [int(line.split()[0]) for line in out.splitlines() if "spawn_main" in line]

    def ask(self, host: str, path: str, words: int = 1, stream: bool = False) -> Ask:
        body = {"model": "gpt-4o", "max_tokens": SLOW_TOKENS if path == SLOW else FAST_TOKENS,
                "messages": [{"role": "user", "content": "Say hello." + " Again." * words}]}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return Ask(self.ports[host], json.dumps(body).encode(), target=path, headers=HEADERS)

    def report(self) -> dict:
        """What `weir state` says of the file."""
        out = subprocess.run([self.cli, "state", self.state, "--json"], capture_output=True,
                             check=True, timeout=10).stdout
        return json.loads(out)


def counter(report: dict, rule: str) -> dict:
    """The one counter of a rule; empty when nothing is booked in it."""
    found = [each for each in report["top"] if each["rule"] == rule]
    assert len(found) <= 1, f"{rule} has {len(found)} counters: {found}"
    return found[0] if found else {"used": 0, "reserved": 0}


def tokens_of(ask: Ask) -> int:
    """As the answer's usage states them."""
    if ask.header("content-type").startswith("application/json"):
        return json.loads(ask.body)["usage"]["total_tokens"]
    events = [line.removeprefix(b"data: ") for line in ask.body.splitlines() if line]
    assert events[-1] == b"[DONE]", ask.body
    return sum(usage["total_tokens"] for event in events[:-1]
               if (usage := json.loads(event).get("usage")))


def refuse_properly(ask: Ask) -> None:
    assert ask.status == 429, (ask.status, ask.body)
    assert 0 < int(ask.header("retry-after")) <= WINDOW_S + 6, ask.headers
    assert json.loads(ask.body)["error"]["message"], ask.body


def test_one_limit(hosts: Hosts) -> None:
    names = list(hosts.ports)
    begun = time.monotonic()

    def client(number: int) -> list[tuple[str, int]]:
        got = []
        for turn in range(number, ROUNDS * len(names), CLIENTS):
            # A client asks each host in turn, and each of them for answers and streams.
            host, stream = names[turn // CLIENTS % len(names)], turn % 2 == number // 2 % 2
            ask = hosts.ask(host, FAST, turn % 30, stream).wait(WAIT_S)
            assert ask.complete, (host, ask.status, ask.body)
            if ask.status != 200:
                refuse_properly(ask)
            got.append((host, tokens_of(ask) if ask.status == 200 else 0))
        return got

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        got = [each for answers in pool.map(client, range(CLIENTS)) for each in answers]
    took = time.monotonic() - begun
    admitted = collections.Counter(host for host, tokens in got if tokens)
    refused = collections.Counter(host for host, tokens in got if not tokens)
    used = sum(tokens for _, tokens in got)
    wanted = used * len(got) // admitted.total()
    print(json.dumps({"requests": len(got), "seconds": round(took, 1), "amount": AMOUNT,
                      "wanted": wanted, "used": used, "admitted": admitted, "refused": refused}))
    assert took < WINDOW_S, "the machine is too slow for this: more than one window has passed"
    assert wanted >= DEMAND * AMOUNT, wanted
    assert AMOUNT * 0.9 <= used <= AMOUNT, used
    assert set(admitted) == set(refused) == set(names), (admitted, refused)
    # The last answers may be settled a moment after their clients have them.
    booked = eventually(lambda: counter(hosts.report(), "tpm")["used"] == used or None)
    assert booked, (counter(hosts.report(), "tpm"), used)


def open_files(hosts: Hosts, host: str) -> dict[int, int]:
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in hosts.workers(host)}


def kill_a_worker_amid_streams(hosts: Hosts, host: str) -> list[Ask]:
    """Kills a worker that has some of the streams that are returned, but not all."""
    idle = open_files(hosts, host)
    asks, busy = [], []
    while len(busy) < 2 or len(asks) < SLOW_STREAMS:
        assert len(asks) < 10 * SLOW_STREAMS, f"{host}: one worker gets everything"
        asks.append(hosts.ask(host, SLOW, stream=True))
        assert eventually(lambda: asks[-1].times or None), f"{host}: a stream does not begin"
        busy = [pid for pid, count in open_files(hosts, host).items() if count > idle[pid]]
    os.kill(busy[0], signal.SIGKILL)
    return asks


def test_killed_workers(hosts: Hosts) -> None:
    import weir

    asks = {host: kill_a_worker_amid_streams(hosts, host) for host in ("nginx", "python")}
    lost = {host: sum(not ask.wait(WAIT_S).complete for ask in each)
            for host, each in asks.items()}
    print(json.dumps({"streams": {host: len(each) for host, each in asks.items()}, "lost": lost}))
    for host, each in asks.items():
        assert 0 < lost[host] < len(each), (host, lost)
        assert all(tokens_of(ask) > SLOW_TOKENS for ask in each if ask.complete)

    # Places are held for the requests of the killed alone; their tokens leave with the window.
    held = sum(lost.values())
    places = eventually(lambda: counter(hosts.report(), "places")["reserved"] == held or None)
    assert places, (counter(hosts.report(), "places"), lost)
    over = eventually(lambda: counter(hosts.report(), "burst")["used"] == 0 or None,
                      SHORT_WINDOW_S * 1.2 + 1)
    assert over, counter(hosts.report(), "burst")
    later = weir.Now(time.monotonic_ns() + LEASE_OVER_S * 10**9,
                     time.time_ns() + LEASE_OVER_S * 10**9)
    report = weir.state_report(hosts.state, now=later)
    assert report["leased"] == report["counters"] == 0, report

    for host in hosts.ports:
        for _ in range(NGINX_WORKERS):
            assert hosts.ask(host, SLOW).wait(WAIT_S).status == 200, host


def main(programs: dict[str, str]) -> None:
    needed = ("weir_nginx", "weir_python", "weir_go_proxy", "weir_upstream", "weir_cli")
    if missing := [name for name in needed if name not in programs]:
        skip("this build has no " + ", ".join(missing))
    try:
        import httpx  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        skip(str(error))
    with contextlib.ExitStack() as stack:
        hosts = Hosts(stack, programs)
        for host, count in (("nginx", NGINX_WORKERS), ("python", PYTHON_WORKERS)):
            assert len(hosts.workers(host)) == count, (host, hosts.workers(host))
        test_one_limit(hosts)
        test_killed_workers(hosts)


if __name__ == "__main__":
    main(dict(argument.split("=", 1) for argument in sys.argv[1:]))
