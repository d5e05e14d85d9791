#!/usr/bin/env python3
"""Token counting on real text: weir beside Python's tiktoken and npm's, in one run.

usage: compare.py [--bench build/release/bin/tokens_bench] [--corpus build/corpus]

Needs the corpus (make_corpus.py), the built benchmark, and a Python with the package tiktoken; with
node and the package tiktoken in the working folder's node_modules, that one too. All are fed with
weir's own rank file of o200k_base and count the same documents of 4 KiB. MB/s of processor time,
medians of 5; unseen is the last fifth after the first four.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import tiktoken

ROOT = pathlib.Path(__file__).resolve().parents[2]
UPPER, BOTH = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join([
    rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{BOTH}]+{SUFFIX}",
    rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{BOTH}]*{SUFFIX}",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
NODE = """
const { Tiktoken } = require('tiktoken');
const fs = require('fs');
const e = require('tiktoken/encoders/o200k_base.json');
const t = new Tiktoken(e.bpe_ranks, e.special_tokens, e.pat_str);
const b = fs.readFileSync(process.argv[1]); const d = [];
for (let i = 0; i < b.length; i += 4096) d.push(new TextDecoder().decode(b.subarray(i, i + 4096)));
let n = 0; for (const x of d.slice(0, 20)) t.encode_ordinary(x);
const s = process.cpuUsage(); for (const x of d) n += t.encode_ordinary(x).length;
const u = process.cpuUsage(s); console.log(n, b.length / (u.user + u.system));
"""


def ranks():
    data = (ROOT / "lib/tokens/data/o200k_base.ranks").read_bytes()
    result, at = {}, 12
    for rank in range(int.from_bytes(data[8:12], "little")):
        size = data[at]
        if size:
            result[data[at + 1:at + 1 + size]] = rank
        at += 1 + size
    return result


def by_weir(bench, corpus, kind, name):
    env = dict(os.environ, WEIR_CORPUS=str(corpus))
    rates = []
    for _ in range(5):
        run = subprocess.run([bench, f"--benchmark_filter=^{kind}/{name}(/|$)",
                              "--benchmark_format=json", "--benchmark_min_time=0.3"],
                             env=env, capture_output=True, text=True, check=True)
        rates.append(json.loads(run.stdout)["benchmarks"][0]["bytes_per_second"] / 1e6)
    return statistics.median(rates)


def by_tiktoken(encoding, documents, size):
    rates = []
    for _ in range(5):
        start = time.thread_time()
        for document in documents:
            encoding.encode_ordinary(document)
        rates.append(size / (time.thread_time() - start) / 1e6)
    return statistics.median(rates)


def by_node(path):
    if shutil.which("node") is None:
        return None
    run = subprocess.run(["node", "-e", NODE, str(path)], capture_output=True, text=True)
    return float(run.stdout.split()[1]) if run.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bench", default=ROOT / "build/release/bin/tokens_bench")
    parser.add_argument("--corpus", default=ROOT / "build/corpus", type=pathlib.Path)
    options = parser.parse_args()
    encoding = tiktoken.Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks(),
                                 special_tokens={})
    print("| text | tiktoken MB/s | npm tiktoken | weir warm | ratio | weir unseen | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for path in sorted(options.corpus.glob("*.txt")):
        data = path.read_bytes()
        documents = [data[at:at + 4096].decode(errors="replace")
                     for at in range(0, len(data), 4096)]
        python = by_tiktoken(encoding, documents, len(data))
        node = by_node(path)
        warm = by_weir(options.bench, options.corpus, "warm", path.stem)
        unseen = by_weir(options.bench, options.corpus, "unseen", path.stem)
        print(f"| {path.stem} | {python:.1f} | {f'{node:.1f}' if node else '–'} | {warm:.0f} | "
              f"{warm / python:.1f} | {unseen:.0f} | {unseen / python:.1f} |", flush=True)


if __name__ == "__main__":
    main()
