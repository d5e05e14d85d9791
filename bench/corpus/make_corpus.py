#!/usr/bin/env python3
"""Makes the texts that bench/tokens_bench and its neighbours count, from Debian's packages.

usage: make_corpus.py FOLDER      (default: build/corpus)

One file a kind of text, about 1 MB each, the same bytes on every machine with the same packages.
Packages are downloaded and unpacked below FOLDER, not installed. Real text of many hands: the
Debian handbook in 26 languages, manual pages, git's documentation, the names of countries and
languages, and the sources of whatever C headers and Python library this machine has. What no
package holds (chats, logs, hex, emoji) is put together from those with a seeded generator.
"""

import base64
import gettext
import gzip
import html
import json
import pathlib
import random
import re
import subprocess
import sys
import sysconfig

PACKAGES = ["debian-handbook", "git-doc", "fortunes", "iso-codes", "manpages-ru", "manpages-ja",
            "manpages-zh"]
BYTES = 1_000_000
TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.S)


def fetch(folder):
    """Downloads and unpacks the packages; returns the root of what they hold."""
    root = folder / "packages"
    if root.exists():
        return root
    download = folder / "download"
    download.mkdir(parents=True, exist_ok=True)
    print("fetching", *PACKAGES, file=sys.stderr)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=download, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for deb in sorted(download.glob("*.deb")):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    return root


def plain(path):
    return html.unescape(TAG.sub("", path.read_text(errors="replace")))


def squeeze(text):
    """Blank lines as prose has them."""
    return re.sub(r"\n\s*\n\s*", "\n\n", re.sub(r"[ \t]+", " ", text)).strip()


def handbook(root, *languages):
    base = root / "usr/share/doc/debian-handbook/html"
    pages = []
    for language in languages:
        pages += sorted((base / language).rglob("*.html"))
    return "\n\n".join(squeeze(plain(page)) for page in pages)


def manual(root, language):
    pages = sorted((root / "usr/share/man" / language).rglob("*.gz"))
    return "\n".join(gzip.open(page, "rt", errors="replace").read() for page in pages[:1500])


def names(root, *languages):
    lines = []
    for language in languages:
        for path in sorted((root / "usr/share/locale" / language / "LC_MESSAGES").glob("*.mo")):
            with open(path, "rb") as file:
                catalog = gettext.GNUTranslations(file)._catalog
            lines += [text for text in catalog.values() if isinstance(text, str) and text]
    return ", ".join(lines)


def files(folder, pattern, limit=400):
    paths = [path for path in sorted(pathlib.Path(folder).rglob(pattern)) if path.is_file()]
    return "\n".join(path.read_text(errors="replace") for path in paths[:limit])


def chat(rng, prose, code):
    paragraphs = [p for p in prose.split("\n\n") if 80 < len(p) < 900]
    turns = []
    size = 0
    while size < BYTES:
        turn = "user: " + rng.choice(paragraphs) + "\n\nassistant: " + rng.choice(paragraphs)
        if rng.random() < 0.3:
            start = rng.randrange(len(code) - 900)
            turn += "\n\n```python\n" + code[start:start + rng.randrange(200, 800)] + "\n```"
        turns.append(turn)
        size += len(turn)
    return "\n\n".join(turns)


def records(rng, prose):
    words = prose.split()
    rows = []
    for _ in range(6000):
        rows.append({"id": rng.getrandbits(48), "name": " ".join(rng.sample(words, 2)),
                     "score": round(rng.random(), 4), "tags": rng.sample(words, 3),
                     "active": rng.random() < 0.5, "at": f"2026-0{rng.randrange(1, 9)}-1"
                     f"{rng.randrange(9)}T0{rng.randrange(9)}:{rng.randrange(10, 59)}:00Z"})
    return json.dumps(rows[:3000], indent=2) + "\n".join(json.dumps(row) for row in rows[3000:])


def logs(rng, prose):
    words = [word for word in prose.split() if word.isalpha()]
    lines = []
    for i in range(9000):
        lines.append(f"2026-03-{1 + i // 400:02d}T{i % 24:02d}:{rng.randrange(60):02d}:"
                     f"{rng.randrange(60):02d}.{rng.randrange(1000):03d}Z 10.{rng.randrange(256)}."
                     f"{rng.randrange(256)}.{rng.randrange(256)} [{rng.randrange(99999)}] "
                     f"{rng.choice(['INFO', 'WARN', 'ERROR'])} {rng.choice(words)}="
                     f"{rng.random() * 1000:.3f} took {rng.randrange(5000)} ms status="
                     f"{rng.choice([200, 200, 404, 429, 503])}")
    return "\n".join(lines)


def emoji(rng, prose):
    faces = [chr(0x1F600 + i) for i in range(64)] + [
        "\U0001F469\u200D\U0001F469\u200D\U0001F467", "\U0001F44D\U0001F3FD", "\u2764\uFE0F"]
    return " ".join(word + (" " + "".join(rng.choices(faces, k=rng.randrange(1, 4)))
                            if rng.random() < 0.5 else "") for word in prose.split()[:90000])


def texts(root):
    rng = random.Random(2026)
    english = handbook(root, "en-US") + "\n\n" + "\n\n".join(
        path.read_text(errors="replace")
        for path in sorted((root / "usr/share/doc").glob("git/**/*.txt")))
    python = files(sysconfig.get_paths()["stdlib"], "*.py", 150)
    c = files("/usr/include", "*.h", 600)
    yield "english", english
    yield "chat", chat(rng, english, python)
    yield "code_c", c
    yield "code_py", python
    yield "json", records(rng, english)
    yield "html", files(root / "usr/share/doc/debian-handbook/html/en-US", "*.html")
    yield "logs", logs(rng, english)
    yield "european", handbook(root, "de-DE", "fr-FR", "es-ES", "pl-PL", "tr-TR", "cs-CZ")
    yield "ru", handbook(root, "ru-RU") + manual(root, "ru")
    yield "zh", handbook(root, "zh-CN", "zh-TW") + manual(root, "zh_CN")
    yield "ja", handbook(root, "ja-JP") + manual(root, "ja")
    yield "ko", handbook(root, "ko-KR")
    yield "arabic_hebrew", handbook(root, "ar-MA", "fa-IR") + names(root, "ar", "he")
    yield "thai_hindi", names(root, "th", "hi", "bn", "mr", "ta")
    yield "emoji", emoji(rng, english)
    yield "base64", "\n".join(base64.b64encode(rng.randbytes(3000)).decode() for _ in range(250))
    yield "hex", "\n".join(rng.randbytes(16).hex() + " " + rng.randbytes(8).hex()
                           for _ in range(18000))


def cut(text):
    """At most BYTES bytes of UTF-8, whole characters; short texts stay short."""
    return text.encode("utf-8", "replace")[:BYTES].decode("utf-8", "ignore").encode()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/corpus").resolve()
    if folder.name in ("-h", "--help"):
        print(__doc__)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts(fetch(folder)):
        (folder / f"{name}.txt").write_bytes(cut(text))
        print(f"{name:14} {len(cut(text)):9} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
