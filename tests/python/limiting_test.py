import gc
import os
import pathlib
import tempfile
import unittest

import weir

SECOND = 10**9
RULE = weir.Rule("per-team", amount=100, window_ms=60_000)


def at(seconds):
    return weir.Now(seconds * SECOND, (1_767_225_600 + seconds) * SECOND)


class Limiting(unittest.TestCase):
    def test_take_until_nothing_is_left(self):
        limiter = weir.Limiter([RULE])
        charge = weir.Charge("per-team", key="red", cost=60)
        first = limiter.take(charge, now=at(1000))
        self.assertTrue(first)
        self.assertEqual(first.verdicts[0].remaining, 40)
        second = limiter.take(charge, now=at(1000))
        self.assertFalse(second)
        self.assertEqual(second.binding, 0)
        self.assertGreater(second.retry_after_ns, 0)
        self.assertTrue(limiter.take(weir.Charge("per-team", key="blue", cost=60), now=at(1000)))
        later = weir.Now(*(clock + second.retry_after_ns for clock in at(1000)))
        self.assertTrue(limiter.take(charge, now=later))

    def test_what_can_never_fit(self):
        limiter = weir.Limiter([RULE])
        decision = limiter.take(weir.Charge(0, "red", 101), now=at(1000))
        self.assertEqual(decision.retry_after_ns, weir.NEVER)

    def test_all_or_nothing(self):
        limiter = weir.Limiter([RULE, weir.Rule("requests", 1, 60_000)])
        charges = [weir.Charge("per-team", "red", 10), weir.Charge("requests", "red", 1)]
        self.assertTrue(limiter.take(*charges, now=at(1000)))
        refused = limiter.take(*charges, now=at(1000))
        self.assertEqual((refused.admitted, refused.binding), (False, 1))
        self.assertEqual(limiter.peek(charges[0], now=at(1000)).used_before, 10)

    def test_reservation_is_settled(self):
        limiter = weir.Limiter([RULE])
        charge = weir.Charge("per-team", "red", cost=10, headroom=50)
        with limiter.reserve(charge, now=at(1000)) as reservation:
            self.assertTrue(reservation)
            self.assertEqual(reservation.decision.verdicts[0].reserved, 60)
            self.assertTrue(reservation.top_up(20, now=at(1001)))
            reservation.settle(33, now=at(1002))
        self.assertEqual(limiter.peek(charge, now=at(1002)).used_before, 33)

    def test_reservation_is_given_back(self):
        limiter = weir.Limiter([RULE])
        charge = weir.Charge("per-team", "red", cost=10)
        with limiter.reserve(charge):
            self.assertEqual(limiter.peek(charge).used_before, 10)
        self.assertEqual(limiter.peek(charge).used_before, 0)
        limiter.reserve(charge)  # forgotten
        gc.collect()
        self.assertEqual(limiter.peek(charge).used_before, 0)
        with self.assertRaises(ZeroDivisionError), limiter.reserve(charge):
            1 // 0
        self.assertEqual(limiter.peek(charge).used_before, 0)

    def test_reservation_outlives_a_closed_limiter(self):
        limiter = weir.Limiter([RULE])
        reservation = limiter.reserve(weir.Charge("per-team", "red", 10))
        limiter.close()
        with self.assertRaises(weir.InvalidArgumentError):
            limiter.take(weir.Charge("per-team", "red", 1))
        reservation.settle(5)
        reservation.close()
        reservation.close()

    def test_cycles_are_collected_in_any_order(self):
        for _ in range(50):
            limiter = weir.Limiter([RULE], max_counters=64)
            holder = {"reservation": limiter.reserve(weir.Charge("per-team", "red", 10)),
                      "limiter": limiter}
            holder["self"] = holder
        del limiter, holder
        gc.collect()

    def test_override_and_book(self):
        limiter = weir.Limiter([RULE])
        limiter.override("per-team", 5, 60_000, key="red", now=at(1000))
        self.assertFalse(limiter.take(weir.Charge("per-team", "red", 6), now=at(1000)))
        self.assertTrue(limiter.take(weir.Charge("per-team", "blue", 6), now=at(1000)))
        limiter.override("per-team", 5, 0, key="red", now=at(1000))
        self.assertTrue(limiter.take(weir.Charge("per-team", "red", 6), now=at(1000)))
        limiter.book(weir.Charge("per-team", "red", 200), now=at(1000))
        self.assertFalse(limiter.take(weir.Charge("per-team", "red", 0), now=at(1000)))

    def test_kinds_of_rules(self):
        limiter = weir.Limiter([
            weir.Rule("bucket", 10, 1000, weir.Algorithm.TOKEN_BUCKET, burst=20),
            weir.Rule("day", 10, algorithm=weir.Algorithm.CALENDAR, period=weir.Period.DAY,
                      time_zone="Europe/Berlin"),
            weir.Rule("window", 10, 60_000, weir.Algorithm.FIXED_WINDOW, anchor_unix_ms=0),
            weir.Rule("busy", 1, algorithm=weir.Algorithm.CONCURRENCY, lease_ms=1000),
            weir.Rule("shared", 100, 60_000, share=True, share_floor=10)])
        for rule, cost in (("bucket", 20), ("day", 10), ("window", 10), ("busy", 1),
                           ("shared", 10)):
            charge = weir.Charge(rule, "key", cost)
            with self.subTest(rule):
                self.assertTrue(limiter.take(charge, now=at(1000)))
        self.assertFalse(limiter.take(weir.Charge("busy", "key"), now=at(1000)))
        self.assertTrue(limiter.take(weir.Charge("busy", "key"), now=at(1002)))

    def test_faults(self):
        with self.assertRaisesRegex(weir.InvalidArgumentError, "amount"):
            weir.Limiter([weir.Rule("r", 0, 1000)])
        limiter = weir.Limiter([RULE])
        with self.assertRaisesRegex(LookupError, "no-such"):
            limiter.take(weir.Charge("no-such"))
        with self.assertRaises(weir.InvalidArgumentError):
            limiter.take(weir.Charge(7))


class StateFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "weir.state"

    def test_counters_outlive_their_limiter(self):
        charge = weir.Charge("per-team", "red", 70)
        with weir.State(self.path) as state, weir.Limiter([RULE], state) as limiter:
            self.assertTrue(limiter.take(charge))
        with weir.State(self.path) as state, weir.Limiter([RULE], state) as limiter:
            self.assertFalse(limiter.take(charge))
            self.assertEqual(limiter.restarted(), [])
        fullest = weir.state_report(self.path)["top"][0]
        self.assertEqual((fullest["rule"], fullest["used"]), ("per-team", 70))
        with weir.State(self.path) as state:
            other = weir.Limiter([weir.Rule("per-team", 100, 1000)], state)
            self.assertEqual(other.restarted(), ["per-team"])

    def test_faults(self):
        self.path.write_bytes(b"something else")
        with self.assertRaises(weir.FailedPreconditionError):
            weir.State(self.path)
        with self.assertRaises(weir.NotFoundError):
            weir.State("/no/such/folder/weir.state")
        with self.assertRaises(weir.NotFoundError):
            weir.state_report("/no/such/file")

    def test_child_shares_a_file(self):
        charge = weir.Charge("per-team", "red", 40)
        with weir.State(self.path) as state, weir.Limiter([RULE], state) as limiter:
            self.assertTrue(limiter.take(charge))
            child = os.fork()
            if child == 0:
                os._exit(0 if limiter.take(charge) else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertFalse(limiter.take(charge))


if __name__ == "__main__":
    unittest.main()
