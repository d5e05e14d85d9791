#!/usr/bin/env python3
"""weir.h as plain C declarations, for languages that read those and no preprocessor.

  bindings/declarations.py cffi    > declarations.h     Python's cffi
  bindings/declarations.py luajit  > declarations.h     LuaJIT's ffi.cdef

What is printed is the header itself, without comments, directives and attributes; nothing is typed
a second time. Integer constants become `#define NAME value` (cffi) or `static const` (LuaJIT, where
those beyond 32 bits are left out: it has none). `--include DIR` names the folder of weir.h.
"""

import argparse
import pathlib
import re
import sys

# Values that a compiler takes from the system's headers.
SYSTEM_VALUES = {"INT64_MAX": 2**63 - 1, "INT64_MIN": -(2**63), "UINT32_MAX": 2**32 - 1}
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*\n?", re.M)
CONSTANT = re.compile(r"^#define[ \t]+(WEIR_[A-Z0-9_]+)[ \t]+\(?(-?[A-Z0-9_]+)\)?[ \t]*$", re.M)
INCLUDE = re.compile(r'^#include "(weir[a-z_]*\.h)"', re.M)


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def read_header(folder, name="weir.h", seen=None):
    """The header and the parts that it includes, comments removed; each part once."""
    seen = seen if seen is not None else set()
    seen.add(name)
    text = without_comments((folder / name).read_text(encoding="utf-8"))
    parts = [part for part in INCLUDE.findall(text) if part not in seen]
    return text + "".join(read_header(folder, part, seen) for part in parts)


def value_of(word):
    negative = word.startswith("-")
    name = word.lstrip("-")
    value = SYSTEM_VALUES[name] if name in SYSTEM_VALUES else int(name, 0)
    return -value if negative else value


def constants_of(text):
    """(name, value) of every integer constant; the compiler's own words are none."""
    found = []
    for name, word in CONSTANT.findall(text):
        if word != "__attribute__":
            found.append((name, value_of(word)))
    return found


def declarations_of(text, constants):
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
    text = DIRECTIVE.sub("", text)
    text = re.sub(r"\bWEIR_API\s+", "", text)
    for name, value in constants:
        text = re.sub(rf"\[{name}\]", f"[{value}]", text)
    lines = (re.sub(r"[ \t]+", " ", line).rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line.strip())


def render(language, folder):
    text = read_header(folder)
    constants = constants_of(text)
    lines = [declarations_of(text, constants)]
    for name, value in constants:
        if language == "cffi":
            lines.append(f"#define {name} {value}")
        elif -(2**31) <= value < 2**31:
            lines.append(f"static const int {name} = {value};")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=["cffi", "luajit"])
    parser.add_argument("--include", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path(__file__).resolve().parent.parent / "capi" / "include")
    options = parser.parse_args()
    sys.stdout.write(render(options.language, options.include))


if __name__ == "__main__":
    main()
