"""Source files as the rules see them: text, and the same text without comments or literals."""

import os
import re

SKIPPED_FOLDERS = {"build", ".git", "node_modules", "__pycache__", ".venv", ".cache"}
# What makers wrote or recorded, not people.
SKIPPED_SUFFIXES = (".ranks", ".inc", ".model", ".table", ".png", ".bin", ".sse", ".pyc")


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self._code = None

    @property
    def is_c(self):
        return self.path.endswith((".h", ".cc", ".c"))

    @property
    def code_lines(self):
        """The lines of a C or C++ file, comments blanked and literals emptied."""
        if self._code is None:
            self._code = strip(self.text).split("\n")
        return self._code


# Comments, raw strings, strings, characters; a digit separator (1'000) is not a character.
TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S,
)


def _blank(match):
    token = match.group(0)
    newlines = "\n" * token.count("\n")
    if token.startswith("/"):
        return " " + newlines
    return ("''" if token.startswith("'") else '""') + newlines


def strip(text):
    """`text` with comments blanked and literals emptied; #include lines keep theirs."""
    kept = []
    blanked = TOKEN.sub(_blank, text).split("\n")
    for line, original in zip(blanked, text.split("\n")):
        kept.append(original if line.lstrip().startswith("#include") else line)
    return "\n".join(kept)


def load(root):
    """Every text file of the tree, by path relative to `root`."""
    files = []
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS)
        for leaf in sorted(leaves):
            if leaf.endswith(SKIPPED_SUFFIXES):
                continue
            full = os.path.join(folder, leaf)
            with open(full, "rb") as file:
                data = file.read()
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                text = data.decode("latin-1")
            files.append(File(os.path.relpath(full, root), text))
    return files
