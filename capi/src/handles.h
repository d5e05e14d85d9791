// What stands behind the opaque handles of weir.h. Each is owned by who holds it: _new makes one,
// _free takes it.

#ifndef WEIR_CAPI_HANDLES_H_
#define WEIR_CAPI_HANDLES_H_

#include <atomic>
#include <memory>
#include <string>

#include "guard.h"
#include "weir.h"
#include "weir/base.h"
#include "weir/engine.h"
#include "weir/limits.h"
#include "weir/policy.h"
#include "weir/recycling.h"
#include "weir/state.h"
#include "weir/tokens.h"

struct weir_policy {
  std::shared_ptr<weir::policy::Policy> policy;
  std::atomic<bool> frozen{false};  // an engine has it: its secrets may not change any more
};

struct weir_engine {
  std::unique_ptr<weir::engine::Engine> engine;
};

struct weir_txn : weir::Recycled {
  std::unique_ptr<weir::engine::Transaction> txn;
  bool line_taken = false;  // a ledger has its line
};

struct weir_state {
  std::shared_ptr<weir::state::Segment> segment;
};

struct weir_limiter {
  std::shared_ptr<weir::state::Segment> segment;  // outlives what is made over it
  std::unique_ptr<weir::limits::Limiter> limiter;
};

struct weir_reservation {
  weir_limiter* limiter = nullptr;  // that made it
  weir::limits::Reservation held;
  weir::Now last_now;  // that it was given
};

namespace weir::capi {

// Behind a weir_tokenizer stands the tokenizer itself, under an opaque name.
inline const tokens::Tokenizer* Behind(const weir_tokenizer* tokenizer) {
  return reinterpret_cast<const tokens::Tokenizer*>(tokenizer);
}

inline Now At(const weir_now& now) { return {now.mono_ns, now.unix_ns}; }

// A path for the system, whose texts end at a NUL.
weir_status ReadPath(const char* path, size_t path_size, std::string* read, weir_error* error);

// Fail, with a place in a policy or a body.
weir_status FailAt(weir_error* error, weir_status code, std::string_view message, size_t offset,
                   size_t line, size_t column) noexcept;

}  // namespace weir::capi

#endif  // WEIR_CAPI_HANDLES_H_
