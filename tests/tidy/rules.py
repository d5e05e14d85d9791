"""The house rules that a machine can check. Each rule yields (path, line, what is wrong)."""

import re

SIBLINGS = {
    "tokens", "limits", "breaker", "balance", "queue", "cache", "metrics", "auth",
    "ledger", "expr", "dialects", "meaning", "learning",
}
GROUND = {"base", "state"}
# Which weir/<x>.h a file of a floor may include, beside its own.
FLOORS = {
    "base": set(),
    "state": {"base"},
    **{room: GROUND for room in SIBLINGS},
    "metering": GROUND | {"tokens", "dialects"},
    "policy": GROUND | SIBLINGS,
    "engine": GROUND | SIBLINGS | {"metering", "policy"},
    "capi": GROUND | SIBLINGS | {"metering", "policy", "engine"},
}
# The public headers that are not called as their room is.
HEADER_ROOMS = {
    "recycling": "base", "tokenizer_files": "tokens", "usage": "dialects", "replay": "dialects",
    "prompt_meter": "metering", "stream_meter": "metering",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Vendor headers, and the only places of the library they may be read in. Tests may use any as an
# oracle, and an example is a host, with libraries of its own.
VENDORS = {
    "rapidjson/": "nowhere",
    "openssl/": r"lib/auth/.*|lib/base/hash\.(h|cc)",
    "sentencepiece": r"lib/tokens/[a-z_]+\.cc",
    "zlib.h": r"lib/metering/content_coding\.cc",
    "brotli/": r"lib/metering/content_coding\.cc",
    "zstd.h": r"lib/metering/content_coding\.cc",
    "utf8proc.h": r"lib/tokens/loaded/normal_form\.cc",
    "httplib.h": "nowhere",
}

BANNED = [
    # The clock, chance and the environment are the host's.
    (r"\b(steady|system|high_resolution|utc|file)_clock\b", "reads a clock"),
    (r"\b(clock_gettime|gettimeofday|localtime(_r)?|mktime|ftime)\s*\(", "reads a clock"),
    (r"\babsl::(Now|GetCurrentTimeNanos|GetFlag|BitGen|InsecureBitGen)\b", "reads the outside"),
    (r"(?<![\w.>])(std::)?(time|clock)\s*\(\s*(NULL|nullptr|0|&|\))", "reads a clock"),
    (r"\b(std::)?s?rand(om)?(_r)?\s*\(", "draws chance"),
    (r"\brandom_device\b|\bdefault_random_engine\b", "draws chance"),
    (r"\b(secure_)?getenv\s*\(|\b(set|unset|put)env\s*\(", "touches the environment"),
    # Slow, locale-bound or unbounded.
    (r"\bstd::(basic_)?(regex|wregex)", "uses std::regex"),
    (r"\b(strto(d|f|ld|l|ll|ul|ull|imax|umax)|ato[fil]l?)\s*\(", "parses numbers by locale"),
    (r"\bstd::sto(i|l|ll|ul|ull|f|d|ld)\b", "parses numbers by locale"),
    (r"\bsetlocale\s*\(|\bstd::locale\b|\bimbue\s*\(", "touches the locale"),
    (r"\bv?(f|s|sn|as|d)?printf\s*\(|\b(f?puts|putchar|perror|fwrite)\s*\(", "prints"),
    (r"\b(snprintf|sscanf|scanf|fscanf)\s*\(", "prints or scans by locale"),
    (r"\bstd::(cout|cerr|clog|cin)\b|<(io|o|i|s|f)stream>|<iomanip>", "prints"),
    # The process is the host's.
    (r"\b(std::)?(abort|_?[eE]xit|quick_exit|atexit|terminate)\s*\(", "ends the process"),
    (r"\b(signal|sigaction|raise|kill|fork|vfork|system|popen|dlopen|exec[lv]p?e?)\s*\(",
     "touches the process"),
    (r"\bstd::(thread|jthread|async)\b|\bpthread_create\s*\(", "starts a thread"),
    (r"\b(socket|connect|bind|listen|accept|recv|sendto)\s*\(\s*[A-Z]", "opens a socket"),
    (r"\bthrow\b(?!\(\))", "throws"),
    (r"\b(gets|strcpy|strcat|alloca)\s*\(", "writes without a bound"),
    # Abseil's hash tables destroy themselves wrongly after an allocation of theirs has thrown.
    (r"\b(flat|node)_hash_(map|set)\s*<", "does not survive a lack of memory"),
]
BANNED = [(re.compile(pattern), what) for pattern, what in BANNED]
ASSERT = re.compile(r"(?<!static_)\bassert\s*\((.*)")
SIDE_EFFECT = re.compile(r"\+\+|--|(?<![=!<>+\-*/%&|^])=(?!=)|[+\-*/%&|^]=")

MAX_COLUMNS = 100
MAX_LINES = 600
# What weir.h is made of; hosts include weir.h.
ABI_PARTS = ("weir_balancing.h", "weir_bookkeeping.h", "weir_breaking.h", "weir_caching.h",
             "weir_counting.h", "weir_limiting.h")


def _in(path, *folders):
    return path.startswith(tuple(folder + "/" for folder in folders))


def _room(header):
    """The room that weir/<header> is the manual of."""
    name = header.rsplit(".", 1)[0]
    return HEADER_ROOMS.get(name, name)


def _floor(path):
    """The floor of a file of lib/, include/weir/ or capi/; None elsewhere."""
    parts = path.split("/")
    if parts[0] == "lib" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ["include", "weir"]:
        return _room(parts[2])
    return "capi" if parts[0] == "capi" else None


def _includes(file):
    for number, line in enumerate(file.code_lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def layering(files):
    """A file reads its own folder, the ground floors and the C++ API of lower floors."""
    for file in files:
        floor = _floor(file.path)
        if not file.is_c or floor is None:
            continue
        if floor not in FLOORS:
            yield file.path, 1, f"'{floor}' is no floor of the house"
            continue
        public = file.path.startswith("include/")
        for number, mark, header in _includes(file):
            if mark == "<" or header.startswith("absl/"):
                continue
            folder, _, rest = header.partition("/")
            if _in(file.path, "capi/include"):
                allowed = file.path == "capi/include/weir.h" and header in ABI_PARTS
            elif folder == "weir":
                name = _room(rest)
                allowed = name == floor or name in FLOORS[floor]
            elif header == "weir.h":
                allowed = floor == "capi"
            elif not rest:
                allowed = floor == "capi" or header.startswith(tuple(VENDORS))
            else:
                ground = FLOORS[floor] & GROUND if floor in GROUND else GROUND
                allowed = not public and (folder == floor or folder in ground
                                          or header.startswith(tuple(VENDORS)))
            if not allowed:
                yield file.path, number, f"{floor} may not include \"{header}\""


def outsiders(files):
    """Examples and bindings know the C ABI only."""
    for file in files:
        if not file.is_c or not _in(file.path, "examples", "bindings"):
            continue
        for number, _, header in _includes(file):
            if header.startswith(("weir/", "absl/", "lib/")) or header in ABI_PARTS:
                yield file.path, number, f"only weir.h is for hosts, not \"{header}\""


def quarantine(files):
    """A vendor's header is read in its own place only."""
    readers = {}
    for file in files:
        if not file.is_c or not _in(file.path, "lib", "capi", "include"):
            continue
        for number, _, header in _includes(file):
            for vendor, place in VENDORS.items():
                if not header.startswith(vendor):
                    continue
                readers.setdefault(vendor, []).append(file.path)
                if not re.fullmatch(place, file.path):
                    yield file.path, number, f"{header} may not be read here"
    if len(set(readers.get("sentencepiece", []))) > 1:
        yield readers["sentencepiece"][1], 1, "sentencepiece is read in more than one file"


def banned_calls(files):
    """The library takes time, chance and settings as arguments and leaves the process alone."""
    for file in files:
        if not file.is_c or not _in(file.path, "lib", "capi", "include"):
            continue
        if "/generate/" in file.path:  # runs on the building machine, not in the host
            continue
        for number, line in enumerate(file.code_lines, 1):
            for pattern, what in BANNED:
                match = pattern.search(line)
                if match:
                    yield file.path, number, f"{what}: {match.group(0).strip()}"
            match = ASSERT.search(line)
            if match and SIDE_EFFECT.search(match.group(1)):
                yield file.path, number, "an assert with a side effect"


def string_views(files):
    """std::string_view everywhere: some distributions' absl::string_view is another type."""
    for file in files:
        if not file.is_c or file.path == "lib/base/text.h":
            continue
        for number, line in enumerate(file.code_lines, 1):
            if "absl::string_view" in line:
                yield file.path, number, "absl::string_view (see lib/base/text.h)"


def guard_name(path):
    stem = path[len("include/weir/"):] if path.startswith("include/weir/") else path
    stem = stem.replace("capi/src/", "capi/", 1)
    if _in(path, "capi/include"):
        stem = path[len("capi/include/"):]
        return stem.replace(".", "_").upper() + "_"
    return "WEIR_" + re.sub(r"[^A-Za-z0-9]", "_", stem).upper() + "_"


def header_guards(files):
    for file in files:
        if not file.path.endswith(".h"):
            continue
        guard = guard_name(file.path)
        code = [line for line in file.code_lines if line.strip()]
        if (len(code) < 3 or code[0].split() != ["#ifndef", guard]
                or code[1].split() != ["#define", guard] or code[-1].split()[0] != "#endif"):
            yield file.path, 1, f"the guard should be {guard}"


# Characters that turn or hide text.
HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


INPUTS = ("tests/fuzz/corpus/", "tests/tokens/loaded/")


def text_form(files):
    """Columns, lines, tabs, line ends, characters."""
    for file in files:
        # Inputs of tests are as they are.
        if "/data/" in file.path or file.path.startswith(INPUTS):
            continue
        prose = (file.path.endswith((".md", ".json", ".jsonl", ".jsonc", ".txt", ".tsv", ".svg",
                                    ".abi"))
                 or file.path in ("LICENSE", ".clang-tidy"))
        if file.text and not file.text.endswith("\n"):
            yield file.path, len(file.lines), "no newline at the end"
        if file.is_c and len(file.lines) - 1 > MAX_LINES:
            yield file.path, len(file.lines) - 1, f"more than {MAX_LINES} lines"
        for number, line in enumerate(file.lines, 1):
            if len(line) > MAX_COLUMNS and not prose:
                yield file.path, number, f"{len(line)} columns, more than {MAX_COLUMNS}"
            if line.endswith((" ", "\t", "\r")) and not file.path.endswith(".md"):
                yield file.path, number, "white space at the end of the line"
            if file.is_c and "\t" in line:
                yield file.path, number, "a tab"
            if HIDDEN.search(line):
                yield file.path, number, "a hidden or turning character"


def ascii_code(files):
    """Outside comments sources are ASCII: string literals spell other characters as escapes."""
    for file in files:
        if not file.is_c:
            continue
        without_comments = re.sub(
            r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")',
            lambda m: m.group(1) or "\n" * m.group(0).count("\n"), file.text, flags=re.S)
        for number, line in enumerate(without_comments.split("\n"), 1):
            if not line.isascii():
                yield file.path, number, "a character that is not ASCII outside a comment"


UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")


def finished(files):
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if UNFINISHED.search(line):
                yield file.path, number, "unfinished: " + line.strip()[:60]


def machine_paths(files, root):
    """Nothing names the machine it was written on."""
    paths = re.compile(re.escape(root) + r"(?![\w-])|(?<![\w.])/(home|Users)/[a-z]\w*"
                       r"|(?<![\w.])/root[/]|file://[/]")
    for file in files:
        for number, line in enumerate(file.lines, 1):
            match = paths.search(line)
            if match:
                yield file.path, number, f"a path of one machine: {match.group(0)}"


RELEASE = r"(\d+\.\d+\.\d+)"
# Where a release is said: manifest files of bindings, and prose or text that puts it behind "weir".
MANIFEST = re.compile(r'^\s*"?version"?\s*[=:]\s*"' + RELEASE + '"', re.M)
NAMED = re.compile(r"\bweir[ /@-]v?" + RELEASE, re.I)


def one_version(files):
    """CMakeLists.txt says the release; whoever repeats it says the same."""
    by_path = {file.path: file for file in files}
    match = re.search(r"project\(weir VERSION " + RELEASE, by_path["CMakeLists.txt"].text)
    if not match:
        yield "CMakeLists.txt", 1, "no project version"
        return
    version = match.group(1)
    header = by_path["capi/include/weir.h"].text
    for part, value in zip(("MAJOR", "MINOR", "PATCH"), version.split(".")):
        if not re.search(rf"#define WEIR_VERSION_{part} {value}\n", header):
            yield "capi/include/weir.h", 1, f"WEIR_VERSION_{part} is not {value}"
    for file in files:
        for pattern in (MANIFEST, NAMED):
            if pattern is MANIFEST and not _in(file.path, "bindings"):
                continue
            for match in pattern.finditer(file.text):
                if match.group(1) != version:
                    line = file.text.count("\n", 0, match.start()) + 1
                    yield file.path, line, f"says {match.group(1)}; this is {version}"


def readme_examples(files):
    """What README.md shows is what tests/install builds."""
    by_path = {file.path: file for file in files}
    readme = by_path.get("README.md")
    if readme is None:
        yield "README.md", 1, "there is none"
        return
    for path in ("tests/install/readme_example.c", "tests/install/readme_example.cc"):
        if path not in by_path:
            yield path, 1, "there is none"
        elif by_path[path].text.strip("\n") not in readme.text:
            yield "README.md", 1, f"does not show {path} word for word"


FUNCTION = re.compile(r"^(?=\w)[\w:<>*& ]+?\b(\w+)\(([^;{}]*)\)\s*(?:noexcept\s*)?\{$", re.M)


def barriers(files):
    """Every export with an error to fill runs inside the barrier that stops exceptions. The others
    only look, and cannot throw."""
    for file in files:
        if not (file.path.startswith("capi/") and file.path.endswith(".cc")):
            continue
        code = "\n".join(file.code_lines)
        bodies = {}
        for match in FUNCTION.finditer(code):
            end = code.find("\n}", match.end())
            bodies[match.group(1)] = (match, code[match.end():end])
        guarded = {name for name, (_, body) in bodies.items() if "Guard(" in body} | {"Guard"}
        for name, (match, body) in bodies.items():
            if not name.startswith("weir_") or "weir_error*" not in match.group(2):
                continue
            if not any(helper + "(" in body for helper in guarded):
                line = code.count("\n", 0, match.start()) + 1
                yield file.path, line, f"{name} has no Guard"


def all_findings(files, root):
    for rule in (layering, outsiders, quarantine, banned_calls, string_views, header_guards,
                 text_form, ascii_code, finished, one_version, readme_examples, barriers):
        yield from rule(files)
    yield from machine_paths(files, root)
