"""count_test.py WEIR ROOT: `weir count` and `weir encodings`, asked as people and scripts do."""

import json
import os
import pty
import random
import subprocess
import sys
import tempfile
import unittest

WEIR, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
DONE, FAULTY, USAGE, OVER_LIMIT = 0, 1, 2, 3
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
# Words, and a mark for everything else.
WORDS = {"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "hello": 1}},
         "pre_tokenizer": {"type": "Whitespace"}}
# Kinds of text beside each other, so that pieces of every kind lie across a cut.
PROSE = ("The quick brown fox, 12345 of them;"
         " \u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439 \u4e16\u754c \U0001f600 "
         " and   so\n\n on: {\"a\": [1, 2.5, true]}\n")


class CountTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return name

    def weir(self, *arguments, stdin=b"", verb="count"):
        """Exit status, standard output (bytes), standard error (text)."""
        run = subprocess.run([WEIR, verb, *arguments], cwd=self.folder, capture_output=True,
                             input=stdin if isinstance(stdin, bytes) else stdin.encode())
        return run.returncode, run.stdout, run.stderr.decode()

    def expect(self, output, *arguments, status=DONE, stdin=b"", error="", verb="count"):
        """`error`: what standard error has in it; empty: nothing is there."""
        got = self.weir(*arguments, stdin=stdin, verb=verb)
        self.assertEqual((got[0], got[1].decode(errors="surrogateescape")), (status, output),
                         f"{arguments}: {got[2]}")
        if error:
            self.assertIn(error, got[2])
        else:
            self.assertEqual(got[2], "")

    def json(self, *arguments, status=DONE, stdin=b"", verb="count"):
        code, output, error = self.weir(*arguments, stdin=stdin, verb=verb)
        self.assertEqual(code, status, error)
        return json.loads(output)


class Texts(CountTest):
    def test_one(self):
        self.expect("3\n", "Hello, world")
        self.expect("3\n", "--text", "Hello, world")
        self.expect("3\n", "--text=Hello, world")
        self.expect("3\n", "--file", self.file("a", "Hello, world"))
        self.expect("3\n", stdin="Hello, world")
        self.expect("3\n", "-", stdin="Hello, world")
        self.expect("3\n", "--file", "-", stdin="Hello, world")

    def test_empty(self):
        self.expect("0\n", "")
        self.expect("0\n", stdin="")
        self.expect("0\n", "--file", self.file("empty", ""))
        self.expect("\n", "--ids", "")

    def test_not_utf8(self):
        # Each part that is not UTF-8 is one U+FFFD.
        text = "a\ufffdb\ufffd"
        count = self.weir("--text", text)[1].decode()
        self.expect(count, stdin=b"a\xffb\xe2\x82")
        self.expect(count, "--file", self.file("bad", b"a\xffb\xe2\x82"))

    def test_which_tokenizer(self):
        ids = {"o200k_base": "24912 2375", "cl100k_base": "15339 1917", "r50k_base": "31373 995"}
        for encoding, expected in ids.items():
            self.expect(expected + "\n", "--ids", "--encoding", encoding, "hello world")
        for model, encoding in (("gpt-4o-2024-08-06", "o200k_base"), ("davinci", "r50k_base"),
                                ("ft:gpt-4o:acme", "o200k_base"), ("gpt-35-turbo", "cl100k_base")):
            self.expect(ids[encoding] + "\n", "--ids", "--model", model, "hello world")

    def test_several(self):
        self.file("a.txt", "Hello, world")
        self.expect("        3  a.txt\n        2  \"two words\"\n        0  \"\"\n"
                    "        1  -\n        6  total\n",
                    "--file", "a.txt", "two words", "", "-", stdin="x")
        long = "word " * 20
        self.expect("       20  \"" + long[:40] + "\"...\n       20  \"" + long[:40] + "\"...\n"
                    "       40  total\n", long[:-1], long[:-1])

    def test_an_argument_that_names_a_file(self):
        self.file("a.txt", "Hello, world")
        self.expect("3\n", "a.txt", error="read as a file: a.txt (--text")
        self.expect("2\n", "--text", "a.txt")
        self.expect("2\n", "--", "a.txt")
        self.expect("1\n", "--", "-x")
        self.expect("1\n", ".")  # a folder is no file to read

    def test_json(self):
        self.file("a.txt", "Hello, world")
        self.assertEqual(self.json("--json", "--file", "a.txt", "two\nwords"), {
            "count": 6, "encoding": "o200k_base", "inputs": [
                {"file": "a.txt", "bytes": 12, "count": 3},
                {"text": "two\nwords", "bytes": 9, "count": 3}]})
        self.assertEqual(self.json("--json", "Hello, world"), {
            "count": 3, "encoding": "o200k_base",
            "inputs": [{"text": "Hello, world", "bytes": 12, "count": 3}]})
        self.assertEqual(self.json("--json", "--ids", "--model", "gpt-4", "hello world"), {
            "count": 2, "encoding": "cl100k_base",
            "inputs": [{"text": "hello world", "bytes": 11, "count": 2, "ids": [15339, 1917]}]})

    def test_missing_file(self):
        self.file("a.txt", "Hello, world")
        self.expect("", "--file", "none", status=FAULTY, error="cannot read none: No such file")
        self.expect("", "--file", ".", status=FAULTY, error="cannot read .: Is a directory")
        # What can be counted is; a total that lacks something is none.
        self.expect("        3  a.txt\n", "--file", "none", "--file", "a.txt", status=FAULTY,
                    error="cannot read none")
        answer = self.json("--json", "--file", "none", "--file", "a.txt", status=FAULTY)
        self.assertNotIn("count", answer)
        self.assertEqual(len(answer["inputs"]), 1)

    def test_unknown_names(self):
        self.expect("", "--model", "my-model", "x", status=FAULTY,
                    error='--model: no encoding is known for "my-model"')
        error = self.weir("--model", "my-model", "x")[2]
        for remedy in ("o200k_base", "--encoding", "--tokenizer FILE"):
            self.assertIn(remedy, error)
        self.expect("", "--encoding", "o300k", "x", status=FAULTY, error="weir encodings")
        self.expect("", "--modle", "x", status=USAGE, error="did you mean --model?")
        self.expect("", "--zzzzzzz", "x", status=USAGE, error="no option --zzzzzzz (weir count")
        self.expect("", "--model", status=USAGE, error="--model needs a value")
        self.expect("", "--ids=3", "x", status=USAGE, error="--ids takes no value")

    def test_what_does_not_go_together(self):
        for arguments in (["--jsonl", "--limit", "3"], ["--request", "x", "--ids"],
                          ["--request", "x", "--jsonl"], ["--parts", "x"],
                          ["--dialect", "openai", "x"], ["--model", "gpt-4", "--encoding", "gpt2"],
                          ["--encoding", "a", "--tokenizer", "b"], ["--pattern", "gpt2", "x"],
                          ["--decode", "--file", "x"], ["--limit", "-1", "x"],
                          ["--limit", "many", "x"], ["--limit", "", "x"]):
            code, output, error = self.weir(*arguments)
            self.assertEqual((code, output), (USAGE, b""), arguments)
            self.assertIn("weir count --help", error)

    def test_help(self):
        code, output, _ = self.weir("--help")
        self.assertEqual(code, DONE)
        text = output.decode()
        self.assertIn("Examples:", text)
        for option in ("--model", "--encoding", "--tokenizer", "--file", "--ids", "--decode",
                       "--limit", "--request", "--dialect", "--operation", "--jsonl", "--json"):
            self.assertIn(option, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_no_room_for_the_answer(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            run = subprocess.run([WEIR, "count", "x"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, FAULTY)
        self.assertIn(b"cannot write", run.stderr)


class Ids(CountTest):
    def test_there_and_back(self):
        self.expect("13225 11 2375\n", "--ids", "Hello, world")
        for ids in (["13225", "11", "2375"], ["13225,11,2375"], ["[13225, 11,", "2375]"]):
            self.expect("Hello, world", "--decode", *ids)
        for encoding in ("o200k_base", "cl100k_base", "p50k_base"):
            text = PROSE * 3
            ids = self.weir("--ids", "--encoding", encoding, stdin=text)[1]
            self.expect(text, "--decode", "--encoding", encoding, stdin=ids)
        self.assertEqual(self.json("--decode", "--json", "13225", "11", "2375"),
                         {"text": "Hello, world", "bytes": 12, "count": 3})
        self.expect("", "--decode", stdin="")
        self.expect("", "--decode", "13225", "0x1", status=FAULTY, error='"0x1" is not a token id')
        self.expect("", "--decode", "4294967296", status=FAULTY, error="is not a token id")
        self.expect("", "--decode", "4000000000", status=FAULTY,
                    error="there is no token 4000000000 in o200k_base")

    def test_special_tokens(self):
        text = "a<|endoftext|>"
        self.assertGreater(int(self.weir(text)[1]), 2)
        self.expect("2\n", "--special", text)
        self.expect("64 199999\n", "--special", "--ids", text)


class Limit(CountTest):
    def test_texts(self):
        self.expect("3\n", "--limit", "3", "Hello, world")
        self.expect("", "--limit", "2", "Hello, world", status=OVER_LIMIT,
                    error='"Hello, world": more than 2 tokens: over --limit')
        self.expect("", "--limit", "0", "x", status=OVER_LIMIT, error="more than 0")
        self.expect("0\n", "--limit", "0", "")
        self.expect("", "--limit", "2", "--ids", "Hello, world", status=OVER_LIMIT, error="over")
        answer = self.json("--json", "--limit", "2", "a", "Hello, world", status=OVER_LIMIT)
        self.assertEqual(answer, {
            "limit": 2, "fits": False, "encoding": "o200k_base", "inputs": [
                {"text": "a", "bytes": 1, "count": 1, "fits": True},
                {"text": "Hello, world", "fits": False}]})
        self.assertEqual(self.json("--json", "--limit", "9", "a")["fits"], True)

    def test_stops_reading(self):
        # An endless text.
        with open("/dev/zero", "rb") as endless:
            run = subprocess.run([WEIR, "count", "--limit", "1000"], stdin=endless,
                                 capture_output=True, timeout=60)
        self.assertEqual(run.returncode, OVER_LIMIT)


class Requests(CountTest):
    def setUp(self):
        super().setUp()
        self.file("chat.json", json.dumps(CHAT))

    def test_one(self):
        self.expect("10 exact  (openai chat, told by its shape; gpt-4o, o200k_base)\n",
                    "--request", "chat.json")
        self.expect("10 exact  (openai chat, told by its shape; gpt-4o, o200k_base)\n",
                    "--request", "-", stdin=json.dumps(CHAT))
        self.expect("10 exact  (azure-openai chat; gpt-4o, o200k_base)\n", "--request", "chat.json",
                    "--dialect", "azure-openai", "--operation", "chat")

    def test_json(self):
        answer = self.json("--json", "--request", "chat.json")
        parts = answer.pop("parts")
        self.assertEqual(answer, {
            "file": "chat.json", "prompt_tokens": 10, "provenance": "exact", "dialect": "openai",
            "operation": "chat", "is_guess": True, "model": "gpt-4o", "model_known": True,
            "encoding": "o200k_base"})
        self.assertEqual(sum(part["tokens"] for part in parts), 10)
        self.assertEqual([part["path"] for part in parts if part["kind"] == "message"],
                         ["messages[0]"])
        self.assertTrue(all(part["provenance"] == "exact" for part in parts))
        answer = self.json("--json", "--request", "-", stdin=json.dumps(CHAT))
        self.assertEqual(answer["prompt_tokens"], 10)

    def test_parts(self):
        lines = self.weir("--parts", "--request", "chat.json")[1].decode().splitlines()
        self.assertTrue(lines[0].startswith("10 exact"))
        self.assertEqual(sum(int(line.split()[0]) for line in lines[1:]), 10)
        self.assertIn("messages[0]", lines[-1])

    def test_models(self):
        del_model = json.dumps({"messages": CHAT["messages"]})
        self.assertEqual(self.json("--json", "--request", "-", "--model", "gpt-4",
                                   stdin=del_model)["encoding"], "cl100k_base")
        answer = self.json("--json", "--request", "-", "--model", "unheard-of", stdin=del_model)
        self.assertEqual((answer["provenance"], answer["model_known"]), ("estimated", False))
        self.expect("", "--request", "-", "--encoding", "nothing", stdin=del_model, status=FAULTY,
                    error="no encoding is known")
        self.assertEqual(self.json("--json", "--request", "-", "--encoding", "cl100k_base",
                                   stdin=del_model)["encoding"], "cl100k_base")
        answer = self.weir("--request", "-", stdin=del_model)[1].decode()
        self.assertIn("no model named, estimated with o200k_base", answer)

    def test_other_dialects(self):
        text = [{"role": "user", "content": "hi"}]
        for body, dialect, operation in (
                ({"model": "claude-4", "max_tokens": 9, "messages": text}, "anthropic", "chat"),
                ({"contents": [{"parts": [{"text": "hi"}]}]}, "gemini", "chat"),
                ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "bedrock", "chat"),
                ({"model": "gpt-5", "input": "hi"}, "openai", "responses"),
                ({"model": "gpt-3.5-turbo-instruct", "prompt": "hi"}, "openai", "completions"),
                ({"model": "text-embedding-3-small", "input": "hi"}, "openai", "embeddings")):
            answer = self.json("--json", "--request", "-", stdin=json.dumps(body))
            self.assertEqual((answer["dialect"], answer["operation"], answer["is_guess"]),
                             (dialect, operation, True))
            self.assertGreater(answer["prompt_tokens"], 0)

    def test_several(self):
        output = self.weir("--request", "chat.json", "--request", "chat.json")[1]
        lines = output.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[-1].split(), ["20", "total"])
        answer = self.json("--json", "--request", "chat.json", "--request", "chat.json")
        self.assertEqual(answer["prompt_tokens"], 20)
        self.assertEqual([one["file"] for one in answer["requests"]], ["chat.json"] * 2)

    def test_limit(self):
        self.assertEqual(self.weir("--request", "chat.json", "--limit", "10")[0], DONE)
        self.expect("", "--request", "chat.json", "--limit", "9", status=OVER_LIMIT,
                    error="chat.json: more than 9 prompt tokens: over --limit")
        self.assertEqual(self.weir("--request", "chat.json", "--limit", "0")[0], OVER_LIMIT)
        answer = self.json("--json", "--request", "chat.json", "--limit", "9", status=OVER_LIMIT)
        self.assertEqual((answer["limit"], answer["fits"]), (9, False))

    def test_faults(self):
        for body, error in (
                ('{"messages":\n ]', "bad.json:2:2: the body is not valid JSON"),
                ('{"a":1,"a":2}', "bad.json:1:8: the body is not valid JSON"),
                ("", "bad.json:1:1"), ("[]", "not a JSON object"),
                ("{}", "give --dialect and --operation")):
            self.file("bad.json", body)
            self.expect("", "--request", "bad.json", status=FAULTY, error=error)
        self.expect("", "--request", "none", status=FAULTY, error="cannot read none")
        self.expect("", "--request", "chat.json", "--dialect", "klingon", status=USAGE,
                    error="there are openai, azure-openai, anthropic, gemini, bedrock")
        self.expect("", "--request", "chat.json", "--operation", "sing", status=USAGE,
                    error="there are chat, responses, completions, embeddings")


class Lines(CountTest):
    def test_golden(self):
        self.expect('{"encoding":"o200k_base","text":"Hello, world","count":3}\n'
                    '{ "text" : "Hello, world" , "model":\t"gpt-4o","count":3 }\r\n'
                    "\n"
                    '{"count":2,"encoding":"cl100k_base","text":"\\u0068ello wor\\u006Cd"}',
                    "--jsonl", stdin='{"encoding":"o200k_base","text":"Hello, world"}\n'
                    '{ "text" : "Hello, world" , "model":\t"gpt-4o" }\r\n'
                    "\n"
                    '{"count":[9,{}],"encoding":"cl100k_base","text":"\\u0068ello wor\\u006Cd"}')
        self.expect("", "--jsonl", stdin="")
        self.expect("\ufeff" + '{"encoding":"gpt2","text":"","count":0}\n', "--jsonl",
                    stdin="\ufeff" + '{"encoding":"gpt2","text":""}\n')
        self.file("in.jsonl", '{"text":"hello world"}\n')
        self.expect('{"text":"hello world","count":2}\n', "--jsonl", "--model", "gpt-4", "in.jsonl")
        self.expect('{"text":"hello world","count":2,"ids":[15339,1917]}\n', "--jsonl", "--ids",
                    "--encoding", "cl100k_base", "in.jsonl")

    def test_faults(self):
        good = '{"encoding":"o200k_base","text":"x"}'
        code, output, error = self.weir("--jsonl", self.file("in.jsonl", "\n".join([
            good, "nope", '{"encoding":"o200k_base"}', '{"encoding":"o200k_base","text":7}',
            '{"text":"x"}', '{"encoding":"zzz","text":"x"}', '{"model":"zzz","text":"x"}',
            '{"encoding":3,"text":"x"}', '{"encoding":"gpt2","text":"x","text":"y"}', good + good,
            '{"encoding":"gpt2","text":"x}', good, ""])))
        self.assertEqual(code, FAULTY)
        self.assertEqual(output.decode(), (good[:-1] + ',"count":1}\n') * 2)
        for line, why in ((2, "column 1: expected an object"),
                          (3, '"text" is missing; a line is {'),
                          (4, '"text" is not a string'), (5, "add one, or name one"),
                          (6, '"encoding": no encoding is known for "zzz"'),
                          (7, 'put the model\'s encoding into "encoding"'),
                          (8, '"encoding" is not a string'), (9, '"text" stands there twice'),
                          (10, f"column {len(good) + 1}: more than one value"),
                          (11, "a string without its end")):
            found = [text for text in error.splitlines() if f": in.jsonl:{line}: " in text]
            self.assertEqual(len(found), 1, error)
            self.assertIn(why, found[0])
        self.assertIn("in.jsonl: 10 of 12 lines were not counted", error)
        self.expect("", "--jsonl", "none", status=FAULTY, error="cannot read none")

    def test_long_lines(self):
        # Across the pieces in which a file is read.
        lines = [json.dumps({"encoding": "o200k_base", "text": "word " * n, "n": n})
                 for n in (1, 200000, 3, 52427, 52428, 52429, 4)]
        output = self.weir("--jsonl", stdin="\n".join(lines))[1].decode().split("\n")
        self.assertEqual(len(output), len(lines))
        for before, after in zip(lines, output):
            self.assertEqual(after.split(',"count":')[0] + "}", before)
            self.assertEqual(json.loads(after)["count"], json.loads(after)["n"] + 1)

    def test_escapes(self):
        # A string says the same however it is written; half a surrogate pair is U+FFFD.
        text = PROSE + "\"\\/\b\f\n\r\t\x00\u00e9\u20ac\U0001d11e"
        escaped = "".join(f"\\u{unit:04x}" for character in text for unit in
                          memoryview(character.encode("utf-16-le")).cast("H"))
        forms = [json.dumps(text, ensure_ascii=False), json.dumps(text), f'"{escaped}"']
        output = self.weir("--jsonl", "--ids", "--encoding", "o200k_base",
                           stdin="\n".join(f'{{"text":{form}}}' for form in forms))[1]
        ids = [json.loads(line)["ids"] for line in output.decode().splitlines()]
        self.assertEqual(len(ids), 3)
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(ids[0], ids[2])
        self.expect(text, "--decode", *map(str, ids[0]))
        halves = self.weir("--jsonl", "--ids", "--encoding", "o200k_base", stdin=(
            r'{"text":"a\ud834b\udd1ec\udd1e\ud834"}' + "\n"
            '{"text":"a\ufffdb\ufffdc\ufffd\ufffd"}\n'))[1].decode().splitlines()
        self.assertEqual(json.loads(halves[0])["ids"], json.loads(halves[1])["ids"])

    def test_json_as_python_reads_it(self):
        """Mutated lines: refused exactly where Python's reader refuses them; else byte for byte."""
        chance = random.Random(20250611)
        seeds = [json.dumps({"text": "a\u00e9\n\"\\ b",
                             "x": [1, -2.5e-3, {"y": [None, True]}, []]}),
                 '{"text":"\\ud83d\\ude00","n":{"a":{},"b":[[],[0]]},"f":false, "z":0.0E+1}']
        alphabet = '{}[]",:\\ntrue0-1.eE+ u/\t\x01'
        lines = []
        for _ in range(4000):
            line = list(chance.choice(seeds))
            for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
                at = chance.randrange(len(line))
                line[at:at + chance.randrange(2)] = [chance.choice(alphabet)]
            lines.append("".join(line))

        def refuse(constant):
            raise ValueError(constant)

        expected = []
        for line in lines:
            keys = []

            def pairs(found):
                keys.append([key for key, _ in found])
                return dict(found)
            try:
                value = json.loads(line, parse_constant=refuse, object_pairs_hook=pairs)
            except ValueError:
                continue
            if (isinstance(value, dict) and isinstance(value.get("text"), str)
                    and keys[-1].count("text") == 1):
                expected.append(line)
        output = self.weir("--jsonl", "--encoding", "o200k_base",
                           stdin="\n".join(lines))[1].decode().split("\n")
        self.assertGreater(len(expected), 400)
        self.assertLess(len(expected), 3600)
        for line, before in zip(output, expected):
            count = json.loads(line)["count"]
            self.assertIn(f',"count":{count}', line)
            self.assertEqual(line.replace(f',"count":{count}', ""), before)
        self.assertEqual(len([line for line in output if line]), len(expected))

    def test_vectors(self):
        path = os.path.join(ROOT, "..", "shared", "data", "token_vectors.jsonl")
        if not os.path.exists(path):
            print("skipped: shared/data/token_vectors.jsonl is not beside the project")
            return
        with open(path, "rb") as file:
            vectors = file.read()
        # Right counts over the ones that are there: not a byte changes.
        self.assertEqual(self.weir("--jsonl", stdin=vectors)[1], vectors)
        self.assertEqual(self.weir("--jsonl", path)[1], vectors)
        without = b"".join(json.dumps({"encoding": row["encoding"], "text": row["text"]}).encode()
                           + b"\n" for row in map(json.loads, vectors.splitlines()))
        counts = [json.loads(line)["count"]
                  for line in self.weir("--jsonl", stdin=without)[1].splitlines()]
        self.assertEqual(counts, [json.loads(line)["count"] for line in vectors.splitlines()])


class LoadedTokenizers(CountTest):
    def test_files(self):
        self.file("words.json", json.dumps(WORDS))
        self.expect("1 0 1\n", "--tokenizer", "words.json", "--ids", "hello dear hello")
        self.expect("3\n", "--tokenizer", "words.json", stdin="hello dear hello")
        self.assertEqual(self.json("--json", "--tokenizer", "words.json", "hello")["encoding"],
                         "words.json")
        self.expect("", "--tokenizer", "none", "x", status=FAULTY, error="cannot read none")
        self.file("bad.json", '{"model":{"type":"Telepathy"}}')
        self.expect("", "--tokenizer", "bad.json", "x", status=FAULTY,
                    error="--tokenizer bad.json: ")


class EncodingsVerb(CountTest):
    def test_list(self):
        text = self.weir(verb="encodings")[1].decode()
        self.assertIn("o200k_base", text)
        line = next(line for line in text.splitlines() if line.startswith("o200k_base "))
        self.assertIn("gpt-4o", line)
        self.assertEqual(self.weir("--list")[1].decode(), text)
        listed = {one["encoding"]: one["models"] for one in self.json("--json", verb="encodings")}
        self.assertIn("gpt-4", listed["cl100k_base"])
        self.assertEqual(self.json("--list", "--json"), self.json("--json", verb="encodings"))

    def test_models(self):
        self.expect("gpt-4o-2024-08-06  o200k_base\n", "gpt-4o-2024-08-06", verb="encodings")
        self.expect("gpt-4  cl100k_base\n", "x", "gpt-4", verb="encodings", status=FAULTY,
                    error='no encoding is known for "x"')
        self.assertEqual(self.json("--json", "x", verb="encodings", status=FAULTY),
                         [{"model": "x", "encoding": None}])


class LongInput(CountTest):
    def measured(self, *arguments):
        """Standard output and the most memory the run had, in KiB."""
        with open(os.path.join(self.folder, "out"), "w+b") as output:
            child = subprocess.Popen([WEIR, "count", *arguments], cwd=self.folder, stdout=output)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            self.assertEqual(child.returncode, DONE)
            return output.read().decode(), usage.ru_maxrss

    def test_flat_memory(self):
        copies = 50_000_000 // len(PROSE.encode())
        self.file("small", PROSE * 100)
        self.file("large", PROSE * copies)
        small, small_kib = self.measured("--file", "small")
        large, large_kib = self.measured("--file", "large")
        each = (int(small) - int(self.measured("--text", PROSE)[0])) // 99
        self.assertEqual(int(large), int(small) + each * (copies - 100))
        if not os.environ.get("WEIR_SANITIZED"):  # whose allocator keeps what is freed
            self.assertLess(large_kib - small_kib, 8 * 1024)
        row = json.dumps({"encoding": "o200k_base", "text": PROSE}) + "\n"
        self.file("small.jsonl", row * 100)
        self.file("large.jsonl", row * (20_000_000 // len(row)))
        small_kib = self.measured("--jsonl", "small.jsonl")[1]
        large, large_kib = self.measured("--jsonl", "large.jsonl")
        self.assertEqual(large.count("\n"), 20_000_000 // len(row))
        self.assertEqual(len(set(large.splitlines())), 1)
        if not os.environ.get("WEIR_SANITIZED"):
            self.assertLess(large_kib - small_kib, 8 * 1024)

    def on_terminal(self, *arguments):
        """Standard output, and what a terminal was shown on standard error."""
        master, terminal = pty.openpty()
        child = subprocess.Popen([WEIR, "count", *arguments], cwd=self.folder,
                                 stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(master, 65536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        os.close(master)
        output = child.communicate()[0]
        self.assertEqual(child.returncode, DONE)
        return output, shown

    def test_progress(self):
        text = self.file("long", "word " * 4_000_000)
        output, shown = self.on_terminal("--file", text)
        self.assertEqual(output, b"4000001\n")
        self.assertIn(b"long  [", shown)
        self.assertIn(b" %", shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)  # and goes away
        self.assertEqual(self.on_terminal("--file", self.file("short", "word"))[1], b"")
        self.assertEqual(self.weir("--file", text)[2], "")  # no terminal, no progress


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
