"""Plants a violation of every rule and wants it found; and wants clean text left alone."""

import re
import sys
import unittest

import rules
import source


def found(rule, path, text, *more):
    findings = rule([source.File(path, text)] + [source.File(*pair) for pair in more])
    return [finding[2] for finding in findings]


def body(code):
    return "void F() {\n  " + code + "\n}\n"


class Layering(unittest.TestCase):
    def check(self, path, header, allowed):
        findings = found(rules.layering, path, f'#include "{header}"\n')
        self.assertEqual(not findings, allowed, f"{path} including {header}: {findings}")

    def test_siblings_do_not_meet(self):
        self.check("lib/limits/limiter.cc", "weir/tokens.h", False)
        self.check("lib/limits/limiter.cc", "tokens/bpe.h", False)
        self.check("include/weir/limits.h", "weir/breaker.h", False)

    def test_nobody_looks_up(self):
        self.check("lib/base/text.cc", "weir/state.h", False)
        self.check("lib/base/text.cc", "state/table.h", False)
        self.check("lib/state/table.h", "limits/limiter.h", False)
        self.check("lib/policy/parse.cc", "weir/engine.h", False)
        self.check("lib/engine/engine.cc", "weir.h", False)

    def test_no_private_header_of_another_floor(self):
        self.check("lib/engine/engine.cc", "policy/parse.h", False)
        self.check("lib/policy/parse.cc", "limits/limiter.h", False)
        self.check("include/weir/tokens.h", "tokens/bpe.h", False)
        self.check("include/weir/tokens.h", "base/text.h", False)

    def test_the_c_header_stands_alone(self):
        self.check("capi/include/weir.h", "weir/base.h", False)
        self.check("capi/include/weir.h", "weir_counting.h", True)
        self.check("capi/include/weir_counting.h", "weir_limiting.h", False)

    def test_what_is_allowed(self):
        self.check("lib/limits/limiter.cc", "limits/window.h", True)
        self.check("lib/limits/limiter.cc", "weir/limits.h", True)
        self.check("lib/limits/limiter.cc", "state/table.h", True)
        self.check("lib/limits/limiter.cc", "absl/strings/str_cat.h", True)
        self.check("lib/state/table.cc", "base/hash.h", True)
        self.check("lib/engine/engine.cc", "weir/policy.h", True)
        self.check("lib/policy/parse.cc", "weir/limits.h", True)
        self.check("capi/weir.cc", "weir/engine.h", True)
        self.check("capi/weir.cc", "weir.h", True)
        self.check("capi/src/weir.cc", "guard.h", True)
        self.check("lib/limits/limiter.cc", "guard.h", False)

    def test_an_include_in_a_comment_is_none(self):
        self.assertFalse(found(rules.layering, "lib/limits/a.cc", '/*\n#include "weir/x.h"\n*/\n'))

    def test_unknown_floor(self):
        self.assertTrue(found(rules.layering, "lib/helpers/a.cc", "int a;\n"))

    def test_hosts_see_the_c_header_only(self):
        self.assertTrue(found(rules.outsiders, "examples/gateway/main.cc",
                              '#include "weir/engine.h"\n'))
        self.assertFalse(found(rules.outsiders, "examples/gateway/main.cc", "#include <weir.h>\n"))


class Quarantine(unittest.TestCase):
    def test_vendors_stay_in_place(self):
        for header, good, bad in [
            ("rapidjson/reader.h", "bench/base_bench.cc", "lib/base/json.cc"),
            ("openssl/hmac.h", "lib/auth/key_ring.cc", "lib/limits/limiter.cc"),
            ("openssl/sha.h", "lib/base/hash.cc", "lib/base/text.cc"),
            ("sentencepiece_processor.h", "lib/tokens/sentencepiece.cc", "lib/engine/engine.cc"),
            ("httplib.h", "examples/gateway/main.cc", "capi/weir.cc"),
            ("rapidjson/reader.h", "tests/base/json_test.cc", "include/weir/policy.h"),
        ]:
            for mark in ("<%s>", '"%s"'):
                text = "#include " + mark % header + "\n"
                self.assertFalse(found(rules.quarantine, good, text))
                self.assertTrue(found(rules.quarantine, bad, text))

    def test_one_file_reads_sentencepiece(self):
        text = "#include <sentencepiece_processor.h>\n"
        self.assertTrue(found(rules.quarantine, "lib/tokens/a.cc", text, ("lib/tokens/b.cc", text)))


class BannedCalls(unittest.TestCase):
    BAD = [
        "auto t = std::chrono::steady_clock::now();", "clock_gettime(CLOCK_MONOTONIC, &ts);",
        "auto t = absl::Now();", "long t = time(nullptr);", "int r = rand();", "srand(1);",
        "std::random_device device;", 'const char* v = getenv("X");', "std::regex r;",
        "double d = strtod(p, &end);", "double d = atof(p);", "int i = std::stoi(s);",
        'setlocale(LC_ALL, "");', 'printf("x");', "snprintf(b, n, f);", "std::cerr << 1;",
        "std::abort();", "exit(1);", "_exit(1);", "std::terminate();", "raise(SIGTERM);",
        "std::thread t;", "pthread_create(&t, 0, f, 0);", "throw 1;", "fork();",
        "signal(SIGPIPE, SIG_IGN);", "assert(++i < 3);", "assert(x = 3);", "strcpy(a, b);",
        "absl::flat_hash_map<int, int> m;",
    ]
    GOOD = [
        "// it never calls abort()", 'Fail("abort() and exit(1)");', "txn->time(now);",
        "uint64_t time_ns = now.mono_ns;", "assert(a == b && c <= d);", "static_assert(1 == 1);",
        "absl::StatusOr<int> brand(int);", "auto n = absl::from_chars(a, b, d);",
        "void operator delete(void*) noexcept;", "int x = 1'000; F(\"exit(1)\"); int y = 2'000;",
        "clock(now.mono_ns);", "next_random(seed);", 'auto s = R"(abort();)";',
    ]

    def test_bad(self):
        for code in self.BAD:
            self.assertTrue(found(rules.banned_calls, "lib/limits/a.cc", body(code)), code)
            self.assertTrue(found(rules.banned_calls, "capi/weir.cc", body(code)), code)

    def test_good(self):
        for code in self.GOOD:
            self.assertFalse(found(rules.banned_calls, "lib/limits/a.cc", body(code)), code)

    def test_tests_and_generators_may(self):
        self.assertFalse(found(rules.banned_calls, "tests/limits/a.cc", body("exit(1);")))
        self.assertFalse(found(rules.banned_calls, "lib/tokens/generate/a.cc", body("exit(1);")))


class Form(unittest.TestCase):
    def test_string_views(self):
        bad = body("absl::string_view v;")
        self.assertTrue(found(rules.string_views, "lib/limits/a.cc", bad))
        self.assertFalse(found(rules.string_views, "lib/base/text.h", bad))
        self.assertFalse(found(rules.string_views, "lib/a/a.cc", "// never absl::string_view\n"))

    def test_header_guards(self):
        good = "// What.\n\n#ifndef WEIR_LIB_A_B_H_\n#define WEIR_LIB_A_B_H_\n#endif  // x\n"
        self.assertFalse(found(rules.header_guards, "lib/a/b.h", good))
        self.assertTrue(found(rules.header_guards, "lib/a/c.h", good))
        self.assertTrue(found(rules.header_guards, "lib/a/b.h", "#pragma once\nint a;\nint b;\n"))
        self.assertTrue(found(rules.header_guards, "lib/a/b.h", good + "int a;\n"))
        self.assertEqual(rules.guard_name("include/weir/base.h"), "WEIR_BASE_H_")

    def test_text_form(self):
        for text in ("x" * 101 + "\n", "int a;", "int a; \n", "int\ta;\n", "int a;\r\n",
                     "a;\n" * 601, "// \u202e\n"):
            self.assertTrue(found(rules.text_form, "lib/a/b.cc", text), repr(text[:20]))
        self.assertFalse(found(rules.text_form, "tests/a/data/b.txt", "\u202e \n"))
        self.assertFalse(found(rules.text_form, "lib/a/b.cc", "x" * 100 + "\n" + "a;\n" * 599))

    def test_ascii_code(self):
        self.assertTrue(found(rules.ascii_code, "lib/a/b.cc", 'F("\u00e9");\n'))
        self.assertTrue(found(rules.ascii_code, "lib/a/b.cc", "int \u00e9;\n"))
        self.assertFalse(found(rules.ascii_code, "lib/a/b.cc", "// 1 \u2026 3\n/* \u00b5s */\n"))
        self.assertTrue(found(rules.ascii_code, "lib/a/b.cc", 'F("// \u00e9");\n'))

    def test_finished(self):
        for word in ("TO" + "DO", "FIX" + "ME"):
            self.assertTrue(found(rules.finished, "README.md", f"{word}: this\n"))
        self.assertFalse(found(rules.finished, "README.md", "methods\n"))

    def test_machine_paths(self):
        def check(text):
            return list(rules.machine_paths([source.File("a.md", text)], "/build/place"))
        for text in ("/build/place/x", "/ho" + "me/ann/x", "/ro" + "ot/.cache", "/Us" + "ers/ann"):
            self.assertTrue(check(text), text)
        for text in ("/run/key", "/build/places", "/v1/home/page", "{home}/x", "/tmp/x"):
            self.assertFalse(check(text), text)


class SaidOnce(unittest.TestCase):
    HEADER = ("#define WEIR_VERSION_MAJOR 1\n#define WEIR_VERSION_MINOR 2\n"
              "#define WEIR_VERSION_PATCH 3\n")

    def check(self, cmake="project(weir VERSION 1.2.3 LANGUAGES C)\n", header=HEADER, more=()):
        files = [source.File("CMakeLists.txt", cmake), source.File("capi/include/weir.h", header)]
        return list(rules.one_version(files + [source.File(*pair) for pair in more]))

    def test_version(self):
        self.assertFalse(self.check())
        self.assertTrue(self.check(cmake="project(weir)\n"))
        self.assertTrue(self.check(header=self.HEADER.replace("PATCH 3", "PATCH 4")))
        self.assertTrue(self.check(header=self.HEADER.replace("MAJOR 1", "MAJOR 12")))
        self.assertTrue(self.check(more=[("README.md", "This is we" + "ir 1.2.2.\n")]))
        self.assertFalse(self.check(more=[("README.md", "This is we" + "ir 1.2.3.\n")]))
        self.assertTrue(self.check(more=[("bindings/a/pyproject.toml", 'version = "1.2.2"\n')]))

    def test_readme_examples(self):
        c, cc = ("tests/install/readme_example.c", "int c;\n"), (
            "tests/install/readme_example.cc", "int cc;\n")
        self.assertFalse(found(rules.readme_examples, "README.md", "a\nint c;\nint cc;\n", c, cc))
        self.assertTrue(found(rules.readme_examples, "README.md", "a\nint c;\n", c, cc))
        self.assertTrue(found(rules.readme_examples, "README.md", "a\nint c;\n", c))

    def test_barriers(self):
        bare = "weir_status weir_a(int b,\n    weir_error* error) {\n  return b;\n}\n"
        self.assertTrue(found(rules.barriers, "capi/src/weir.cc", bare))
        good = bare.replace("return b", "return Guard(error, b)")
        self.assertFalse(found(rules.barriers, "capi/src/weir.cc", good))
        self.assertTrue(found(rules.barriers, "capi/src/weir.cc", good + bare.replace("_a", "_b")))
        helper = "weir_status Feed(int b) noexcept {\n  return Guard(b);\n}\n"
        fed = bare.replace("return b", "return Feed(b)")
        self.assertFalse(found(rules.barriers, "capi/src/weir.cc", helper + fed))
        self.assertTrue(found(rules.barriers, "capi/src/weir.cc", fed))
        self.assertFalse(found(rules.barriers, "capi/src/weir.cc",
                               bare.replace(",\n    weir_error* error", "")))


class EveryRule(unittest.TestCase):
    def test_is_tested_here(self):
        with open(__file__, encoding="utf-8") as file:
            text = file.read()
        for name, rule in vars(rules).items():
            if callable(rule) and getattr(rule, "__module__", "") == "rules":
                if name.startswith("_") or name == "all_findings":
                    continue
                self.assertTrue(re.search(rf"\brules\.{name}\b", text), f"{name} has no test")


if __name__ == "__main__":
    sys.exit(unittest.main())
