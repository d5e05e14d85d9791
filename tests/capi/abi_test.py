"""The interface that weir.h declares against the one that was noted in capi/abi.

  abi_test.py SOURCE_TREE WORK_FOLDER            compare; fails on whatever breaks a caller
  abi_test.py SOURCE_TREE WORK_FOLDER --write    note the present interface: after a release, and
                                                 while nothing is promised yet

weir_0.abi has the types and functions: a library with the header's names and nothing behind them
is made from the header itself, so what is compared is the contract, whatever the real library was
built with; that the real one exports these very names is exports.py's business. constants.txt has
the values. Planted changes must be told. Needs abigail-tools; $CC compiles.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

PROTOTYPE = re.compile(r"^((?:const )?[a-z0-9_]+\*?) (weir_[a-z0-9_]+)\(([^()]*)\);", re.M | re.S)
CONSTANT = re.compile(r"(?:^#define |[{,]\s*)(WEIR_[A-Z0-9_]+)(?: =)? (-?\d+)", re.M)
SUMMARY = re.compile(r"Functions changes summary: (\d+) Removed, (\d+) Changed")

SAME, GROWN, CHANGED = "same", "grown", "changed"

# (what, the text of the declarations, what stands there instead, what must be told)
PLANTED = [
    ("a field of another size", "uint32_t line;", "uint64_t line;", CHANGED),
    ("a field put between", "int64_t mono_ns;", "int32_t odd;\n int64_t mono_ns;", CHANGED),
    ("a parameter more", "weir_policy_free(weir_policy* policy)",
     "weir_policy_free(weir_policy* policy, int how)", CHANGED),
    ("a function less", "void weir_policy_free(weir_policy* policy);", "", CHANGED),
    ("a function more", "void weir_policy_free(weir_policy* policy);",
     "void weir_policy_free(weir_policy* policy);\nvoid weir_policy_more(weir_policy* policy);",
     GROWN),
]


def declarations(source):
    command = [sys.executable, "-B", source / "bindings" / "declarations.py", "cffi"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def constants_of(text):
    return "".join(f"{name} {value}\n" for name, value in sorted(CONSTANT.findall(text)))


def hollow(text):
    """Every function with a body that gives nothing; the types as they are."""
    def body(match):
        given = "" if match.group(1) == "void" else "return 0;"
        return f"{match.group(1)} {match.group(2)}({match.group(3)}) {{ {given} }}"

    made, count = PROTOTYPE.subn(body, re.sub(r"^#define.*\n", "", text, flags=re.M))
    if count < 50 or re.search(r"^[a-z].*\);$", made, re.M):
        sys.exit("abi_test: not every prototype of the header was understood")
    return "#include <stddef.h>\n#include <stdint.h>\n" + made


def build(text, work):
    work.mkdir(parents=True, exist_ok=True)
    code, library = work / "hollow.c", work / "libweir.so"
    code.write_text(hollow(text))
    subprocess.run([os.environ.get("CC", "cc"), "-g", "-gdwarf-4", "-O0", "-fPIC", "-shared",
                    "-Wl,-soname,libweir.so.0", "-o", library, code], check=True)
    return library


def compare(baseline, library):
    """SAME, GROWN or CHANGED, and what abidiff says."""
    found = subprocess.run(["abidiff", "--no-show-locs", baseline, library], capture_output=True,
                           text=True)
    said = found.stdout + found.stderr
    if found.returncode == 0:
        return SAME, said
    summary = SUMMARY.search(said)
    grown = summary is not None and summary.groups() == ("0", "0")
    return GROWN if grown else CHANGED, said


def planted_faults(text, noted, work):
    """Every planted change that is not told for what it is."""
    for what, old, new, wanted in PLANTED:
        if old not in text:
            yield f"planted: there is no \"{old}\""
            continue
        told, _ = compare(noted, build(text.replace(old, new, 1), work))
        if told != wanted:
            yield f"planted: {what} is told as {told}"
    other = text.replace("WEIR_ACTION_REPLY = 3", "WEIR_ACTION_REPLY = 4")
    if constants_of(text) == constants_of(other):
        yield "planted: another value of a constant is not seen"


def faults_of(source, work, text):
    folder = source / "capi" / "abi"
    told, said = compare(folder / "weir_0.abi", build(text, work))
    if told == GROWN:
        yield said + "the interface has grown: look at what is new, then note it with --write"
    elif told == CHANGED:
        yield said + ("a caller of the noted interface may break: only a struct that grew at its "
                      "end is none of that (capi/README.md)")
    now = set(constants_of(text).splitlines())
    then = set((folder / "constants.txt").read_text().splitlines())
    for line in sorted(then - now):
        yield f"{line} is gone, or has another value"
    for line in sorted(now - then):
        yield f"{line} is new: note it with --write"


def main(source, work, *options):
    source, work = pathlib.Path(source), pathlib.Path(work)
    for tool in ("abidiff", "abidw"):
        if shutil.which(tool) is None:
            print(f"skipped: abi_test needs {tool} (abigail-tools)")
            return 77
    text = declarations(source)
    library = build(text, work)
    noted = work / "now.abi"
    subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
                    "--out-file", noted, library], check=True)
    if "--write" in options:
        shutil.copy(noted, source / "capi" / "abi" / "weir_0.abi")
        (source / "capi" / "abi" / "constants.txt").write_text(constants_of(text))
        return 0
    faults = [*planted_faults(text, noted, work), *faults_of(source, work, text)]
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
