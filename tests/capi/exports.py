"""exports.py ROOT LIBRARY NM [--allow=NAME]...: the names of the ABI, said five times, are one set.

weir.h and its parts declare them, weir.map exports them, capi/abi/symbols.txt records them with
their version nodes, the library defines them, and nothing else; and the library imports nothing
that a guest has no business with, but for the names allowed. A name never leaves symbols.txt nor
changes its node: that is an ABI break."""

import re
import subprocess
import sys

HEADERS = ("weir.h", "weir_balancing.h", "weir_bookkeeping.h", "weir_breaking.h",
           "weir_caching.h", "weir_counting.h", "weir_limiting.h")

# What no library in somebody else's process should call. Names as nm gives them, versions cut off.
BANNED = re.compile(
    r"(abort|_?_?exit|_Exit|quick_exit|atexit|raise|kill|signal|sigaction|fork|vfork|system|popen"
    r"|dlopen|s?rand(om)?|rand_r|getenv|secure_getenv|setenv|putenv|setlocale|newlocale|uselocale"
    r"|v?[fsd]?n?printf|puts|perror|fwrite|strto(d|f|ld|l|ul|ll|ull)|ato[ifl]l?|gets|strcpy|strcat"
    r"|time|clock|clock_gettime|gettimeofday|localtime(_r)?|gmtime(_r)?|mktime|pthread_create"
    r"|socket|connect|send|recv|__assert_fail|_ZSt9terminatev"
    r"|_ZNSt6chrono3_V21[0-9]+(steady|system)_clock3nowEv)")


def names_of_header(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(r"WEIR_API\b[^;]*?\b(weir_\w+)\s*\(", text))


def names_of_map(text):
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", text, flags=re.S)
    exported = set()
    for node in re.findall(r"\{(.*?)\}", text, flags=re.S):
        before_local = re.split(r"\blocal\s*:", node)[0].replace("global:", "")
        exported |= {name.strip() for name in before_local.split(";") if name.strip()}
    return exported


def symbols_of_library(nm, library, *flags):
    lines = subprocess.run([nm, "-D", *flags, library], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    # A version's own node is an absolute symbol.
    return {line.split()[-1] for line in lines if line.split()[-2] != "A"}


def plain(symbols):
    return {symbol.split("@")[0] for symbol in symbols}


def differences(sets):
    faults = []
    reference, expected = next(iter(sets.items()))
    for place, names in sets.items():
        faults += [f"{name}: in {reference}, not in {place}" for name in sorted(expected - names)]
        faults += [f"{name}: in {place}, not in {reference}" for name in sorted(names - expected)]
    return faults


def self_test():
    header = ("/* WEIR_API int weir_c(void); */\nWEIR_API int weir_a(\n  int b);\n"
              "WEIR_API void* weir_b(void);")
    assert names_of_header(header) == {"weir_a", "weir_b"}
    nodes = "W_1 { global: weir_a; weir_b; local: *; };\nW_2 { global: weir_c; } W_1;"
    assert names_of_map(nodes) == {"weir_a", "weir_b", "weir_c"}
    assert names_of_map("W { global: weir_*; local: *; };") == {"weir_*"}
    assert differences({"a": {"x"}, "b": {"x"}}) == []
    assert len(differences({"a": {"x"}, "b": {"y"}})) == 2
    for name in ("abort", "snprintf", "time", "getenv", "_ZSt9terminatev"):
        assert BANNED.fullmatch(name), name
    for name in ("strlen", "memcpy", "pthread_mutex_lock", "_ZNSt6vectorIiE4timeEv", "sendfile"):
        assert not BANNED.fullmatch(name), name


def main(root, library, nm, *options):
    self_test()
    allowed = {option[len("--allow="):] for option in options}

    def read(path):
        with open(f"{root}/{path}", encoding="utf-8") as file:
            return file.read()

    recorded = set(read("capi/abi/symbols.txt").split())
    defined = symbols_of_library(nm, library, "--defined-only")
    sets = {
        "weir.h": names_of_header("".join(read(f"capi/include/{name}") for name in HEADERS)),
        "weir.map": names_of_map(read("capi/weir.map")),
        "symbols.txt": plain(recorded),
        "the library": plain(defined),
    }
    faults = differences(sets) + differences({"symbols.txt": recorded, "the library": defined})
    if not sets["weir.h"]:
        faults.append("weir.h: no export found")
    faults += [f"{name}: imported by the library"
               for name in sorted(plain(symbols_of_library(nm, library, "--undefined-only")))
               if BANNED.fullmatch(name) and name not in allowed]
    for fault in faults:
        print(fault)
    print(f"{len(sets['weir.h'])} exports, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
