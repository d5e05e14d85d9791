// What stands behind the opaque handles of weir.h. Each is owned by who holds it: _new makes one,
// _free takes it.

#ifndef WEIR_CAPI_HANDLES_H_
#define WEIR_CAPI_HANDLES_H_

#include <atomic>
#include <memory>

#include "guard.h"
#include "weir.h"
#include "weir/engine.h"
#include "weir/policy.h"
#include "weir/tokens.h"

struct weir_policy {
  std::shared_ptr<weir::policy::Policy> policy;
  std::atomic<bool> frozen{false};  // an engine has it: its secrets may not change any more
};

struct weir_engine {
  std::unique_ptr<weir::engine::Engine> engine;
};

struct weir_txn {
  std::unique_ptr<weir::engine::Transaction> txn;
};

namespace weir::capi {

// Behind a weir_tokenizer stands the tokenizer itself, under an opaque name.
inline const tokens::Tokenizer* Behind(const weir_tokenizer* tokenizer) {
  return reinterpret_cast<const tokens::Tokenizer*>(tokenizer);
}

// Fail, with a place in a policy or a body.
weir_status FailAt(weir_error* error, weir_status code, std::string_view message, size_t offset,
                   size_t line, size_t column) noexcept;

}  // namespace weir::capi

#endif  // WEIR_CAPI_HANDLES_H_
