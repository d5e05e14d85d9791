"""The cache by itself, and texts that can mean the same."""

import array
import math
import pathlib
import tempfile
import unittest

import weir

SECOND = 10**9


def at(seconds):
    return weir.Now(seconds * SECOND, (1_767_225_600 + seconds) * SECOND)


def direction(cosine):
    return [cosine, math.sqrt(1 - cosine * cosine)] + [0.0] * 14


class Caching(unittest.TestCase):
    def setUp(self):
        self.cache = weir.Cache("faq", dimensions=16, max_entries=100)
        self.addCleanup(self.cache.close)

    def test_by_key_and_by_vector(self):
        entry = self.cache.insert("one", "answer \u00e9", partition="red", vector=direction(1),
                                  ttl_ns=60 * SECOND, now=at(0))
        exact = self.cache.lookup("one", partition="red", now=at(5))
        self.assertTrue(exact)
        self.assertEqual((exact.found, exact.miss), (weir.Found.EXACT, weir.Miss.NONE))
        self.assertEqual(exact.value, "answer \u00e9".encode())
        self.assertEqual((exact.entry, exact.age_ns, exact.similarity), (entry, 5 * SECOND, 1.0))
        near = self.cache.lookup("two", partition="red", vector=direction(0.95),
                                 min_similarity=0.9, now=at(5))
        self.assertEqual(near.found, weir.Found.SEMANTIC)
        self.assertAlmostEqual(near.similarity, 0.95, delta=0.02)
        far = self.cache.lookup("two", partition="red", vector=direction(0.5), min_similarity=0.9,
                                now=at(5))
        self.assertFalse(far)
        self.assertEqual((far.value, far.miss), (None, weir.Miss.BELOW_THRESHOLD))
        self.assertEqual(self.cache.lookup("one", partition="blue", now=at(5)).miss,
                         weir.Miss.NO_VECTOR)
        self.assertEqual(self.cache.lookup("one", partition="red", now=at(60)).miss,
                         weir.Miss.EXPIRED)
        stats = self.cache.stats()
        self.assertEqual((stats["exact_hits"], stats["semantic_hits"]), (1, 1))
        self.assertEqual(stats["misses"]["below_threshold"], 1)

    def test_vectors_of_every_kind(self):
        floats = array.array("f", direction(1))
        self.cache.insert("one", b"1", vector=floats)
        for vector in (floats, direction(1), tuple(direction(1)), memoryview(floats),
                       array.array("d", direction(1)), memoryview(floats)[:16]):
            answer = self.cache.lookup(vector=vector, min_similarity=0.99)
            self.assertEqual(answer.value, b"1")
        with self.assertRaises(TypeError):
            self.cache.lookup(vector=["a"] * 16, min_similarity=0.9)
        with self.assertRaises(weir.InvalidArgumentError):
            self.cache.insert("two", b"2", vector=[1.0] * 15)
        with self.assertRaises(weir.InvalidArgumentError):
            self.cache.lookup(vector=floats, min_similarity=1.5)

    def test_large_values_count_once(self):
        value = bytes(range(256)) * 100
        self.cache.insert("large", value)
        self.assertEqual(self.cache.lookup("large").value, value)
        self.assertEqual(self.cache.stats()["exact_hits"], 1)
        self.cache.lookup("no", probe=True)
        self.assertEqual(sum(self.cache.stats()["misses"].values()), 0)

    def test_entries_end(self):
        entry = self.cache.insert("a", "1", ttl_ns=SECOND, now=at(0))
        self.assertTrue(self.cache.touch(entry, 10 * SECOND, now=at(0)))
        self.assertTrue(self.cache.lookup("a", now=at(9)))
        self.assertTrue(self.cache.remove(entry))
        self.assertFalse(self.cache.remove(entry))
        self.assertFalse(self.cache.touch(entry))
        for named, removed in (({"partition": "red"}, 2), ({"model": 2}, 1), ({"scope": 7}, 3),
                               ({}, 3)):
            self.cache.insert("a", "1", partition="red", model=1, scope=7)
            self.cache.insert("b", "1", partition="red", model=2, scope=7)
            self.cache.insert("a", "1", partition="blue", model=1, scope=7)
            self.assertEqual(self.cache.purge(**named), removed, named)
            self.cache.purge()
        with self.assertRaises(TypeError):
            self.cache.purge(model=1, scope=1)

    def test_refused(self):
        ours = {"vector": direction(1.0), "min_similarity": 0.9, "tentative": True}
        for name, cosine in (("a", 0.99), ("b", 0.95)):
            self.cache.insert(name, name, vector=direction(cosine))
        best = self.cache.lookup("x", **ours)
        next_best = self.cache.lookup("x", **ours, exclude=[best.entry])
        self.assertEqual((best.value, next_best.value), (b"a", b"b"))
        none = self.cache.lookup("x", **ours, exclude=[best.entry, next_best.entry])
        self.assertIs(none.miss, weir.Miss.BELOW_THRESHOLD if none.similarity > -1
                      else weir.Miss.EMPTY_PARTITION)
        self.cache.confirm(next_best, True)
        self.cache.confirm(best, False)
        stats = self.cache.stats()
        self.assertEqual((stats["semantic_hits"], stats["misses"]["refused"]), (1, 1))

    def test_state_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "state"
            with weir.State(path, bytes=1 << 25) as state, weir.Cache("c", state=state) as cache:
                cache.insert("secret question", "secret answer", partition="red")
            with weir.State(path) as state, weir.Cache("c", state=state) as cache:
                found = cache.lookup("secret question", partition="red")
                self.assertEqual(found.value, b"secret answer")
                with self.assertRaises(weir.FailedPreconditionError):
                    weir.Cache("c", state=state, dimensions=8)
            report, = weir.cache_report(path, top=1)
            self.assertEqual((report["name"], report["stats"]["exact_hits"]), ("c", 1))
            self.assertNotIn("secret", str(report))

    def test_closed(self):
        self.cache.close()
        with self.assertRaises(weir.InvalidArgumentError):
            self.cache.lookup("a")


class Meaning(unittest.TestCase):
    ON, OFF = "How do I enable the beta API?", "How do I disable the beta API?"

    def test_guards(self):
        verdict = weir.compare_meaning(self.ON, self.OFF)
        self.assertFalse(verdict)
        self.assertEqual(verdict, (False, weir.MeaningGuard.OPPOSITES, "enable", "disable"))
        self.assertTrue(weir.compare_meaning(self.ON, self.ON))
        self.assertTrue(weir.compare_meaning(self.ON, self.OFF, []))
        self.assertTrue(weir.compare_meaning(self.ON, self.OFF, [weir.MeaningGuard.NUMBERS]))
        numbers = weir.compare_meaning("10 mg", "100 mg", {weir.MeaningGuard.NUMBERS})
        self.assertEqual(numbers.guard, weir.MeaningGuard.NUMBERS)

    def test_lexical_vectors(self):
        vector, other = weir.lexical_embed(self.ON), weir.lexical_embed(self.OFF, 512)
        self.assertEqual(len(vector), 512)
        cosine = sum(a * b for a, b in zip(vector, other))
        self.assertTrue(0.5 < cosine < 0.99, cosine)
        self.assertIsNone(weir.lexical_embed("?!"))
        with self.assertRaises(weir.InvalidArgumentError):
            weir.lexical_embed("a", 10)


if __name__ == "__main__":
    unittest.main()
