// The n-th allocation fails, for every n: the call that needed it answers RESOURCE_EXHAUSTED,
// nothing is lost, and the same call succeeds once there is memory again.

#include <unistd.h>
#include <weir.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/allocations.h"
#include "tests/support/catch.h"
#include "weir/recycling.h"

namespace {

using weir::testing::AllocationHasFailed;
using weir::testing::AllocationsOfThisThread;
using weir::testing::FailAllocation;
using weir::testing::LiveAllocationsOfThisThread;

constexpr char kPepper[] = "pepper";
constexpr char kKey[] = "red-key-1";
constexpr char kBody[] =
    R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Say hello."}]})";
constexpr char kEvent[] =
    "data: "
    "{\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
constexpr char kLast[] =
    "data: {\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},"
    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

std::string PolicyText() {
  char hash[128];
  size_t size = 0;
  REQUIRE(weir_key_hash(kPepper, sizeof(kPepper) - 1, kKey, sizeof(kKey) - 1, hash, sizeof(hash),
                        &size, nullptr) == WEIR_OK);
  return R"({"weir": 1, "pepper": "pepper",
    "consumers": {"red": {"keys": [")" +
         std::string(hash, size) + R"("], "attributes": {"team": "red"}}},
    "backends": {"west": {"url": "https://west.example.com", "dialect": "openai",
      "circuit_breaker": [
        {"on": {"status": ["5xx"], "count": 3, "interval": "10s"}, "trip": "1s"}]}},
    "pools": {"chat": {"strategy": "weighted", "members": [{"backend": "west"}],
      "retry": {"attempts": 2, "on": ["5xx"]}}},
    "limits": {"per-team": {"key": "consumer.team", "amount": 1000000, "per": "1m"}},
    "meters": {"default": {"dimensions": {"team": "consumer.team"}}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
      "limits": ["per-team"], "meter": "default"}]})";
}

// Counts the checks of hot loops as one, so that the test's own reporting does not allocate.
void Must(bool condition, const char* what) {
  if (!condition) {
    FailAllocation(-1);
    FAIL(what);
  }
}

// Runs `call` with its first, second, … allocation failing, until one run needs no more than it
// got. After each failure the same call is made again with memory: it must succeed, unless the
// failing call had done its work already (FAILED_PRECONDITION: "you have done this").
void FailEach(const char* name, const std::function<weir_status()>& call,
              const std::function<void()>& undo) {
  for (int64_t n = 0; n < 100000; ++n) {
    weir::recycling::Clear();
    FailAllocation(n);
    const weir_status status = call();
    FailAllocation(-1);
    if (!AllocationHasFailed()) {
      INFO(name << " succeeds after " << n << " allocations");
      CHECK(status == WEIR_OK);
      undo();
      return;
    }
    INFO(name << ": allocation " << n << " failed, status " << status);
    // A call may do without what it could not get; it must not claim another fault.
    Must(status == WEIR_RESOURCE_EXHAUSTED || status == WEIR_OK, "another status");
    if (status == WEIR_OK) {
      undo();
      continue;
    }
    const weir_status again = call();
    INFO("the same call with memory: status " << again);
    Must(again == WEIR_OK, "no success with memory again");
    undo();
  }
  FAIL("never satisfied");
}

weir_engine* MakeEngine(const std::string& text) {
  weir_policy* policy = nullptr;
  weir_engine* engine = nullptr;
  REQUIRE(weir_policy_parse(text.data(), text.size(), &policy, nullptr) == WEIR_OK);
  REQUIRE(weir_engine_new(policy, nullptr, &engine, nullptr) == WEIR_OK);
  weir_policy_free(policy);
  return engine;
}

struct Step {
  const char* name;
  std::function<weir_status(weir_txn*)> call;
};

weir_status Next(weir_txn* txn) {
  const weir_now now = {1000000000, 1700000000000000000};
  weir_action action = {};
  action.size = sizeof(action);
  return weir_txn_next(txn, &now, &action, nullptr);
}

// A whole streamed exchange, call by call.
const Step kSteps[] = {
    {"request_head",
     [](weir_txn* txn) {
       return weir_txn_request_head(txn, "POST", 4, "/v1/chat/completions", 20, "192.0.2.1", 9,
                                    nullptr);
     }},
    {"request_header",
     [](weir_txn* txn) {
       return weir_txn_request_header(txn, "authorization", 13, "Bearer red-key-1", 16, nullptr);
     }},
    {"next after the head", Next},
    {"request_body",
     [](weir_txn* txn) { return weir_txn_request_body(txn, kBody, sizeof(kBody) - 1, nullptr); }},
    {"request_end", [](weir_txn* txn) { return weir_txn_request_end(txn, nullptr); }},
    {"next after the request", Next},
    {"response_head", [](weir_txn* txn) { return weir_txn_response_head(txn, 200, nullptr); }},
    {"response_header",
     [](weir_txn* txn) {
       return weir_txn_response_header(txn, "content-type", 12, "text/event-stream", 17, nullptr);
     }},
    {"next after the answer's head", Next},
    {"response_body",
     [](weir_txn* txn) {
       return weir_txn_response_body(txn, kEvent, sizeof(kEvent) - 1, nullptr);
     }},
    {"next after an event", Next},
    {"the last response_body",
     [](weir_txn* txn) { return weir_txn_response_body(txn, kLast, sizeof(kLast) - 1, nullptr); }},
    {"next after the last event", Next},
    {"response_end", [](weir_txn* txn) { return weir_txn_response_end(txn, nullptr); }},
    {"next after the answer", Next},
};

// Runs steps until one is not WEIR_OK; that status, or WEIR_OK.
weir_status Run(weir_txn* txn, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    const weir_status status = kSteps[i].call(txn);
    if (status != WEIR_OK) return status;
  }
  return WEIR_OK;
}

}  // namespace

TEST_CASE("every allocation of the calls at load may fail") {
  const std::string text = PolicyText();
  weir_policy* policy = nullptr;
  weir_engine* engine = nullptr;
  FailEach(
      "policy_parse", [&] { return weir_policy_parse(text.data(), text.size(), &policy, nullptr); },
      [&] {
        weir_policy_free(policy);
        policy = nullptr;
      });
  REQUIRE(weir_policy_parse(text.data(), text.size(), &policy, nullptr) == WEIR_OK);
  FailEach(
      "engine_new", [&] { return weir_engine_new(policy, nullptr, &engine, nullptr); },
      [&] {
        weir_engine_free(engine);
        engine = nullptr;
      });
  weir_policy_free(policy);

  engine = MakeEngine(text);
  weir_policy* other = nullptr;
  REQUIRE(weir_policy_parse(text.data(), text.size(), &other, nullptr) == WEIR_OK);
  FailEach(
      "engine_reload", [&] { return weir_engine_reload(engine, other, nullptr); }, [] {});
  char buffer[65536];
  size_t needed = 0;
  FailEach(
      "engine_metrics",
      [&] { return weir_engine_metrics(engine, buffer, sizeof(buffer), &needed, nullptr); }, [] {});
  const char* type = nullptr;
  FailEach(
      "engine_metrics_as",
      [&] {
        return weir_engine_metrics_as(engine, "application/openmetrics-text", 28, &type, buffer,
                                      sizeof(buffer), &needed, nullptr);
      },
      [] {});
  const weir_now now = {1, 1};
  const weir_export_options delta = {
      sizeof(delta), WEIR_EXPORT_OTLP_DELTA, "gw", 2, nullptr, 0, nullptr, 0};
  uint64_t number = 0;
  FailEach(
      "engine_export_metrics",
      [&] {
        return weir_engine_export_metrics(engine, &delta, &now, &number, buffer, sizeof(buffer),
                                          &needed, nullptr);
      },
      [] {});
  weir_txn* txn = nullptr;
  FailEach(
      "txn_new", [&] { return weir_txn_new(engine, &txn, nullptr); },
      [&] {
        weir_txn_free(txn);
        txn = nullptr;
      });
  const weir_tokenizer* tokenizer = nullptr;
  uint64_t count = 0;
  REQUIRE(weir_tokenizer_find("o200k_base", 10, &tokenizer, nullptr) == WEIR_OK);
  FailEach(
      "tokenizer_count",
      [&] { return weir_tokenizer_count(tokenizer, kBody, sizeof(kBody) - 1, &count, nullptr); },
      [] {});
  weir_policy_free(other);
  weir_engine_free(engine);
}

TEST_CASE("every allocation of counting may fail") {
  const weir_tokenizer* tokenizer = nullptr;
  REQUIRE(weir_tokenizer_find("o200k_base", 10, &tokenizer, nullptr) == WEIR_OK);
  // A word that is merged on the heap.
  const std::string text = "plain words, " + std::string(600, 'z') + std::string(kBody);
  const auto nothing = [] {};
  uint64_t count = 0;
  size_t needed = 0;
  uint32_t ids[2048];
  FailEach(
      "count_up_to",
      [&] {
        return weir_tokenizer_count_up_to(tokenizer, text.data(), text.size(), 1000, &count,
                                          nullptr);
      },
      nothing);
  FailEach(
      "encode_with_specials",
      [&] {
        return weir_tokenizer_encode_with_specials(tokenizer, text.data(), text.size(), ids, 2048,
                                                   &needed, nullptr);
      },
      nothing);
  FailEach(
      "split",
      [&] {
        return weir_tokenizer_split(tokenizer, text.data(), text.size(), 30, &needed, nullptr);
      },
      nothing);
  const uint32_t some[] = {13225, 11, 2375};
  char buffer[4096];
  FailEach(
      "decode",
      [&] {
        return weir_tokenizer_decode(tokenizer, some, 3, buffer, sizeof(buffer), &needed, nullptr);
      },
      nothing);
  weir_token_counter* counter = nullptr;
  FailEach(
      "a counter, from new to free",
      [&] {
        weir_status status = weir_token_counter_new(tokenizer, &counter, nullptr);
        if (status == WEIR_OK) {
          status = weir_token_counter_append(counter, text.data(), text.size(), nullptr);
          if (status != WEIR_OK) {
            Must(weir_token_counter_total(counter, &count, nullptr) == WEIR_FAILED_PRECONDITION,
                 "a total after a failed append");
          }
        }
        if (status == WEIR_OK) status = weir_token_counter_total(counter, &count, nullptr);
        weir_token_counter_free(counter);
        counter = nullptr;
        return status;
      },
      nothing);
  weir_prompt_count prompt = {};
  prompt.size = sizeof(prompt);
  FailEach(
      "count_request",
      [&] { return weir_count_request(nullptr, kBody, sizeof(kBody) - 1, &prompt, nullptr); },
      nothing);
  FailEach(
      "count_request_json",
      [&] {
        return weir_count_request_json(nullptr, kBody, sizeof(kBody) - 1, buffer, sizeof(buffer),
                                       &needed, nullptr);
      },
      nothing);
}

TEST_CASE("every allocation of a loading may fail") {
  const std::string file =
      R"({"model":{"type":"WordLevel","unk_token":"[UNK]","vocab":{"[UNK]":0,"hello":1}},)"
      R"("pre_tokenizer":{"type":"Whitespace"}})";
  weir_tokenizer* loaded = nullptr;
  FailEach(
      "tokenizer_load",
      [&] {
        return weir_tokenizer_load("words", 5, file.data(), file.size(), nullptr, 0, &loaded,
                                   nullptr);
      },
      [&] {
        weir_tokenizer_free(loaded);
        loaded = nullptr;
      });
}

TEST_CASE("every allocation of a stream meter may fail") {
  weir_stream_meter_options options = {};
  options.size = sizeof(options);
  options.strip_usage = 1;
  REQUIRE(weir_tokenizer_find("o200k_base", 10, &options.tokenizer, nullptr) == WEIR_OK);
  FailEach(
      "a stream meter, from new to free",
      [&] {
        weir_stream_meter* meter = nullptr;
        weir_usage usage = {};
        usage.size = sizeof(usage);
        weir_status status = weir_stream_meter_new(&options, &meter, nullptr);
        for (const std::string_view piece : {kEvent, kEvent, kLast}) {
          if (status != WEIR_OK) break;
          status = weir_stream_meter_feed(meter, piece.data(), piece.size(), nullptr);
        }
        if (status == WEIR_OK) status = weir_stream_meter_end(meter, nullptr);
        // What was read until then can still be asked for.
        if (meter != nullptr) {
          const weir_status asked = weir_stream_meter_usage(meter, &usage, nullptr);
          if (status == WEIR_OK) status = asked;
        }
        weir_stream_meter_free(meter);
        return status;
      },
      [] {});
}

// Six rules, and a charge of each: more than fits into what needs no memory.
TEST_CASE("every allocation of a limiter may fail") {
  std::vector<weir_limit_rule> rules;
  std::vector<weir_limit_charge> charges;
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "a name that is not short"};
  for (size_t i = 0; i < names.size(); ++i) {
    weir_limit_rule rule = {};
    rule.size = sizeof(rule);
    rule.algorithm = WEIR_LIMIT_FIXED_WINDOW;
    rule.name = names[i].data();
    rule.name_size = names[i].size();
    rule.amount = 100;
    rule.window_ms = 60000;
    rules.push_back(rule);
    weir_limit_charge charge = {};
    charge.size = sizeof(charge);
    charge.rule = static_cast<uint32_t>(i);
    charge.cost = 1;
    charges.push_back(charge);
  }
  const weir_now now = {1000000000, 1700000000000000000};
  weir_limiter* limiter = nullptr;
  FailEach(
      "limiter_new",
      [&] {
        return weir_limiter_new(nullptr, rules.data(), rules.size(), nullptr, &limiter, nullptr);
      },
      [&] {
        weir_limiter_free(limiter);
        limiter = nullptr;
      });
  REQUIRE(weir_limiter_new(nullptr, rules.data(), rules.size(), nullptr, &limiter, nullptr) ==
          WEIR_OK);
  weir_limit_decision decision = {};
  decision.size = sizeof(decision);
  const std::vector<uint64_t> more(charges.size(), 1);
  weir_limit_actual actual = {};
  actual.size = sizeof(actual);
  const std::vector<weir_limit_actual> nothing(charges.size(), actual);
  for (const size_t count : {size_t{1}, size_t{2}, charges.size()}) {
    weir_reservation* held = nullptr;
    FailEach(
        "reserve",
        [&] {
          return weir_limiter_reserve(limiter, charges.data(), count, &now, nullptr, &decision,
                                      &held, nullptr);
        },
        [&] {
          weir_reservation_free(held);
          held = nullptr;
        });
    FailEach(
        "take",
        [&] {
          return weir_limiter_take(limiter, charges.data(), count, &now, nullptr, &decision,
                                   nullptr);
        },
        [] {});
    REQUIRE(weir_limiter_reserve(limiter, charges.data(), count, &now, nullptr, &decision, &held,
                                 nullptr) == WEIR_OK);
    FailEach(
        "top_up",
        [&] {
          return weir_limiter_top_up(limiter, held, more.data(), count, &now, nullptr, &decision,
                                     nullptr);
        },
        [] {});
    FailEach(
        "settle",
        [&] { return weir_limiter_settle(limiter, held, nothing.data(), count, &now, nullptr); },
        [] {});
    weir_reservation_free(held);
  }
  // Whatever failed has booked nothing, and what was reserved is settled: the takes are left.
  weir_limit_verdict verdict = {};
  verdict.size = sizeof(verdict);
  FailEach(
      "peek", [&] { return weir_limiter_peek(limiter, &charges.back(), &now, &verdict, nullptr); },
      [] {});
  CHECK(verdict.used_before >= 1);
  CHECK(verdict.used_before < 20);
  weir_limiter_free(limiter);
}

TEST_CASE("every allocation of a state file may fail") {
  std::string path = "/tmp/weir-state-XXXXXX";
  const int file = mkstemp(path.data());
  REQUIRE(file >= 0);
  close(file);
  weir_state* state = nullptr;
  FailEach(
      "state_open",
      [&] { return weir_state_open(path.data(), path.size(), nullptr, &state, nullptr); },
      [&] {
        weir_state_free(state);
        state = nullptr;
      });
  char buffer[4096];
  size_t needed = 0;
  const weir_now now = {1000000000, 1700000000000000000};
  FailEach(
      "state_report_json",
      [&] {
        return weir_state_report_json(path.data(), path.size(), 10, &now, buffer, sizeof(buffer),
                                      &needed, nullptr);
      },
      [] {});
  unlink(path.c_str());
}

// For every step of an exchange and every n: the n-th allocation of that step fails. The step says
// so, and the transaction can still be freed; or be carried on when the step can be repeated.
TEST_CASE("every allocation of an exchange may fail") {
  weir_engine* engine = MakeEngine(PolicyText());
  const size_t steps = std::size(kSteps);
  for (const bool forever : {false, true}) {
    for (size_t step = 0; step < steps; ++step) {
      for (int64_t n = 0;; ++n) {
        weir_txn* txn = nullptr;
        REQUIRE(weir_txn_new(engine, &txn, nullptr) == WEIR_OK);
        INFO(kSteps[step].name << ", allocation " << n << (forever ? " and all after it" : ""));
        Must(Run(txn, 0, step) == WEIR_OK, "the way to the step failed");
        weir::recycling::Clear();
        FailAllocation(n, forever);
        const weir_status status = kSteps[step].call(txn);
        const bool was_hit = AllocationHasFailed();
        FailAllocation(-1);
        INFO("status " << status);
        Must(was_hit ? status == WEIR_OK || status == WEIR_RESOURCE_EXHAUSTED : status == WEIR_OK,
             "another status");
        // Not carried on: the memory is there again, and freeing settles.
        weir_txn_free(txn);
        if (!was_hit) break;
        Must(n < 10000, "never satisfied");
      }
    }
  }
  // After all that, the engine works as ever.
  weir_txn* txn = nullptr;
  REQUIRE(weir_txn_new(engine, &txn, nullptr) == WEIR_OK);
  CHECK(Run(txn, 0, steps) == WEIR_OK);
  weir_txn_free(txn);
  weir_engine_free(engine);
}

// Freeing asks for nothing, or lives without it.
TEST_CASE("a transaction is freed without memory") {
  weir_engine* engine = MakeEngine(PolicyText());
  for (size_t steps = 0; steps <= std::size(kSteps); ++steps) {
    weir_txn* txn = nullptr;
    REQUIRE(weir_txn_new(engine, &txn, nullptr) == WEIR_OK);
    Must(Run(txn, 0, steps) == WEIR_OK, "the way to the step failed");
    weir::recycling::Clear();
    FailAllocation(0, true);
    weir_txn_free(txn);
    FailAllocation(-1);
  }
  weir_engine_free(engine);
}

// What a process serves after its first requests costs the heap nothing.
TEST_CASE("a transaction in the long run allocates nothing") {
  weir_engine* engine = MakeEngine(R"({"weir": 1,
    "credentials": {"east": {"header": "authorization", "value": "Bearer sk-east-0123456789"}},
    "backends": {"east": {"url": "http://east.test", "dialect": "openai", "credential": "east"},
                 "west": {"url": "http://west.test", "dialect": "openai"}},
    "pools": {"chat": {"members": [{"backend": "east"}, {"backend": "west"}]}},
    "limits": {
      "tokens": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000, "per": "1m"},
      "requests": {"key": "client.ip", "unit": "requests", "amount": 1000000000000, "per": "1m"},
      "month": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000000,
                "per": "month"}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
                "auth": "none", "limits": ["tokens", "requests", "month"]}]})");
  const std::string body =
      R"({"model":"gpt-4o-mini-2024-07-18","messages":[{"role":"user","content":"line\n)" +
      std::string(1024, 'a') + R"("}]})";
  constexpr std::string_view kAnswer =
      R"({"id":"c1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18",)"
      R"("choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"The gate lets through what the stream below can carry."},)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":11,)"
      R"("total_tokens":221}})";
  const auto transact = [&] {
    weir_txn* txn = nullptr;
    bool good = weir_txn_new(engine, &txn, nullptr) == WEIR_OK;
    good = good && Run(txn, 0, 1) == WEIR_OK;
    good = good && weir_txn_request_header(txn, "content-type", 12, "application/json", 16,
                                           nullptr) == WEIR_OK;
    good = good && weir_txn_request_body(txn, body.data(), body.size(), nullptr) == WEIR_OK;
    good = good && weir_txn_request_end(txn, nullptr) == WEIR_OK && Next(txn) == WEIR_OK;
    good = good && weir_txn_response_head(txn, 200, nullptr) == WEIR_OK;
    good = good && weir_txn_response_header(txn, "content-type", 12, "application/json", 16,
                                            nullptr) == WEIR_OK;
    good = good && Next(txn) == WEIR_OK;
    good = good && weir_txn_response_body(txn, kAnswer.data(), kAnswer.size(), nullptr) == WEIR_OK;
    good = good && weir_txn_response_end(txn, nullptr) == WEIR_OK && Next(txn) == WEIR_OK;
    weir_txn_free(txn);
    return good;
  };
  for (int i = 0; i < 20; ++i) REQUIRE(transact());  // both backends, every meter
  const uint64_t before = AllocationsOfThisThread();
  bool good = true;
  for (int i = 0; i < 200; ++i) good = transact() && good;
  CHECK(AllocationsOfThisThread() - before == 0);
  CHECK(good);
  weir_engine_free(engine);
}

TEST_CASE("nothing is left behind") {
  const std::string text = PolicyText();
  const auto cycle = [&] {
    weir_engine* engine = MakeEngine(text);
    for (int i = 0; i < 3; ++i) {
      weir_txn* txn = nullptr;
      Must(weir_txn_new(engine, &txn, nullptr) == WEIR_OK, "txn_new");
      Must(Run(txn, 0, std::size(kSteps)) == WEIR_OK, "an exchange");
      weir_txn_free(txn);
    }
    weir_engine_free(engine);
    weir::recycling::Clear();
  };
  cycle();  // whatever is made once for the process
  const int64_t before = LiveAllocationsOfThisThread();
  cycle();
  cycle();
  CHECK(LiveAllocationsOfThisThread() == before);
}
