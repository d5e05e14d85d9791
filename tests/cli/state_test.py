"""state_test.py WEIR MAKE_STATE: `weir state`, asked as people and scripts do."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

WEIR, MAKE_STATE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
DONE, FAULTY, USAGE = 0, 1, 2


class StateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def made(self):
        subprocess.run([MAKE_STATE, self.path("state")], check=True)
        return "state"

    def weir(self, *arguments):
        run = subprocess.run([WEIR, "state", *arguments], cwd=self.folder, capture_output=True)
        return run.returncode, run.stdout.decode(), run.stderr.decode()

    def refused(self, status, error, *arguments):
        code, output, complaint = self.weir(*arguments)
        self.assertEqual((code, output), (status, ""), complaint)
        self.assertIn(error, complaint)
        self.assertEqual(complaint.count("\n"), 1)

    def test_table(self):
        code, output, error = self.weir(self.made())
        self.assertEqual((code, error), (DONE, ""))
        head, table = output.split("\n\n")
        self.assertIn("size       16.0 MiB, ", head)
        self.assertIn("slots      24,576, 4 with a key, 0 locked at this moment", head)
        self.assertIn("counters   4 in use, 1 with reservations outstanding", head)
        rows = table.splitlines()
        self.assertEqual(len({len(row) for row in rows}), 1, table)  # aligned
        cells = [re.split(r"  +", row.strip()) for row in rows]
        self.assertEqual(cells[0], ["RULE", "KEY", "ALGORITHM", "USED", "AMOUNT", "SHARE",
                                    "RESERVED", "RESET IN"])
        key = r"[0-9a-f]{16}"
        self.assertRegex(cells[1][1], key)
        shown = [row[:1] + row[2:7] for row in cells[1:4]]
        self.assertEqual(shown, [
            # What would steer a terminal is not passed on.
            ["budget ?[31m\u00e9", "calendar", "999,999", "1,000,000", "99.9%", "0"],
            ["places", "concurrency", "3", "4", "75.0%", "3"],
            ["tokens", "sliding_window", "250,000", "1,000,000", "25.0%", "0"]])
        self.assertEqual(cells[4][0::2][:2], ["burst", "token_bucket"])
        self.assertRegex(cells[4][3], r"^(100,000|9\d,\d{3})$")  # it refills meanwhile
        self.assertEqual(cells[1][7], "never")
        self.assertRegex(cells[2][7], r"^(9|10|11) min( \d+ s)?$")
        self.assertRegex(cells[3][7], r"^(59 min|1 h)")

    def test_json(self):
        code, output, _ = self.weir("--json", self.made())
        self.assertEqual(code, DONE)
        report = json.loads(output)
        self.assertEqual((report["slots_used"], report["counters"], report["leased"],
                          report["locked"]), (4, 4, 1, 0))
        self.assertEqual([counter["algorithm"] for counter in report["top"]],
                         ["calendar", "concurrency", "sliding_window", "token_bucket"])
        self.assertEqual(report["top"][0]["rule"], "budget \033[31m\u00e9")
        self.assertEqual(report["top"][0]["reset_ms"], None)
        self.assertRegex(report["top"][0]["key_id"], "^[0-9a-f]{32}$")
        self.assertEqual({"used": 3, "amount": 4, "reserved": 3},
                         {key: report["top"][1][key] for key in ("used", "amount", "reserved")})

    def test_top(self):
        name = self.made()
        self.assertEqual(len(json.loads(self.weir("--json", "--top", "2", name)[1])["top"]), 2)
        self.assertEqual(json.loads(self.weir("--json", "--top=0", name)[1])["top"], [])
        code, output, _ = self.weir("--top", "0", name)
        self.assertEqual((code, len(output.splitlines())), (DONE, 3))
        self.assertEqual(len(self.weir("--top", "1", name)[1].splitlines()), 6)

    def test_it_only_looks(self):
        path = self.path(self.made())
        with open(path, "rb") as file:
            before = file.read()
        os.chmod(path, 0o400)
        self.assertEqual(self.weir("state")[0], DONE)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_a_file_of_no_limiter(self):
        path = self.path(self.made())
        with open(path, "r+b") as file:  # the directory's magic number, and nothing in it
            head = file.read(12)
            size = os.path.getsize(path)
            file.truncate(0)
            file.truncate(size)
            file.seek(0)
            file.write(head)
            file.seek(16)
            file.write(size.to_bytes(8, sys.byteorder))
        code, output, error = self.weir("state")
        self.assertEqual((code, error), (DONE, ""))
        self.assertIn("no limiter has used this file yet", output)

    def test_what_is_no_state_file(self):
        with open(self.path("text"), "w") as file:
            file.write("not a state file\n" * 100000)
        open(self.path("empty"), "w").close()
        self.refused(FAULTY, "absent: there is no such file", "absent")
        self.refused(FAULTY, "text is not a weir segment", "text")
        self.refused(FAULTY, "empty is not a weir segment", "empty")
        self.refused(FAULTY, ". is not a weir segment", ".")
        self.refused(FAULTY, "there is no such file", "text/under")

    def test_another_format(self):
        path = self.path(self.made())
        with open(path, "r+b") as file:
            file.seek(8)
            file.write((99).to_bytes(4, sys.byteorder))
        self.refused(FAULTY, "state has format 99, this build has ", "state")

    def test_cut_short(self):
        os.truncate(self.path(self.made()), 1 << 20)
        self.refused(FAULTY, "state has 1048576 bytes, not the 16777216", "state")

    def test_command_line(self):
        self.refused(USAGE, "one file is to be named")
        self.refused(USAGE, "one file is to be named", "a", "b")
        self.refused(USAGE, "--top many: not a number of counters", "--top", "many", "a")
        self.refused(USAGE, "--top 4294967296: not a number", "--top", "4294967296", "a")
        self.refused(USAGE, "there is no option --jsn; did you mean --json?", "--jsn", "a")
        code, output, error = self.weir("--help")
        self.assertEqual((code, error), (DONE, ""))
        self.assertIn("Usage: weir state", output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
