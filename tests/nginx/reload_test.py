"""reload_test.py MODULE: nginx is reloaded again and again under load, then a worker is killed: no
request fails, the counters go on, and the master's memory stays as it is. 100 reloads; with
WEIR_LONG set 10,000."""

import json
import os
import signal
import sys
import threading
import time

from support import JSON_HEADERS, Backend, Nginx, chat_answer, eventually, long_form, policy

RELOADS = 10_000 if long_form() else 100
WORKERS = 2
CLIENTS = 4
WARM_UP = 50  # reloads before memory is looked at
MAX_GROWTH_KIB = 1024
MAX_OLD_WORKERS = 8  # a reload waits while so many end their requests


class Load:
    """Clients that ask one after the other."""

    def __init__(self, nginx: Nginx):
        self.nginx = nginx
        self.served = 0
        self.faults: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                ask = self.nginx.ask().wait()
                fault = None if ask.status == 200 and ask.complete else f"status {ask.status}"
            except OSError as error:
                fault = str(error)
            if fault is None:
                self.served += 1  # under the interpreter's lock
            else:
                self.faults.append(fault)
            time.sleep(0.01)

    def end(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


def rss_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def reload(nginx: Nginx) -> None:
    before = set(children(nginx.process.pid))
    nginx.process.send_signal(signal.SIGHUP)
    eventually(lambda: True if len(set(children(nginx.process.pid)) - before) >= WORKERS else None,
               20)
    eventually(lambda: True if len(children(nginx.process.pid)) <= MAX_OLD_WORKERS else None, 20)


def used(nginx: Nginx) -> int:
    """How many requests the limit has counted, as an answer tells."""
    ask = nginx.ask().wait()
    return 10**6 - int(ask.header("x-ratelimit-remaining-requests"))


def kill_a_worker(nginx: Nginx, load: Load) -> None:
    """Costs its own requests at most: of each client the one under way."""
    victim = nginx.workers()[0]
    os.kill(victim, signal.SIGKILL)
    new = eventually(lambda: True if victim not in nginx.workers() and
                     len(nginx.workers()) >= WORKERS else None, 10)
    assert new, "no worker takes the place of the one that was killed"
    time.sleep(0.3)
    assert len(load.faults) <= CLIENTS, load.faults[:10]


def main(module: str) -> int:
    backend = Backend(lambda arrival: arrival.answer(200, JSON_HEADERS, chat_answer()))
    limit = {"calls": {"key": "consumer.id", "unit": "requests", "amount": 10**6, "per": "1h"}}
    with Nginx(module, policy({"east": backend.url}, limit), workers=WORKERS) as nginx:
        master = nginx.process.pid
        load = Load(nginx)
        begun = time.monotonic()
        try:
            warm = files = 0
            for i in range(RELOADS):
                if i == min(WARM_UP, RELOADS // 2):
                    warm, files = rss_kib(master), open_files(master)
                reload(nginx)
            took = time.monotonic() - begun
            grown, more_files = rss_kib(master) - warm, open_files(master) - files
            reload_faults = len(load.faults)
            kill_a_worker(nginx, load)
        finally:
            load.end()
        asked = load.served + len(load.faults)
        counted = used(nginx) - 1
        print(json.dumps({"reloads": RELOADS, "seconds": round(took, 1), "requests": load.served,
                          "failed": reload_faults, "failed_by_kill": len(load.faults),
                          "counted": counted, "rss_grown_kib": grown, "rss_kib": warm,
                          "files_more": more_files}))
        assert reload_faults == 0, load.faults[:10]
        assert load.served <= counted <= asked, (load.served, counted, asked)
        assert grown <= MAX_GROWTH_KIB, f"the master has grown by {grown} KiB"
        assert more_files <= 4, f"the master has {more_files} more files open"
        assert "exited on signal 11" not in nginx.errors(), nginx.errors()[-2000:]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
