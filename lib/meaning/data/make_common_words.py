#!/usr/bin/env python3
"""make_common_words.py RANKS: writes common_words.inc, a Bloom filter of common English words.

RANKS is lib/tokens/data/r50k_base.ranks, the tokens of a vocabulary that was made of web pages:
what is a token of its own there, with a space before it, is common enough. Words are kept by their
stems, as lib/meaning/letters.cc cuts them, five bits for each.

  python3 lib/meaning/data/make_common_words.py lib/tokens/data/r50k_base.ranks
"""

import pathlib
import re
import sys

HEAD_BYTES = 12  # of the file of ranks
BITS, HASHES = 1 << 17, 5
MASK = (1 << 64) - 1


def tokens(raw):
    at = HEAD_BYTES
    while at < len(raw):
        size = raw[at]
        yield raw[at + 1:at + 1 + size]
        at += 1 + size


def stem(word):
    def ends(suffix):
        return len(word) >= len(suffix) + 3 and word.endswith(suffix)
    if ends("s") and word[-2] not in "su":
        word = word[:-1]
    if ends("ing"):
        word = word[:-3]
    elif ends("ed") or ends("ly") or ends("en"):
        word = word[:-2]
    if ends("e"):
        word = word[:-1]
    if len(word) > 3 and word[-1] == "y":
        word = word[:-1] + "i"
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word


def word_hash(word):
    value = 0xcbf29ce484222325
    for byte in word.encode():
        value = (value ^ byte) * 0x100000001b3 & MASK
    value ^= value >> 32
    value = value * 0xd6e8feb86659fd93 & MASK
    return value ^ value >> 32


def main(path):
    words = [0] * (BITS // 64)
    for token in tokens(pathlib.Path(path).read_bytes()):
        if not re.fullmatch(rb" [a-z]{4,}", token):
            continue
        value = word_hash(stem(token[1:].decode()))
        first, step = value & 0xFFFFFFFF, value >> 32 | 1
        for i in range(HASHES):
            bit = (first + i * step) % BITS
            words[bit // 64] |= 1 << bit % 64
    lines = ["// Made by make_common_words.py.\n"]
    for at in range(0, len(words), 4):
        lines.append(", ".join(f"0x{word:016x}" for word in words[at:at + 4]) + ",\n")
    out = pathlib.Path(__file__).with_name("common_words.inc")
    out.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
