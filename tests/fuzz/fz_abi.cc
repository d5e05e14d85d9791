// Policies, engines and transactions through weir.h, called in any order, with null handles, with
// handles whose makers are gone, and with memory that runs out.
//
// Oracle: every status is one that the header names, outputs are written by success alone, views
// can be read; sanitizers see the rest, leaks included.

#include <string_view>
#include <vector>

#include "tests/fuzz/abi_fuzz.h"
#include "tests/fuzz/abi_structs.h"

namespace weir::fuzz {
namespace {

constexpr std::string_view kPolicies[] = {
    R"({"weir": 1, "backends": {"a": {"url": "http://a.test", "dialect": "openai"},
        "b": {"url": "http://b.test", "dialect": "openai", "circuit_breaker":
          [{"on": {"status": ["5xx"], "failures": ["connect", "reset"]}, "trip": "1s"}]}},
        "pools": {"p": {"members": [{"backend": "a"}, {"backend": "b"}],
          "retry": {"attempts": 3, "attempts_per_backend": 2, "on": ["5xx", "429", "connect"]}}},
        "limits": {"tokens": {"key": "request.headers['x-team']", "amount": 500, "per": "60s",
          "on_exceeded": {"action": "wait", "max_wait": "5s"}},
          "way": {"key": "client.ip", "unit": "concurrency", "amount": 2}},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "auth": "none",
          "pool": "p", "limits": ["tokens", "way"]}]})",
    R"({"weir": 1, "credentials": {"k": {"header": "api-key", "value": {"env": "K"}}},
        "backends": {"a": {"url": "http://a.test", "dialect": "openai", "credential": "k"},
          "c": {"url": "http://c.test/base", "dialect": "openai"}},
        "pools": {"p": {"strategy": "least_busy", "members": [{"backend": "a"}, {"backend": "c"}],
          "hedge": {"after": "50ms"}, "all_down": {"action": "wait", "max_wait": "1s"},
          "retry": {"attempts": 2, "on": ["5xx", "timeout"]}}},
        "limits": {"tokens": {"key": "request.headers['x-team']", "amount": 300, "per": "60s",
          "on_exceeded": {"action": "cut"}}},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "auth": "none",
          "pool": "p", "limits": ["tokens"]},
          {"name": "rest", "match": {"path": "/v1/{what}"}, "auth": "none", "pool": "p"}]})",
    R"({"weir": 1, "backends": {}, "pools": 3})",
    "",
};

constexpr std::string_view kTexts[] = {
    "POST",
    "GET",
    "/v1/chat/completions",
    "/v1/models?x=%zz",
    "10.0.0.1",
    "x-team",
    "content-type",
    "text/event-stream",
    "application/json",
    R"({"model":"gpt-4o","messages":[{"role":"user","content":"Say it."}],"max_tokens":20})",
    R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Say it."}]})",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"well then\"}}]}\n\n",
    "data: [DONE]\n\n",
    R"({"choices":[{"index":0,"message":{"role":"assistant","content":"No."},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}})",
    "retry-after",
    "tokens",
};

class Machine {
 public:
  explicit Machine(const AbiInput& input) : input_(input) {}

  void Do(const AbiCall& call) {
    switch (call.which % 5) {
      case 0:
        return DoPolicy(call);
      case 1:
        return DoEngine(call);
      case 2:
        return DoRequest(call);
      case 3:
        return DoResponse(call);
      default:
        return DoDecide(call);
    }
  }

 private:
  static uint8_t Verb(const AbiCall& call) { return call.which / 5; }

  std::string_view Text(uint8_t operand) const {
    const size_t index = operand % (std::size(kTexts) + 1);
    return index < std::size(kTexts) ? kTexts[index] : input_.Raw(operand, 40);
  }

  void DoPolicy(const AbiCall& call) {
    const std::string_view text = call.b % 5 == 4 ? input_.Raw(call.c, 200) : kPolicies[call.b % 4];
    switch (Verb(call) % 5) {
      case 0: {
        weir_policy* const made = Made<weir_policy>([&](weir_policy** out) {
          return weir_policy_parse(text.data(), text.size(), out, &error_);
        });
        if (made != nullptr) policies_.Put(call.a, made);
        return;
      }
      case 1:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_policy_check(text.data(), text.size(), buffer, capacity, needed, &error_);
            },
            call.c);
      case 2:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_policy_warnings(text.data(), text.size(), buffer, capacity, needed,
                                          &error_);
            },
            call.c);
      case 3:
        Checked(weir_policy_set_secret(policies_[call.a], call.b % 2, "secret", 6));
        return;
      default:
        return policies_.Put(call.a, nullptr);
    }
  }

  void DoEngine(const AbiCall& call) {
    weir_engine* const engine = engines_[call.a];
    switch (Verb(call) % 7) {
      case 0: {
        weir_engine_options record = {};
        record.max_counters = 16;
        record.seed = call.c;
        const Given<weir_engine_options> options(call.c, record);
        weir_engine* const made = Made<weir_engine>([&](weir_engine** out) {
          return weir_engine_new(policies_[call.b], call.c == 7 ? nullptr : options.get(), out,
                                 &error_);
        });
        if (made != nullptr) engines_.Put(call.a, made);
        return;
      }
      case 1:
        Checked(weir_engine_reload(engine, policies_[call.b], &error_));
        return;
      case 2:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_engine_metrics(engine, buffer, capacity, needed, &error_);
            },
            call.c);
      case 3:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_engine_status(engine, &now_, buffer, capacity, needed, &error_);
            },
            call.c);
      case 4:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_engine_changes_json(engine, call.b, buffer, capacity, needed, &error_);
            },
            call.c);
      case 5: {
        const std::string_view limit = Text(call.b);
        Checked(weir_engine_override_limit(engine, limit.data(), limit.size(), nullptr, 0, call.c,
                                           call.c, &now_, &error_));
        return;
      }
      default:
        return engines_.Put(call.a, nullptr);
    }
  }

  void DoRequest(const AbiCall& call) {
    weir_txn* const txn = txns_[call.a];
    const std::string_view one = Text(call.b), two = Text(call.c);
    switch (Verb(call) % 6) {
      case 0: {
        weir_txn* const made = Made<weir_txn>(
            [&](weir_txn** out) { return weir_txn_new(engines_[call.b], out, &error_); });
        if (made != nullptr) txns_.Put(call.a, made);
        return;
      }
      case 1:
        Checked(weir_txn_request_head(txn, one.data(), one.size(), two.data(), two.size(),
                                      "10.0.0.1", 8, &error_));
        return;
      case 2:
        Checked(
            weir_txn_request_header(txn, one.data(), one.size(), two.data(), two.size(), &error_));
        return;
      case 3:
        Checked(weir_txn_attribute(txn, one.data(), one.size(), two.data(), two.size(), &error_));
        return;
      case 4:
        Checked(weir_txn_request_body(txn, one.data(), one.size(), &error_));
        return;
      default:
        Checked(weir_txn_request_end(txn, &error_));
    }
  }

  void DoResponse(const AbiCall& call) {
    weir_txn* const txn = txns_[call.a];
    const std::string_view one = Text(call.b), two = Text(call.c);
    switch (Verb(call) % 8) {
      case 0:
        Checked(weir_txn_response_head(txn, call.b % 2 == 0 ? 200 : 400 + call.c, &error_));
        return;
      case 1:
        Checked(
            weir_txn_response_header(txn, one.data(), one.size(), two.data(), two.size(), &error_));
        return;
      case 2:
        Checked(weir_txn_response_body(txn, one.data(), one.size(), &error_));
        return;
      case 3:
        Checked(weir_txn_response_end(txn, &error_));
        return;
      case 4:
        Checked(weir_txn_response_failed(txn, call.b % 5, &error_));
        return;
      case 5:
        Checked(weir_txn_response_from(txn, call.b % 4, &error_));
        return;
      case 6:
        Checked(weir_txn_call_result(txn, call.b, 200, one.data(), one.size(), &error_));
        return;
      default: {
        const std::vector<float> vector(one.size() % 64, static_cast<float>(call.b));
        Checked(weir_txn_call_vector(txn, call.b, vector.data(), vector.size(), &error_));
      }
    }
  }

  void DoDecide(const AbiCall& call) {
    weir_txn* const txn = txns_[call.a];
    switch (Verb(call) % 6) {
      case 0:
        return Next(txn, call);
      case 1:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_txn_explain(txn, buffer, capacity, needed, &error_);
            },
            call.c);
      case 2:
        Checked(weir_txn_client_left(txn, &now_, &error_));
        return;
      case 3:
        return txns_.Put(call.a, nullptr);
      case 4:
        return weir::testing::FailAllocation(call.b);
      default:
        now_.mono_ns += int64_t{call.b} * call.c * 1'000'000 - 10'000'000;
        now_.unix_ns += int64_t{call.b} * call.c * 1'000'000 - 10'000'000;
    }
  }

  void Next(weir_txn* txn, const AbiCall& call) {
    weir_action action = {};
    action.size = call.c == 3 ? 8 : sizeof(action);
    if (!Checked(weir_txn_next(txn, &now_, &action, &error_))) return;
    if (action.kind < WEIR_ACTION_CONTINUE || action.kind > WEIR_ACTION_DONE) std::abort();
    View(txn, weir_txn_url);
    View(txn, weir_txn_target);
    View(txn, weir_txn_body);
    for (uint32_t i = 0; i <= action.header_count; ++i) {
      int32_t operation = 0;
      const char *name = nullptr, *value = nullptr;
      size_t name_size = 0, value_size = 0;
      const weir_status status =
          weir_txn_header(txn, i, &operation, &name, &name_size, &value, &value_size);
      if (Checked(status)) {
        ReadAll(name, name_size);
        ReadAll(value, value_size);
      }
      if (action.size == sizeof(action) && (status == WEIR_OK) != (i < action.header_count)) {
        std::abort();
      }
    }
  }

  template <typename Ask>
  void View(const weir_txn* txn, Ask ask) {
    const char* bytes = nullptr;
    size_t size = 0;
    if (Checked(ask(txn, &bytes, &size))) ReadAll(bytes, size);
  }

  const AbiInput& input_;
  weir_error error_ = [] {
    weir_error error = {};
    error.size = sizeof(error);
    return error;
  }();
  weir_now now_ = {1'000'000'000, 1'767'225'600'000'000'000};
  Slots<weir_policy, weir_policy_free> policies_;
  Slots<weir_engine, weir_engine_free> engines_;
  Slots<weir_txn, weir_txn_free> txns_;
};

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return weir::fuzz::Play<weir::fuzz::Machine>(data, size);
}
