"""Breaker and balancer."""

import unittest

import weir

SECOND = 10**9


def at(seconds):
    return weir.Now(seconds * SECOND, (1_767_225_600 + seconds) * SECOND)


class Breaking(unittest.TestCase):
    def setUp(self):
        rule = weir.BreakerRule(trip_ms=5000, statuses=[(429, 429), (500, 599)], name="failing",
                                failures=weir.On.CONNECT | weir.On.TIMEOUT)
        self.breaker = weir.Breaker([weir.BreakerRuleSet([rule])])
        self.addCleanup(self.breaker.close)
        self.east = self.breaker.find("east", now=at(1000))

    def test_trips_and_closes_again(self):
        breaker, east = self.breaker, self.east
        permit = breaker.acquire(east, now=at(1000))
        self.assertTrue(permit)
        self.assertIs(permit.state, weir.CircuitState.CLOSED)
        report = breaker.record(permit, status=503, now=at(1000))
        self.assertEqual((report.tripped, report.rule), (True, 0))
        self.assertEqual(report.open_until_mono_ns, at(1005).mono_ns)
        refused = breaker.check(east, now=at(1001))
        self.assertFalse(refused)
        self.assertEqual(refused.retry_at_mono_ns, at(1005).mono_ns)
        probe = breaker.acquire(east, now=at(1006))
        self.assertTrue(probe.is_probe)
        self.assertFalse(breaker.acquire(east, now=at(1006)))
        self.assertTrue(breaker.record(probe, status=200, now=at(1006)).reset)
        events = [change["event"] for change in breaker.changes()["changes"]]
        self.assertEqual(events, ["tripped", "half_opened", "reset"])
        self.assertEqual(breaker.snapshot(now=at(1006))["circuits"][0]["state"], "closed")

    def test_rests_for_as_long_as_asked(self):
        asked = weir.retry_after({"Retry-After": "20", "x-other": "1"}, now=at(1000))
        self.assertEqual(asked, 20 * SECOND)
        permit = self.breaker.acquire(self.east, now=at(1000))
        report = self.breaker.record(permit, status=429, retry_after_ns=asked, now=at(1000))
        self.assertEqual(report.open_until_mono_ns, at(1020).mono_ns)
        self.assertIsNone(weir.retry_after({"content-type": "text/plain"}))

    def test_failures_and_cancelling(self):
        permit = self.breaker.acquire(self.east, now=at(1000))
        self.breaker.cancel(permit, now=at(1000))
        self.assertTrue(self.breaker.check(self.east, now=at(1000)))
        permit = self.breaker.acquire(self.east, now=at(1000))
        self.assertTrue(self.breaker.record(permit, outcome=weir.Outcome.TIMEOUT,
                                            now=at(1000)).tripped)

    def test_faults(self):
        with self.assertRaisesRegex(weir.InvalidArgumentError, "trip"):
            weir.Breaker([weir.BreakerRuleSet([weir.BreakerRule(trip_ms=0)])])
        with self.assertRaises(weir.InvalidArgumentError):
            self.breaker.find("east", rule_set=9)


class Balancing(unittest.TestCase):
    MEMBERS = [weir.Member("ptu"), weir.Member("payg-1", priority=2, weight=3),
               weir.Member("payg-2", priority=2)]

    def test_tiers_and_weights(self):
        with weir.Balancer("gpt-4o", self.MEMBERS) as balancer:
            self.assertEqual(balancer.pick(now=at(1000)).member, 0)
            balancer.rest(0, at(1010).mono_ns, weir.Rest.THROTTLED, now=at(1000))
            picks = [balancer.pick(now=at(1001)).member for _ in range(8)]
            self.assertEqual((picks.count(1), picks.count(2)), (6, 2))
            self.assertEqual(balancer.pick(refused=[1], now=at(1001)).member, 2)
            self.assertEqual(balancer.pick(prefer=2, now=at(1001)).member, 2)
            report = balancer.report(now=at(1001))
            self.assertEqual((report[0]["name"], report[0]["why"]), ("ptu", "throttled"))
            balancer.wake(0, now=at(1002))
            self.assertEqual(balancer.pick(now=at(1002)).member, 0)

    def test_nobody_is_usable(self):
        balancer = weir.Balancer("p", [weir.Member("only")])
        balancer.rest(0, at(1010).mono_ns, weir.Rest.TRIPPED, now=at(1000))
        pick = balancer.pick(now=at(1000))
        self.assertFalse(pick)
        self.assertEqual(pick.returns_at_mono_ns, at(1010).mono_ns)

    def test_what_is_under_way(self):
        balancer = weir.Balancer("p", [weir.Member("a"), weir.Member("b")],
                                 strategy=weir.Strategy.LEAST_BUSY)
        first = balancer.pick(start=True).member
        self.assertEqual(balancer.pick().member, 1 - first)
        balancer.first_token(first, 5_000_000)
        balancer.finished(first)
        self.assertEqual([each["in_flight"] for each in balancer.report()], [0, 0])

    def test_hash_and_numbers(self):
        balancer = weir.Balancer("p", self.MEMBERS[1:], strategy=weir.Strategy.HASH, id_seed=7)
        self.assertEqual(len({balancer.pick(key="session").member for _ in range(20)}), 1)
        number = balancer.member_id(1)
        self.assertEqual(balancer.find_member(number), 1)
        with self.assertRaises(weir.NotFoundError):
            balancer.find_member(number ^ 1)

    def test_faults(self):
        with self.assertRaises(weir.InvalidArgumentError):
            weir.Balancer("p", [])
        with self.assertRaises(weir.InvalidArgumentError):
            weir.Balancer("p", [weir.Member("a"), weir.Member("a")])


if __name__ == "__main__":
    unittest.main()
