import base64
import json
import sys
import tempfile
import threading
import unittest

import weir

TEXT = "How do I say hello? \u4f60\u597d, na\u00efve \U0001f600."
MESSAGES = [{"role": "user", "content": "How do I say hello?"}]
STREAM = (b'data: {"choices":[{"delta":{"content":"Hello there."}}]}\n\n'
          b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n'
          b"data: [DONE]\n\n")


class Counting(unittest.TestCase):
    def test_texts_and_messages(self):
        self.assertEqual(weir.count_tokens("gpt-4o", "How do I say hello?"), 6)
        self.assertEqual(weir.count_tokens("o200k_base", b"How do I say hello?"), 6)
        self.assertEqual(weir.count_tokens("gpt-4o", MESSAGES), 13)
        self.assertEqual(weir.count_tokens("gpt-4o", ""), 0)
        with self.assertRaises(weir.NotFoundError) as caught:
            weir.count_tokens("no-such-model", "text")
        self.assertIs(caught.exception.code, weir.Status.NOT_FOUND)
        self.assertIn("no-such-model", str(caught.exception))

    def test_halves_of_surrogate_pairs(self):
        self.assertEqual(weir.count_tokens("gpt-4o", "a\ud83d\ude00b"),
                         weir.count_tokens("gpt-4o", "a\U0001f600b"))
        self.assertEqual(weir.count_tokens("gpt-4o", "a\ud83db"),
                         weir.count_tokens("gpt-4o", "a\ufffdb"))

    def test_round_trip(self):
        for name in weir.encodings():
            tokenizer = weir.Tokenizer(name)
            ids = tokenizer.encode(TEXT)
            self.assertEqual(tokenizer.name, name)
            self.assertEqual(len(ids), tokenizer.count(TEXT))
            self.assertEqual(tokenizer.decode(ids).decode(), TEXT)
        self.assertEqual(weir.encoding_for_model("gpt-4o-2024-08-06"), "o200k_base")

    def test_specials_are_text_unless_told(self):
        tokenizer = weir.Tokenizer("cl100k_base")
        self.assertEqual(tokenizer.encode("<|endoftext|>", specials=True), [100257])
        self.assertGreater(len(tokenizer.encode("<|endoftext|>")), 1)
        self.assertEqual(tokenizer.decode([100257]), b"<|endoftext|>")
        with self.assertRaisesRegex(weir.InvalidArgumentError, "999999999"):
            tokenizer.decode([999999999])

    def test_split_keeps_characters_whole(self):
        tokenizer = weir.Tokenizer("gpt-4o")
        for most in range(tokenizer.count(TEXT) + 2):
            head, tail = tokenizer.split(TEXT, most)
            self.assertEqual(head + tail, TEXT)
            self.assertLessEqual(tokenizer.count(head), most)
        self.assertEqual(tokenizer.split(b"Hello there", 1), (b"Hello", b" there"))
        self.assertGreater(tokenizer.count_up_to("word " * 1000, 10), 10)

    def test_counter_is_exact_for_any_cuts(self):
        tokenizer = weir.Tokenizer("gpt-4o")
        with weir.TokenCounter(tokenizer) as counter:
            for character in TEXT:
                counter.append(character)
            self.assertEqual(counter.total(), tokenizer.count(TEXT))

    def test_rank_file(self):
        ranks = b"".join(base64.b64encode(bytes([i])) + b" %d\n" % i for i in range(256))
        with tempfile.NamedTemporaryFile(suffix=".tiktoken") as file:
            file.write(ranks)
            file.flush()
            tokenizer = weir.Tokenizer.load(file.name, pattern="cl100k_base")
        self.assertEqual(tokenizer.count("hello"), 5)
        counter = weir.TokenCounter(tokenizer)
        tokenizer.close()  # what was made with it goes on
        counter.append("hello")
        self.assertEqual(counter.total(), 5)
        with self.assertRaises(weir.InvalidArgumentError):
            tokenizer.count("hello")
        with self.assertRaises(weir.InvalidArgumentError):
            weir.Tokenizer.load(b"nonsense")

    def test_whole_requests(self):
        body = {"model": "gpt-4o", "messages": MESSAGES}
        count = weir.count_request(body)
        self.assertEqual(count.prompt_tokens, 13)
        self.assertIs(count.provenance, weir.Provenance.EXACT)
        self.assertIs(count.dialect, weir.Dialect.OPENAI)
        self.assertTrue(count.is_guess)
        self.assertEqual(count, weir.count_request(json.dumps(body)))
        parts = weir.count_request_parts(body, target="/v1/chat/completions")
        self.assertEqual(parts["prompt_tokens"], 13)
        self.assertIn("messages[0]", [part["path"] for part in parts["parts"]])
        unknown = weir.count_request({**body, "model": "someone-elses"})
        self.assertIs(unknown.provenance, weir.Provenance.ESTIMATED)
        with self.assertRaises(weir.InvalidArgumentError):
            weir.count_request("[]")

    def test_stream_meter(self):
        meter = weir.StreamMeter(tokenizer=weir.Tokenizer("gpt-4o"), strip_usage=True)
        relayed = b"".join(meter.feed(STREAM[at:at + 7]) for at in range(0, len(STREAM), 7))
        relayed += meter.end()
        usage = meter.usage()
        self.assertNotIn(b"usage", relayed)
        self.assertIn(b"Hello there.", relayed)
        self.assertEqual((usage.completion_tokens, usage.stated_prompt, usage.stated_cached),
                         (3, 9, None))
        self.assertIs(usage.provenance, weir.Provenance.PROVIDER)
        self.assertTrue(usage.is_complete)
        with self.assertRaises(weir.FailedPreconditionError):
            meter.feed(b"more")

    def test_stream_meter_of_a_client_that_left(self):
        with weir.StreamMeter(tokenizer=weir.Tokenizer("gpt-4o")) as meter:
            self.assertEqual(meter.feed(STREAM[:60]), STREAM[:60])
            meter.client_left()
            usage = meter.usage()
        self.assertEqual(usage.completion_tokens, 3)
        self.assertFalse(usage.is_complete)

    def test_calls_release_the_lock(self):
        text, gate, seen = "Some words and other words. " * 200_000, threading.Lock(), []
        gate.acquire()
        thread = threading.Thread(target=lambda: (gate.acquire(), seen.append(True)))
        thread.start()
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1000)  # the thread runs only while a call has let go
        try:
            gate.release()
            weir.count_tokens("gpt-4o", text)
            self.assertEqual(seen, [True])
        finally:
            sys.setswitchinterval(usual)
            thread.join()

    def test_threads_count_at_once(self):
        text = "All threads count the same text. " * 3000
        expected = weir.count_tokens("gpt-4o", text)
        counts = []
        threads = [threading.Thread(target=lambda: counts.append(
            weir.count_tokens("gpt-4o", text))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(counts, [expected] * 8)


if __name__ == "__main__":
    unittest.main()
