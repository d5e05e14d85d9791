// weir_engine_* and the version.

#include <optional>

#include "base/saturating.h"
#include "handles.h"

namespace {

using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadPath;
using weir::capi::ReadSized;
using weir::capi::View;

bool IsExportFormat(uint32_t format) {
  return format >= WEIR_EXPORT_OTLP_CUMULATIVE && format <= WEIR_EXPORT_TRACK;
}

weir_status UnknownFormat(weir_error* error) {
  return Fail(error, WEIR_INVALID_ARGUMENT, "no such format of metrics");
}

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
  if (!IsText(read.state_file, read.state_file_size)) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir::engine::Options made;
    const weir_status status =
        ReadPath(read.state_file, read.state_file_size, &made.state_file, error);
    if (status != WEIR_OK) return status;
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

weir_status weir_engine_metrics_as(weir_engine* engine, const char* accept, size_t accept_size,
                                   const char** content_type, char* buffer, size_t capacity,
                                   size_t* needed, weir_error* error) {
  if (engine == nullptr || content_type == nullptr || !IsText(accept, accept_size) ||
      !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const auto format = weir::metrics::NegotiateText(View(accept, accept_size));
    *content_type = weir::metrics::ContentType(format).data();
    return CopyOut(engine->engine->MetricsText(format), buffer, capacity, needed, error);
  });
}

weir_status weir_engine_export_metrics(weir_engine* engine, const weir_export_options* options,
                                       const weir_now* now, uint64_t* number, char* buffer,
                                       size_t capacity, size_t* needed, weir_error* error) {
  if (engine == nullptr || options == nullptr || now == nullptr || number == nullptr ||
      !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  weir_export_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  if (!IsText(read.service_name, read.service_name_size) ||
      !IsText(read.instrumentation_key, read.instrumentation_key_size) ||
      !IsText(read.metric_namespace, read.metric_namespace_size)) {
    return NullArgument(error);
  }
  if (!IsExportFormat(read.format)) return UnknownFormat(error);
  return Guard(error, [&]() -> weir_status {
    weir::metrics::ExportOptions made;
    if (read.service_name_size != 0) {
      made.resource.emplace_back("service.name", View(read.service_name, read.service_name_size));
    }
    made.instrumentation_key = View(read.instrumentation_key, read.instrumentation_key_size);
    if (read.metric_namespace_size != 0) {
      made.metric_namespace = View(read.metric_namespace, read.metric_namespace_size);
    }
    const auto batch = engine->engine->ExportMetrics(
        static_cast<weir::metrics::ExportFormat>(read.format), made, At(*now));
    if (!batch.ok()) return Fail(error, batch.status());
    *number = batch->number;
    return CopyOut(batch->bytes, buffer, capacity, needed, error);
  });
}

weir_status weir_engine_acknowledge_metrics(weir_engine* engine, uint32_t format, uint64_t number,
                                            weir_error* error) {
  if (engine == nullptr) return NullArgument(error);
  if (!IsExportFormat(format)) return UnknownFormat(error);
  return Guard(error, [&]() -> weir_status {
    const absl::Status status = engine->engine->AcknowledgeMetrics(
        static_cast<weir::metrics::ExportFormat>(format), number);
    return status.ok() ? WEIR_OK : Fail(error, status);
  });
}

weir_status weir_engine_status(weir_engine* engine, const weir_now* now, char* buffer,
                               size_t capacity, size_t* needed, weir_error* error) {
  if (engine == nullptr || now == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    return CopyOut(engine->engine->StatusJson(At(*now)), buffer, capacity, needed, error);
  });
}

weir_status weir_engine_changes_json(weir_engine* engine, uint64_t since, char* buffer,
                                     size_t capacity, size_t* needed, weir_error* error) {
  if (engine == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    return CopyOut(engine->engine->ChangesJson(since), buffer, capacity, needed, error);
  });
}

weir_status weir_engine_override_limit(weir_engine* engine, const char* limit, size_t limit_size,
                                       const char* key, size_t key_size, uint64_t amount,
                                       int64_t for_ms, const weir_now* now, weir_error* error) {
  if (engine == nullptr || now == nullptr || !IsText(limit, limit_size) || !IsText(key, key_size)) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::optional<std::string_view> of_key;
    if (key != nullptr) of_key = View(key, key_size);
    const absl::Status status =
        engine->engine->OverrideLimit(View(limit, limit_size), of_key, amount,
                                      weir::SaturatingMul(for_ms, weir::kMillisecond), At(*now));
    return status.ok() ? WEIR_OK : Fail(error, status);
  });
}

weir_status weir_engine_purge_cache(weir_engine* engine, const char* cache, size_t cache_size,
                                    int32_t which, const char* what, size_t what_size,
                                    uint64_t* removed, weir_error* error) {
  if (engine == nullptr || !IsText(cache, cache_size) || !IsText(what, what_size)) {
    return NullArgument(error);
  }
  if (which < WEIR_PURGE_ALL || which > WEIR_PURGE_ENTRY) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "there is no such purge");
  }
  return Guard(error, [&]() -> weir_status {
    const auto count = engine->engine->PurgeCache(
        View(cache, cache_size), static_cast<weir::engine::Purge>(which), View(what, what_size));
    if (!count.ok()) return Fail(error, count.status());
    if (removed != nullptr) *removed = *count;
    return WEIR_OK;
  });
}

void weir_engine_free(weir_engine* engine) { delete engine; }
