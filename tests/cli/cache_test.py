"""cache_test.py WEIR MAKE_CACHE: `weir cache`, asked as people and scripts do."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

WEIR, MAKE_CACHE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
DONE, FAULTY, USAGE = 0, 1, 2


class CacheTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([MAKE_CACHE, os.path.join(cls.folder.name, "state")], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def weir(self, *arguments):
        run = subprocess.run([WEIR, "cache", *arguments], cwd=self.folder.name, capture_output=True)
        return run.returncode, run.stdout.decode(), run.stderr.decode()

    def refused(self, status, error, *arguments):
        code, output, complaint = self.weir(*arguments)
        self.assertEqual((code, output), (status, ""), complaint)
        self.assertIn(error, complaint)
        self.assertEqual(complaint.count("\n"), 1)

    def test_report(self):
        code, output, error = self.weir("state")
        self.assertEqual((code, error), (DONE, ""))
        faq, keys = re.split(r"\n\n(?=\S)", output)
        for line in ("faq ?[31m",  # what would steer a terminal is not passed on
                     "  vectors    8 dimensions",
                     "  entries    1,203 of 2,000, 1 expired, the oldest 1 h old",
                     "  partitions 2 of 16",
                     "  look-ups   11: 7 by key (63.6%), 1 by meaning (9.0%), 3 missed",
                     "  misses     no_vector 1, empty_partition 1, below_threshold 1",
                     "  inserts    1,203, 0 in place of the same key, 0 refused",
                     "  gone       0 to make room, 0 expired, 0 removed",
                     "  nearest    from  0.70  1  " + 40 * "#",
                     "             from  0.97  1  " + 40 * "#"):
            self.assertIn(line, faq.splitlines())
        self.assertRegex(faq, r"\n  size       4\.\d MiB, of values 300\.8 KiB of 3\.9 MiB\n")
        rows = [line.split() for line in faq.split("\n\n")[1].splitlines()]
        self.assertEqual(rows[0], ["PARTITION", "ENTRIES", "VALUES"])
        self.assertEqual([row[1:] for row in rows[1:]], [["1,200", "17.6", "KiB"],
                                                         ["3", "0.1", "KiB"]])
        self.assertRegex(rows[1][0], "^[0-9a-f]{16}$")
        self.assertIn("  entries    0 of 2,000, 0 expired\n", keys)
        self.assertIn("  vectors    none\n", keys)
        self.assertIn("  look-ups   0\n", keys)
        self.assertNotIn("nearest", keys)

    def test_json(self):
        code, output, _ = self.weir("--json", "state")
        self.assertEqual(code, DONE)
        faq, keys = json.loads(output)["caches"]
        self.assertEqual((faq["name"], keys["name"]), ("faq \033[31m", "keys"))
        self.assertEqual((faq["dimensions"], keys["dimensions"]), (8, 0))
        self.assertEqual(faq["stats"]["exact_hits"], 7)
        self.assertEqual(sum(faq["stats"]["similarities"]), 2)
        self.assertEqual([top["entries"] for top in faq["top"]], [1200, 3])
        self.assertRegex(faq["top"][0]["partition_id"], "^[0-9a-f]{32}$")
        self.assertEqual(keys["top"], [])

    def test_nothing_is_given_away(self):
        for arguments in (["state"], ["--json", "state"]):
            output = self.weir(*arguments)[1]
            self.assertNotIn("secret", output)
            self.assertNotIn("team", output)

    def test_top(self):
        faq = json.loads(self.weir("--json", "--top", "1", "state")[1])["caches"][0]
        self.assertEqual([top["entries"] for top in faq["top"]], [1200])
        self.assertNotIn("PARTITION", self.weir("--top=0", "state")[1])

    def test_it_only_looks(self):
        path = self.path("state")
        with open(path, "rb") as file:
            before = file.read()
        os.chmod(path, 0o400)
        self.assertEqual(self.weir("state")[0], DONE)
        os.chmod(path, 0o600)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_a_cache_of_another_release(self):
        with open(self.path("state"), "rb") as file:
            image = bytearray(file.read())
        # The number of entries that its header says stands beside the other options.
        options = b"".join(number.to_bytes(4, sys.byteorder) for number in (8, 2000, 16))
        at = image.find(options)
        self.assertEqual(image.count(options), 1)
        image[at + 4] += 1
        with open(self.path("other"), "wb") as file:
            file.write(image)
        code, output, _ = self.weir("other")
        self.assertEqual(code, DONE)
        self.assertRegex(output, r"^faq \?\[31m\n  size       4\.\d MiB; of another release")
        faq, keys = json.loads(self.weir("--json", "other")[1])["caches"]
        self.assertEqual((faq["stats"], faq["top"], faq["dimensions"]), (None, None, None))
        self.assertEqual(keys["stats"]["entries"], 0)

    def test_what_is_no_state_file(self):
        with open(self.path("text"), "w") as file:
            file.write("not a state file\n" * 100000)
        self.refused(FAULTY, "absent: there is no such file", "absent")
        self.refused(FAULTY, "text is not a weir segment", "text")

    def test_command_line(self):
        self.refused(USAGE, "one file is to be named")
        self.refused(USAGE, "one file is to be named", "a", "b")
        self.refused(USAGE, "--top many: not a number of partitions", "--top", "many", "a")
        self.refused(USAGE, "there is no option --jsn; did you mean --json?", "--jsn", "a")
        code, output, error = self.weir("--help")
        self.assertEqual((code, error), (DONE, ""))
        self.assertIn("Usage: weir cache", output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
