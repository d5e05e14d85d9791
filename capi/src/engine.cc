// weir_engine_* and the version.

#include "handles.h"

namespace {

using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadSized;

}  // namespace

const char* weir_version(void) { return weir::Version(); }

uint32_t weir_version_number(void) {
  return WEIR_VERSION_MAJOR * 1000000 + WEIR_VERSION_MINOR * 1000 + WEIR_VERSION_PATCH;
}

weir_status weir_engine_new(weir_policy* policy, const weir_engine_options* options,
                            weir_engine** engine, weir_error* error) {
  if (policy == nullptr || engine == nullptr) return NullArgument(error);
  weir_engine_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    weir::engine::Options made;
    if (read.max_counters != 0) made.max_counters = read.max_counters;
    made.state_bytes = read.state_bytes;
    made.seed = read.seed;
    auto handle = std::make_unique<weir_engine>();
    auto created = weir::engine::Engine::Create(policy->policy, made);
    if (!created.ok()) return Fail(error, created.status());
    policy->frozen.store(true);
    handle->engine = *std::move(created);
    *engine = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_engine_reload(weir_engine* engine, weir_policy* policy, weir_error* error) {
  if (engine == nullptr || policy == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const absl::Status status = engine->engine->Reload(policy->policy);
    if (!status.ok()) return Fail(error, status);
    policy->frozen.store(true);
    return WEIR_OK;
  });
}

weir_status weir_engine_metrics(weir_engine* engine, char* buffer, size_t capacity, size_t* needed,
                                weir_error* error) {
  if (engine == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    return CopyOut(engine->engine->MetricsText(), buffer, capacity, needed, error);
  });
}

weir_status weir_engine_status(weir_engine* engine, const weir_now* now, char* buffer,
                               size_t capacity, size_t* needed, weir_error* error) {
  if (engine == nullptr || now == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const weir::Now at = {now->mono_ns, now->unix_ns};
    return CopyOut(engine->engine->StatusJson(at), buffer, capacity, needed, error);
  });
}

void weir_engine_free(weir_engine* engine) { delete engine; }
