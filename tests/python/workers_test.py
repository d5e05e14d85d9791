"""Several worker processes on one state file hold one limit."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import ANSWER, HEADERS, LONG, chat, engine, policy

import weir

WORKERS = 8
AMOUNT = 3000
LIMIT = {"tpm": {"key": "consumer.id", "unit": "tokens", "amount": AMOUNT, "per": "1h",
                 "reserve": {"prompt": "exact", "output": "max_tokens"}}}
COST = 12  # of each answer: what its usage says


def work(state, count):
    """Makes requests and prints how many tokens were answered."""
    running = engine(policy("http://a.test", limits=LIMIT), state_file=state)
    used = 0
    for _ in range(count):
        with running.transaction() as txn:
            action = txn.request("POST", "/v1/chat/completions", HEADERS,
                                 chat(max_tokens=4))
            if action.kind is weir.ActionKind.FORWARD:
                txn.response_head(200, {"content-type": "application/json"})
                txn.response_body(ANSWER)
                txn.response_end()
                used += COST
    print(used)


def start(state, count):
    return subprocess.Popen([sys.executable, "-B", __file__, "work", state, str(count)],
                            stdout=subprocess.PIPE, text=True)


class Workers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = str(pathlib.Path(folder.name) / "weir.state")

    def test_one_limit_for_all(self):
        workers = [start(self.state, 400 if LONG else 100) for _ in range(WORKERS)]
        used = sum(int(worker.communicate(timeout=60)[0]) for worker in workers)
        self.assertLessEqual(used, AMOUNT)
        # What a request reserves beyond its cost keeps others out at the very end.
        self.assertGreaterEqual(used, AMOUNT * 10 // 11 - 20 * COST * WORKERS)
        self.assertEqual({worker.returncode for worker in workers}, {0})

    def test_killed_workers_hold_nobody_up(self):
        victims = [start(self.state, 10**6) for _ in range(3)]
        time.sleep(0.5)
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
        self.assertEqual({victim.returncode for victim in victims}, {-signal.SIGKILL})
        begun = time.monotonic()
        worker = start(self.state, 50)
        worker.communicate(timeout=30)
        self.assertEqual(worker.returncode, 0)
        self.assertLess(time.monotonic() - begun, 10)

    def test_children_of_one_engine(self):
        running = engine(policy("http://a.test", limits=LIMIT), state_file=self.state)
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                with running.transaction() as txn:
                    action = txn.request("POST", "/v1/chat/completions", HEADERS,
                                         chat(max_tokens=1400))
                    time.sleep(0.5)  # all at once
                os._exit(0 if action.kind is weir.ActionKind.FORWARD else 1)
            children.append(child)
        passed = sum(os.waitpid(child, 0)[1] == 0 for child in children)
        self.assertEqual(passed, 2)


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], int(sys.argv[3]))
    else:
        unittest.main()
