"""The manual and the completions name what the program has: its verbs and each one's options.

  manual_test.py WEIR SOURCE_TREE
"""

import pathlib
import re
import subprocess
import sys

VERBS_WITH_OPTIONS = ["check", "explain", "count", "encodings", "hash-key", "report", "state",
                      "cache"]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def options_of_help(weir, verb):
    """Those that a help text lists at the beginning of a line."""
    return set(re.findall(r"^  (--[a-z-]+)", output(weir, verb, "--help"), re.M))


def verbs_of_help(weir):
    found = re.findall(r"^  weir ([a-z-]+)", output(weir, "--help"), re.M)
    return set(found)


def manual_sections(text):
    """Of each section of the manual its options, by the verb that is its title."""
    text = text.replace("\\-", "-")
    parts = re.split(r"^\.SH ", text, flags=re.M)[1:]
    return {part.split("\n", 1)[0].lower(): set(re.findall(r"^\.BI? (--[a-z-]+)", part, re.M))
            for part in parts}


def bash_options(text, verb):
    body = re.search(rf"^    {verb}\)(.*?);;", text, re.M | re.S).group(1)
    return set(OPTION.findall(body))


def zsh_options(text, verb):
    body = re.search(rf"^  {verb}\)(.*?);;", text, re.M | re.S).group(1)
    return set(OPTION.findall(body))


def fish_options(text, verb):
    """Options of single lines and of loops over names."""
    found = set()
    names = []
    for line in text.splitlines():
        if loop := re.match(r"for option in (.*)", line):
            names = loop.group(1).split()
        condition = re.search(r'__fish_seen_subcommand_from ([a-z -]+)"', line)
        option = re.search(r"-l (\S+)", line)
        if condition and option and verb in condition.group(1).split():
            found |= set(names) if option.group(1) == "$option" else {option.group(1)}
        if line == "end":
            names = []
    return {f"--{name}" for name in found}


def main(weir, source):
    folder = pathlib.Path(source) / "bindings" / "cli"
    manual = (folder / "manual" / "weir.1").read_text()
    bash = (folder / "completion" / "weir.bash").read_text()
    zsh = (folder / "completion" / "_weir").read_text()
    fish = (folder / "completion" / "weir.fish").read_text()
    faults = []

    def compare(what, wanted, found):
        if wanted != found:
            faults.append(f"{what}: lacks {sorted(wanted - found)}, has too much "
                          f"{sorted(found - wanted)}")

    verbs = verbs_of_help(weir)
    compare("bash verbs", verbs, set(re.search(r'options="(check [^"]*)"', bash).group(1).split()))
    compare("zsh verbs", verbs, set(re.findall(r"^  '([a-z-]+):", zsh, re.M)))
    compare("fish verbs", verbs, set(re.search(r"set -l verbs (.*)", fish).group(1).split()))
    plain = manual.replace("\\-", "-")
    compare("manual verbs", verbs, set(re.findall(r"^\.B weir ([a-z-]+)", plain, re.M)))
    version = output(weir, "version").split()[1]
    if f'"weir {version}"' not in manual:
        faults.append(f"the manual is not of version {version}")
    sections = manual_sections(manual)
    for verb in VERBS_WITH_OPTIONS:
        wanted = options_of_help(weir, verb)
        if len(wanted) < 2:
            faults.append(f"{verb} --help lists no options")
        compare(f"manual of {verb}", wanted, sections.get(verb, set()))
        compare(f"bash completion of {verb}", wanted, bash_options(bash, verb))
        compare(f"zsh completion of {verb}", wanted, zsh_options(zsh, verb))
        compare(f"fish completion of {verb}", wanted, fish_options(fish, verb))
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
