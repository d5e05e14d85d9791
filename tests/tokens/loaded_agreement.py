#!/usr/bin/env python3
"""Trains small tokenizers of many kinds and writes what their own libraries make of many texts.

usage: loaded_agreement.py FOLDER [--strings N] [--seed N] [--only NAME]   then compare:
       WEIR_LOADED_AGREEMENT=FOLDER tokens_test "loaded tokenizers agree with their libraries"
   or: loaded_agreement.py --fixtures      rewrites tests/tokens/loaded, which the usual run reads

Needs the PyPI packages tokenizers (0.23), tiktoken and sentencepiece, and the program spm_encode,
which must be of the same version as weir's SentencePiece. Nothing is downloaded: the training text
is words of many languages and the sources of Python's standard library.

Each NAME.json, NAME.model or NAME.tiktoken in the folder (with NAME.pattern) is a tokenizer, and
each line of NAME.jsonl a text and its ids.
"""

import argparse
import base64
import io
import json
import pathlib
import random
import string
import subprocess
import sys

import sentencepiece
import tiktoken
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, trainers)

CL100K_LIKE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
               r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = CL100K_LIKE.replace(r"\p{N}{1,3}", r"\p{N}")
WORD = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOW = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"{WORD}*{LOW}+|{WORD}+{LOW}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
TAIL = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (rf"{WORD}*{LOW}+{TAIL}|{WORD}+{LOW}*{TAIL}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK_CODER = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\s+$"]
CLIP = (r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]"
        r"|[^\s\p{L}\p{N}]+")

WORDS = """
the of and to gateway counts tokens before request budget limit stream model answer refuse HTTP JSON
I'm you'll we've they're DON'T it's
le la les être où garçon déjà Straße größer über niño mañana você não zażółć gęślą jaźń příliš
žluťoučký İstanbul ışık ǆungla ﬁne ﬀort
мир слово токен запрос предел модель 'я Ελλάδα λόγος σίγμας
שלום עולם مرحبا العالم كتاب لا فارسی خواهم
नमस्ते दुनिया हिन्दी क्षत्रिय বাংলা ভাষা தமிழ் ไทย ภาษาไทย สวัสดี မြန်မာ ភាសាខ្មែរ
中文 世界 你好 令牌 请求 模型 日本語 こんにちは カタカナ ﾊﾝｶｸ ｶﾞ 한국어 안녕하세요 토큰
😀 🇫🇷 👍🏽 € £ ± ² ½ Ⅻ ① １２３ ㍿ ﷺ Å Å
""".split() + ["\u0645\u06cc\u200c", "\U0001f469\u200d\U0001f467", "\u2764\ufe0f"]

CORNERS = [
    "", " ", "  ", "   a", "a   ", "\n", "\r\n", "\r\n\r\n", " \n \n", "\n\n\n a", "\t\ta",
    "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\ufeff", "\ufeffa", "\u2581",
    "\u2581\u2581a", "a\u2581b", "\x00", "a\x00b", "\x7f", "\ufffd", "\U0010ffff", "e\u0301",
    "\u0301", "a\u0315\u0300\u05ae\u0300b", "\u1e9b\u0323", "\u212b", "\ufb01", "\u0130", "\u01c5",
    "\uff21\uff22", "\uff21\u0301", "\u1100\u1161\u11a8", "\uac00\u11a8", "'s", "'S", "'ſ",
    "'\u017f", "K's", "\u212a'LL", "<unk>", "<s>", "</s>", "<0x41>", "<|endoftext|>",
    "<|im_start|>user", "[INST]", "<tool_call>", "  <tool_call>  x", "x<tool_call>y", "1234567890",
    "12 345", "３４", "\u0661\u0662", "``quoted''", "a-b_c.d/e\\f", "!!!???", "()[]{}",
    "\U00011935\U00011930", "\U000105d2\u0307", "\u1cf2\u1cf3", "\u09be", "\ufdfa x", "\u32ff",
    "ǅ", "ß", "ss SS", "a" * 300, " " * 300, "\n" * 100, "ab" * 200, "😀" * 60, "中" * 120,
    "1" * 100, "." * 200, "a\u0301" * 80, "\u0301\u0323" * 60, "\r" * 50, "\t \t " * 40,
]

CHARACTER_RANGES = [
    (0x20, 0x7E), (0x20, 0x7E), (0x09, 0x0D), (0xA0, 0xFF), (0x100, 0x24F), (0x2B0, 0x36F),
    (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x9FF), (0xE00, 0xE7F), (0x1100, 0x11FF),
    (0x1AB0, 0x1AFF), (0x1D00, 0x1EFF), (0x2000, 0x206F), (0x2070, 0x218F), (0x2460, 0x24FF),
    (0x2580, 0x2583), (0x3000, 0x30FF), (0x3200, 0x33FF), (0x4E00, 0x4FFF), (0xA640, 0xA7FF),
    (0xAC00, 0xAD00), (0xF900, 0xFAFF), (0xFB00, 0xFEFF), (0xFF00, 0xFFEF), (0x10000, 0x10FFF),
    (0x11000, 0x11FFF), (0x16100, 0x16FFF), (0x1D100, 0x1D7FF), (0x1F100, 0x1F1FF),
    (0x1F300, 0x1F6FF), (0x20000, 0x20100), (0, 0x10FFFF),
]


def random_character(rng):
    while True:
        c = rng.randint(*rng.choice(CHARACTER_RANGES))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def library_sources():
    found = []
    for name in ("argparse", "ast", "base64", "calendar", "csv", "difflib", "json.decoder",
                 "string"):
        module = __import__(name, fromlist=["x"])
        found.append(pathlib.Path(module.__file__).read_text("utf-8"))
    return found


def training_lines(rng, sources):
    lines = []
    for source in sources:
        lines += source.splitlines()[:400]
    for _ in range(4000):
        lines.append(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))))
    for _ in range(400):
        lines.append(str(rng.randint(0, 10**rng.randint(1, 9))))
    return lines


def random_text(rng, sources):
    kind = rng.randint(0, 5)
    if kind == 0:
        source = rng.choice(sources)
        start = rng.randint(0, len(source) - 1)
        return source[start : start + rng.randint(1, 120)]
    if kind == 1:
        glue = rng.choice([" ", " ", "  ", "", "\n", "\t", ", ", "'s ", "\u3000", "\r\n",
                           "\u2581", "-"])
        return glue.join(rng.choice(WORDS) for _ in range(rng.randint(1, 10)))
    if kind == 2:
        return "".join(random_character(rng) for _ in range(rng.randint(1, 20)))
    if kind == 3:
        return "".join(rng.choice(CORNERS[:80]) for _ in range(rng.randint(1, 5)))
    if kind == 4:
        return "".join(rng.choice(string.printable) for _ in range(rng.randint(1, 30)))
    bits = bytes(rng.randint(0, 255) for _ in range(rng.randint(1, 30)))
    return bits.decode("utf-8", "replace")


def mutated(rng, text):
    characters = list(text)
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, len(characters))
        action = rng.randint(0, 2)
        if action == 0:
            characters.insert(at, random_character(rng))
        elif characters and action == 1:
            del characters[min(at, len(characters) - 1)]
        elif characters:
            at = min(at, len(characters) - 1)
            characters[at:at] = characters[at : at + rng.randint(1, 4)]
    return "".join(characters)


def texts(rng, sources, count):
    if count == 0:  # every character there is
        for start in range(0, 0x110000, 32):
            characters = [chr(c) for c in range(start, start + 32) if not 0xD800 <= c < 0xE000]
            yield "a".join(characters)
            yield "\u00bd\u0301".join(characters) + " "
        return
    corners = CORNERS
    if count < len(CORNERS):  # for the fixtures, which are to be small
        corners = rng.sample([c for c in CORNERS if len(c) < 100], count // 2)
    yield from corners
    for _ in range(count - len(corners)):
        yield mutated(rng, random_text(rng, sources))


# --- The tokenizers -------------------------------------------------------------------------------

SPECIALS = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|im_start|>", "[INST]"]
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(lines, size, *before, normalizer=None, prefix=False, use_regex=False, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    last = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*before, last]) if before else last
    tokenizer.decoder = decoders.ByteLevel()
    affix = {}
    if "end_of_word_suffix" in options:
        affix["end_of_word_suffix"] = options["end_of_word_suffix"]
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=ALPHABET, show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|im_start|>"], **affix)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def sentence_bpe(lines, size, normalizer, pre_tokenizer, specials=None, **options):
    """BPE of characters with byte fallback, as conversions from SentencePiece are."""
    options.setdefault("unk_token", "<unk>")
    options.setdefault("byte_fallback", True)
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    # Trained by words, so that no token spans them; used as the configuration says.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=size, limit_alphabet=160, show_progress=False,
                                  special_tokens=(specials or ["<unk>", "<s>", "</s>"]) + BYTES)
    tokenizer.train_from_iterator(lines, trainer)
    if pre_tokenizer is None:
        document = json.loads(tokenizer.to_str())
        document["pre_tokenizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(document))
    else:
        tokenizer.pre_tokenizer = pre_tokenizer
    # Byte tokens are in the vocabulary only.
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in BYTES]
    return Tokenizer.from_str(json.dumps(document))


def unigram(lines, size, normalizer, pre_tokenizer, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<s>", "<pad>", "</s>", "<unk>"] + (BYTES if byte_fallback else [])
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token="<unk>",
                                      show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    document = json.loads(tokenizer.to_str())
    document["model"]["byte_fallback"] = byte_fallback
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in BYTES]
    return Tokenizer.from_str(json.dumps(document))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields_of(message):
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        if key & 7 == 2:
            size, at = read_varint(message, at)
            yield key >> 3, message[at : at + size]
            at += size
        elif key & 7 == 5:
            at += 4
        elif key & 7 == 1:
            at += 8
        else:
            _, at = read_varint(message, at)


def sentence_model(lines, model_type, size, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in lines if line.strip()), model_writer=model,
        model_type=model_type, vocab_size=size, hard_vocab_limit=False, minloglevel=2,
        num_threads=1, **options)
    return model.getvalue()


def chars_map(model):
    for number, value in fields_of(model):
        if number == 3:
            for inner, data in fields_of(value):
                if inner == 2:
                    return data
    raise SystemExit("the model has no charsmap")


def small_chars_map(lines, folder):
    """A few rules of our own: the usual ones are 240 KB."""
    rules = {"\uff21": "A", "\uff22": "B", "ﬁ": "fi", "½": "1\u20442", "\u212b": "Å",
             "e\u0301": "é",
             "①": "1", "\u3000": " ", "\t": " ", "\r": " ", "\ufdfa": "صلى الله", "Ａ\u0301": "Á"}
    path = folder / "rules.tsv"
    with open(path, "w", encoding="utf-8") as out:
        for source, target in rules.items():
            code = " ".join(f"{ord(c):X}" for c in source)
            out.write(code + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    model = sentence_model(lines[-1500:], "unigram", 300, normalization_rule_tsv=str(path))
    path.unlink()
    return chars_map(model)


def added_everywhere(tokenizer):
    tokenizer.add_tokens([
        AddedToken("<tool_call>", normalized=False),
        AddedToken("</tool_call>", normalized=False, lstrip=True, rstrip=True),
        AddedToken("gateway", normalized=True, single_word=True),
        AddedToken("Straße", normalized=True),
        AddedToken("  ", normalized=False), AddedToken("\n\n", normalized=False),
        AddedToken("\n\n\n", normalized=False),
        AddedToken("xyz", normalized=True, rstrip=True), AddedToken("xyzz", lstrip=True),
    ])
    tokenizer.add_special_tokens([AddedToken("<|fim|>", normalized=False), "<tool_call><hidden>"])
    return tokenizer


def hugging_face(lines, size, large_map):
    """Yields the name and the tokenizer of each family, then of each step by itself."""
    metaspace = pre_tokenizers.Metaspace
    replace_space = normalizers.Replace(" ", "▁")
    precompiled = normalizers.Precompiled(large_map)
    yield "llama3", byte_level(lines, size, split(CL100K_LIKE), ignore_merges=True)
    yield "qwen2", added_everywhere(
        byte_level(lines, size, split(QWEN2), normalizer=normalizers.NFC()))
    yield "mistral_tekken", byte_level(lines, size, split(TEKKEN), ignore_merges=True)
    yield "o200k", byte_level(lines, size, split(O200K))
    yield "mistral_metaspace", added_everywhere(sentence_bpe(
        lines, size, normalizers.Sequence([normalizers.Prepend("▁"), replace_space]), None,
        fuse_unk=True))
    yield "mistral_first", added_everywhere(sentence_bpe(
        lines, size, None, metaspace(prepend_scheme="first", split=False), fuse_unk=True))
    yield "deepseek_v3", byte_level(
        lines, size, split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK))
    yield "deepseek_coder", byte_level(lines, size, *[split(p) for p in DEEPSEEK_CODER],
                                       pre_tokenizers.Digits(True))
    yield "phi3", added_everywhere(sentence_bpe(
        lines, size, normalizers.Sequence([normalizers.Prepend("▁"), replace_space]), None,
        fuse_unk=True, ignore_merges=True))
    yield "phi4", byte_level(lines, size, split(CL100K_LIKE, "removed", True))
    yield "gemma", sentence_bpe(lines, size, replace_space,
                                pre_tokenizers.Split(" ", "merged_with_previous"), fuse_unk=True)
    yield "gemma_added", added_everywhere(sentence_bpe(
        lines, size, replace_space, pre_tokenizers.Split(" ", "merged_with_previous"),
        fuse_unk=True))
    yield "t5", unigram(lines, size, normalizers.Sequence(
        [precompiled, normalizers.Strip(left=False, right=True),
         normalizers.Replace(Regex(" {2,}"), "▁")]), metaspace())
    yield "xlm_roberta", added_everywhere(unigram(lines, size, precompiled, pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), metaspace()])))
    yield "unigram_bytes", unigram(lines, size, None, metaspace(prepend_scheme="first"), True)
    yield "albert", unigram(lines, size, normalizers.Sequence(
        [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
         normalizers.StripAccents(), normalizers.Lowercase(), precompiled]), metaspace())
    yield "gpt2", byte_level(lines, size, use_regex=True)
    yield "gpt2_prefix", added_everywhere(byte_level(lines, size, prefix=True, use_regex=True))
    yield "starcoder", byte_level(lines, size, pre_tokenizers.Digits(True), use_regex=True)
    yield "clip", byte_level(
        lines, size, split(CLIP, "removed", True), end_of_word_suffix="</w>",
        unk_token="<|endoftext|>",
        normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                         normalizers.Lowercase()]))
    yield "falcon", falcon(lines, size)
    yield "bert", word_piece(lines, size, normalizers.BertNormalizer(),
                             pre_tokenizers.BertPreTokenizer())
    yield "bert_cased", word_piece(lines, size, normalizers.BertNormalizer(lowercase=False),
                                   pre_tokenizers.BertPreTokenizer())
    yield "word_level", word_level(lines, size)
    yield "bpe_dropping", sentence_bpe(lines, size, replace_space, None, unk_token=None,
                                       byte_fallback=False)
    yield "bpe_unknown", sentence_bpe(lines, size, replace_space, None, byte_fallback=False)
    yield "bpe_fused", sentence_bpe(lines, size, replace_space, None, byte_fallback=False,
                                    fuse_unk=True)
    yield "bpe_some_bytes", without_tokens(sentence_bpe(lines, size, replace_space, None),
                                           BYTES[0xE0:0xE5])
    yield "bpe_prefix", prefixed_bpe(lines, size)
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "Strip",
                 "ByteLevel", "BertNormalizer"):
        yield "normalizer_" + form, sentence_bpe(
            lines, size, normalizers.Sequence([getattr(normalizers, form)(), replace_space]),
            metaspace(prepend_scheme="first"))
    yield "precompiled", added_everywhere(sentence_bpe(
        lines, size, precompiled, metaspace(prepend_scheme="first", split=False)))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next",
                     "contiguous"):
        for invert in (False, True):
            yield f"split_{behavior}_{invert}".lower(), byte_level(
                lines, size, split(r"\s|[aeiou]", behavior, invert))
        yield "punctuation_" + behavior, byte_level(
            lines, size, pre_tokenizers.Punctuation(behavior), pre_tokenizers.Digits(False))
    yield "bert_words", byte_level(lines, size, pre_tokenizers.BertPreTokenizer())
    yield "whitespace", byte_level(lines, size, pre_tokenizers.Whitespace(),
                                   metaspace(prepend_scheme="first"))


def without_tokens(tokenizer, dropped):
    document = json.loads(tokenizer.to_str())
    for token in dropped:
        del document["model"]["vocab"][token]
    return Tokenizer.from_str(json.dumps(document))


def falcon(lines, size):
    tokenizer = byte_level(lines, size)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(False), split("[0-9][0-9][0-9]")])
    return tokenizer


def word_piece(lines, size, normalizer, pre_tokenizer):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]"], show_progress=False))
    return tokenizer


def word_level(lines, size):
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(lines, trainers.WordLevelTrainer(
        vocab_size=size, special_tokens=["[UNK]"], show_progress=False))
    return tokenizer


def prefixed_bpe(lines, size):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##",
                                     end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, limit_alphabet=120, special_tokens=["<unk>"], show_progress=False,
        continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    return tokenizer


def tiktoken_encoding(lines, size, pattern):
    """Ranks trained by the BPE trainer, in the order in which it found them."""
    trained = json.loads(byte_level(lines, size, split(CL100K_LIKE)).to_str())["model"]["vocab"]
    to_byte = {c: b for b, c in byte_characters().items()}
    ranks = {}
    for token, _ in sorted(trained.items(), key=lambda item: item[1]):
        if all(c in to_byte for c in token) and not token.startswith("<|"):
            ranks[bytes(to_byte[c] for c in token)] = len(ranks)
    return tiktoken.Encoding("small", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def byte_characters():
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(0x100 + i) for i, b in enumerate(rest)}}


TIKTOKEN_PATTERNS = {
    "r50k_base": (r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)"
                  r"|\s"),
    "cl100k_base": (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
                    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"),
    "o200k_base": O200K,
}


# --- Writing --------------------------------------------------------------------------------------

# All in ASCII, since texts have characters that editors hide or turn.
def write_expectations(path, encode, chosen):
    with open(path, "w", encoding="utf-8") as out:
        for text in chosen:
            out.write(json.dumps([text, encode(text)]) + "\n")


def write_sentence_expectations(path, chosen):
    """By spm_encode, which is the SentencePiece that weir links; it reads lines."""
    lines = [text for text in chosen if "\n" not in text and "\0" not in text]
    found = subprocess.run(["spm_encode", "--output_format=id", f"--model={path}.model"],
                           input="".join(line + "\n" for line in lines).encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    ids = [[int(id) for id in line.split()] for line in found.stdout.decode().split("\n")]
    with open(f"{path}.jsonl", "w", encoding="utf-8") as out:
        for text, expected in zip(lines, ids):
            out.write(json.dumps([text, expected]) + "\n")


def write_all(folder, strings, size, seed, only, large_rules=True):
    folder.mkdir(parents=True, exist_ok=True)
    sources = library_sources()
    lines = training_lines(random.Random(seed), sources)
    if size < 500:
        lines = lines[-2000:]

    def chosen(name):
        return texts(random.Random(f"{seed} {name}"), sources, strings)

    if large_rules:
        rules = chars_map(sentence_model(lines, "unigram", 400))
    else:
        rules = small_chars_map(lines, folder)
    for name, tokenizer in hugging_face(lines, size, rules):
        if only and name != only:
            continue
        tokenizer.encode_special_tokens = True
        (folder / f"{name}.json").write_text(compact(tokenizer), "utf-8")
        # As loaded from the file that is written: some settings change on the way.
        loaded = Tokenizer.from_file(str(folder / f"{name}.json"))
        loaded.encode_special_tokens = True
        write_expectations(folder / f"{name}.jsonl",
                           lambda t, k=loaded: k.encode(t, add_special_tokens=False).ids,
                           chosen(name))
        print(name, flush=True)
    for name, pattern in TIKTOKEN_PATTERNS.items():
        if only and name != only:
            continue
        encoding = tiktoken_encoding(lines, size, pattern)
        ranks = sorted(encoding._mergeable_ranks.items(), key=lambda item: item[1])
        with open(folder / f"{name}.tiktoken", "wb") as out:
            for token, rank in ranks:
                out.write(base64.b64encode(token) + b" %d\n" % rank)
        (folder / f"{name}.pattern").write_text(name + "\n")
        write_expectations(folder / f"{name}.jsonl", encoding.encode_ordinary, chosen(name))
        print(name, flush=True)
    if large_rules:
        for model_type in ("bpe", "unigram", "word", "char"):
            name = "sentencepiece_" + model_type
            if only and name != only:
                continue
            model = sentence_model(lines, model_type, size, byte_fallback=model_type != "word")
            (folder / f"{name}.model").write_bytes(model)
            write_sentence_expectations(folder / name, chosen(name))
            print(name, flush=True)


def compact(tokenizer):
    document = json.loads(tokenizer.to_str())
    document.pop("decoder")
    document.pop("post_processor")
    return json.dumps(document, separators=(",", ":")) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--fixtures", action="store_true")
    parser.add_argument("--strings", type=int, default=2000,
                        help="texts for each tokenizer; 0: every character there is")
    parser.add_argument("--size", type=int, default=4000, help="tokens in each vocabulary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    if options.fixtures:
        folder = pathlib.Path(__file__).resolve().parent / "loaded"
        for old in folder.glob("*"):
            old.unlink()
        write_all(folder, 60, 330, options.seed, options.only, large_rules=False)
    elif options.folder:
        write_all(options.folder, options.strings, options.size, options.seed, options.only)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
