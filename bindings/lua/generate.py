#!/usr/bin/env python3
"""What the Lua modules know of weir.h, read from weir.h.

  generate.py lua --soname libweir.so.0 > weir/declarations.lua    for the LuaJIT module
  generate.py c                          > declarations.inc         for the C module and its test

Both list the constants (without WEIR_) and, for each struct, the fields that a Lua table may have:
numbers, and texts (pointer and size under one name). `--include DIR` names the folder of weir.h.
"""

import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import declarations  # noqa: E402

STRUCT = re.compile(r"typedef struct (\w+) \{(.*?)\} \1;", re.S)
FIELD = re.compile(r"^(.*?[ *])(\w+)(\[\d+\])?$")
CONSTANT = re.compile(r"\bWEIR_([A-Z0-9_]+) = (-?\d+)")
NUMBERS = {"uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t"}
BLANK = {("uint32_t", "size"), ("uint32_t", "unused"), ("int32_t", "reserved"),
         ("uint32_t", "reserved")}


def declarators(body: str) -> list[str]:
    """"int a, b;" as "int a" and "int b"."""
    found = []
    for each in body.split(";"):
        first, *others = each.strip().split(",")
        kind = first.rpartition(" ")[0]
        found += [first] + [f"{kind} {other.strip()}" for other in others]
    return [each for each in found if each]


def fields_of(body: str) -> list[tuple[str, str]]:
    """(name, "number" or "text") of each field that has a meaning by itself."""
    found = []
    names = [FIELD.match(each) for each in declarators(body)]
    sizes = {match[2] for match in names if match}
    for match in names:
        kind, name, is_array = match[1].strip(), match[2], match[3]
        if is_array or (kind, name) in BLANK:
            continue
        if kind in NUMBERS:
            found.append((name, "number"))
        elif kind == "const char*" and name + "_size" in sizes:
            found.append((name, "text"))
    return found


def lua(cdef: str, structs: dict, constants: list, soname: str) -> str:
    lines = ["-- Generated from weir.h by generate.py.", "return {", f'  soname = "{soname}",',
             f"  cdef = [==[\n{cdef}]==],", "  constants = {"]
    lines += [f"    {name} = {value}," for name, value in constants]
    lines += ["  },", "  structs = {"]
    for struct, fields in structs.items():
        lines.append(f"    {struct} = {{")
        lines += [f'      {{ "{name}", "{kind}" }},' for name, kind in fields]
        lines.append("    },")
    return "\n".join(lines + ["  },", "}", ""])


def c(structs: dict, constants: list) -> str:
    lines = ["/* Generated from weir.h by generate.py. */"]
    lines += [f"WEIR_LUA_CONSTANT({name})" for name, _ in constants]
    for struct, fields in structs.items():
        lines.append(f"WEIR_LUA_STRUCT({struct})")
        lines += [f"WEIR_LUA_{kind.upper()}({struct}, {name})" for name, kind in fields]
        lines.append(f"WEIR_LUA_END({struct})")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=["lua", "c"])
    parser.add_argument("--soname", default="", help="what the dynamic loader calls libweir")
    parser.add_argument("--include", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "capi" / "include")
    options = parser.parse_args()
    cdef = declarations.render("luajit", options.include)
    structs = {name: fields_of(body) for name, body in STRUCT.findall(cdef)}
    constants = CONSTANT.findall(cdef)
    if options.language == "lua":
        sys.stdout.write(lua(cdef, structs, constants, options.soname))
    else:
        sys.stdout.write(c(structs, constants))


if __name__ == "__main__":
    main()
