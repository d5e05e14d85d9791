// weir.h's handles as C++ values that free themselves, and its call patterns as functions.

#ifndef WEIR_EXAMPLES_GATEWAY_WEIR_HANDLES_H_
#define WEIR_EXAMPLES_GATEWAY_WEIR_HANDLES_H_

#include <weir.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gateway {

struct FreeHandle {
  void operator()(weir_policy* policy) const { weir_policy_free(policy); }
  void operator()(weir_engine* engine) const { weir_engine_free(engine); }
  void operator()(weir_txn* txn) const { weir_txn_free(txn); }
  void operator()(weir_ledger* ledger) const { weir_ledger_free(ledger); }
};

using PolicyHandle = std::unique_ptr<weir_policy, FreeHandle>;
using EngineHandle = std::unique_ptr<weir_engine, FreeHandle>;
using TxnHandle = std::unique_ptr<weir_txn, FreeHandle>;
using LedgerHandle = std::unique_ptr<weir_ledger, FreeHandle>;

inline weir_error NewError() {
  weir_error error = {};
  error.size = sizeof error;
  return error;
}

inline weir_action NewAction() {
  weir_action action = {};
  action.size = sizeof action;
  return action;
}

// Both clocks at this instant. steady_clock is CLOCK_MONOTONIC here, so weir's deadlines are its
// time points.
inline weir_now Now() {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  weir_now now = {};
  now.mono_ns =
      duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  now.unix_ns =
      duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now;
}

inline std::chrono::steady_clock::time_point AtMono(int64_t mono_ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(mono_ns));
}

// Text from a function of the form (buffer, capacity, needed) -> status, in a buffer that grows to
// what it asks for. nullopt when the status is another one.
template <typename Call>
std::optional<std::string> FetchText(const Call& call) {
  std::string text(4096, '\0');
  for (;;) {
    size_t needed = 0;
    const weir_status status = call(text.data(), text.size(), &needed);
    if (status == WEIR_OK) {
      text.resize(needed);
      return text;
    }
    if (status != WEIR_OUT_OF_RANGE) return std::nullopt;
    // Somewhat more: metrics may grow between the two calls.
    text.resize(needed + needed / 8);
  }
}

// A view from a function of the form (txn, pointer, size) -> status.
template <typename Call>
std::string_view FetchView(const weir_txn* txn, const Call& call) {
  const char* bytes = nullptr;
  size_t size = 0;
  if (call(txn, &bytes, &size) != WEIR_OK) return {};
  return {bytes, size};
}

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_WEIR_HANDLES_H_
