"""What the package says twice, and what it lets its users see."""

import ast
import inspect
import os
import shutil
import subprocess
import tomllib
import unittest

from support import ROOT

import weir
from weir._weir import ffi, lib

PACKAGE = ROOT / "bindings/python/weir"
MODULES = [path for path in sorted(PACKAGE.glob("*.py"))]
# Constants that mean something in C only, or that the package handles itself.
INTERNAL = {"WEIR_ERROR_MESSAGE_BYTES", "WEIR_VERSION_MAJOR", "WEIR_VERSION_MINOR",
            "WEIR_VERSION_PATCH", "WEIR_RELAY_NOTHING", "WEIR_RELAY_INPUT", "WEIR_RELAY_VIEW",
            "WEIR_GUARDS_ALL", "WEIR_LEDGER_LINE_BYTES"}
# Functions that others here stand for.
COVERED = {"weir_txn_new", "weir_txn_free", "weir_txn_request_head", "weir_txn_request_header",
           "weir_txn_request_end", "weir_txn_response_head", "weir_txn_response_header",
           "weir_txn_response_body", "weir_txn_response_end", "weir_txn_response_failed",
           "weir_txn_next", "weir_txn_url", "weir_txn_target", "weir_txn_body", "weir_txn_header",
           "weir_tokenizer_count", "weir_python_nothing", "weir_cache_miss_name",
           "weir_meaning_guard_name"}


def used_names():
    """Every attribute of `lib` that the package names."""
    names = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) \
                    and node.value.id == "lib":
                names.add(node.attr)
    return names


class Package(unittest.TestCase):
    def test_version_is_said_once(self):
        project = tomllib.loads((ROOT / "bindings/python/pyproject.toml").read_text())["project"]
        self.assertEqual(project["version"], weir.__version__)
        major, minor, patch = map(int, weir.__version__.split("."))
        self.assertEqual(weir.version_number(), major * 1000000 + minor * 1000 + patch)
        self.assertEqual((lib.WEIR_VERSION_MAJOR, lib.WEIR_VERSION_MINOR, lib.WEIR_VERSION_PATCH),
                         (major, minor, patch))

    def test_everything_of_the_header_is_reachable(self):
        names = {name for name in dir(lib) if name.lower().startswith("weir_")}
        missing = names - used_names() - INTERNAL - COVERED
        self.assertEqual(missing, set())
        self.assertEqual(used_names() - names, set())

    def test_every_name_is_documented(self):
        for name in weir.__all__:
            value = getattr(weir, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                with self.subTest(name):
                    self.assertTrue(value.__doc__)

    def test_records_match(self):
        from weir import transaction
        self.assertEqual(ffi.sizeof("weir_python_record"), 40)
        self.assertEqual(transaction._RECORD_SIZE, 40)

    def test_no_name_of_c_leaves_the_module(self):
        nm = shutil.which("nm")
        if nm is None:
            self.skipTest("needs nm")
        import weir._weir
        symbols = subprocess.run([nm, "-D", "--defined-only", weir._weir.__file__], check=True,
                                 capture_output=True, text=True).stdout
        self.assertEqual([line.split()[-1] for line in symbols.splitlines()], ["PyInit__weir"])

    def test_types(self):
        mypy = shutil.which("mypy")
        if mypy is None:
            self.skipTest("needs mypy")
        checked = subprocess.run([mypy, "--strict", "--python-version", "3.11", "--cache-dir",
                                  os.devnull, str(PACKAGE)], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_examples_compile(self):
        for path in [ROOT / "examples/python/proxy.py",
                     ROOT / "bench/python/transaction_bench.py"]:
            compile(path.read_text(encoding="utf-8"), str(path), "exec")


if __name__ == "__main__":
    unittest.main()
