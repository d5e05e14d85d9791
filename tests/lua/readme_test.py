#!/usr/bin/env python3
"""The examples of bindings/lua/README.md, run as they stand there, in each Lua that is here."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import hosts

README = hosts.ROOT / "bindings" / "lua" / "README.md"
EXAMPLE = re.compile(r"^```lua\n(.*?)^```\n+(?:It prints:\n+```\n(.*?)^```)?", re.M | re.S)


def interpreters() -> list[tuple[str, dict[str, str]]]:
    found = []
    if shutil.which("luajit"):
        found.append(("luajit", {"LUA_PATH": f"{os.environ['LUAJIT_FOLDER']}/?.lua"}))
    if shutil.which("lua5.3") and os.environ.get("LUA53_MODULE"):
        folder = pathlib.Path(os.environ["LUA53_MODULE"]).parent
        found.append(("lua5.3", {"LUA_CPATH": f"{folder}/?.so"}))
    return found


def run(example: str, expected: str, program: str, where: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "example.lua"
        path.write_text(example)
        done = subprocess.run([program, str(path)], cwd=folder, env={**os.environ, **where},
                              capture_output=True, text=True, timeout=60)
    hosts.check(done.returncode == 0, f"{program}: {done.stderr}\n{example}")
    hosts.check(done.stdout == expected, f"{program}: {done.stdout!r}, not {expected!r}")


def main() -> None:
    examples = EXAMPLE.findall(README.read_text())
    hosts.check(len(examples) >= 2, "the README has its examples")
    found = interpreters()
    hosts.need(found, "neither luajit nor lua5.3")
    for program, where in found:
        for example, expected in examples:
            run(example, expected, program, where)
    print(f"{len(examples)} examples ran in {', '.join(program for program, _ in found)}")


if __name__ == "__main__":
    main()
