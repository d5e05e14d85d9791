// weir_txn_*: each feeds, asks or shows one thing of the transaction behind the handle.

#include <cstring>

#include "handles.h"

namespace {

using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;
using weir::capi::WriteSized;

// Feeding: runs `feed` on the transaction and turns its status into the caller's.
template <typename Feed>
weir_status FeedTxn(weir_txn* txn, weir_error* error, Feed&& feed) noexcept {
  if (txn == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const absl::Status status = feed(*txn->txn);
    return status.ok() ? WEIR_OK : Fail(error, status);
  });
}

weir_status ShowView(std::string_view view, const char** text, size_t* size) {
  if (text == nullptr || size == nullptr) return WEIR_INVALID_ARGUMENT;
  *text = view.data() == nullptr ? "" : view.data();
  *size = view.size();
  return WEIR_OK;
}

}  // namespace

weir_status weir_txn_new(weir_engine* engine, weir_txn** txn, weir_error* error) {
  if (engine == nullptr || txn == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    auto handle = std::make_unique<weir_txn>();
    handle->txn = engine->engine->Begin();
    *txn = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_txn_request_head(weir_txn* txn, const char* method, size_t method_size,
                                  const char* target, size_t target_size, const char* client,
                                  size_t client_size, weir_error* error) {
  if (!IsText(method, method_size) || !IsText(target, target_size) ||
      !IsText(client, client_size)) {
    return NullArgument(error);
  }
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.RequestHead(View(method, method_size), View(target, target_size),
                           View(client, client_size));
  });
}

weir_status weir_txn_request_header(weir_txn* txn, const char* name, size_t name_size,
                                    const char* value, size_t value_size, weir_error* error) {
  if (!IsText(name, name_size) || !IsText(value, value_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.RequestHeader(View(name, name_size), View(value, value_size));
  });
}

weir_status weir_txn_attribute(weir_txn* txn, const char* name, size_t name_size, const char* value,
                               size_t value_size, weir_error* error) {
  if (!IsText(name, name_size) || !IsText(value, value_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.Attribute(View(name, name_size), View(value, value_size));
  });
}

weir_status weir_txn_request_body(weir_txn* txn, const char* bytes, size_t bytes_size,
                                  weir_error* error) {
  if (!IsText(bytes, bytes_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.RequestBody(View(bytes, bytes_size));
  });
}

weir_status weir_txn_request_end(weir_txn* txn, weir_error* error) {
  return FeedTxn(txn, error, [](weir::engine::Transaction& fed) { return fed.RequestEnd(); });
}

weir_status weir_txn_response_head(weir_txn* txn, int32_t status, weir_error* error) {
  return FeedTxn(txn, error,
                 [&](weir::engine::Transaction& fed) { return fed.ResponseHead(status); });
}

weir_status weir_txn_response_header(weir_txn* txn, const char* name, size_t name_size,
                                     const char* value, size_t value_size, weir_error* error) {
  if (!IsText(name, name_size) || !IsText(value, value_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.ResponseHeader(View(name, name_size), View(value, value_size));
  });
}

weir_status weir_txn_response_from(weir_txn* txn, uint32_t attempt, weir_error* error) {
  return FeedTxn(txn, error,
                 [&](weir::engine::Transaction& fed) { return fed.ResponseFrom(attempt); });
}

weir_status weir_txn_response_body(weir_txn* txn, const char* bytes, size_t bytes_size,
                                   weir_error* error) {
  if (!IsText(bytes, bytes_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.ResponseBody(View(bytes, bytes_size));
  });
}

weir_status weir_txn_response_end(weir_txn* txn, weir_error* error) {
  return FeedTxn(txn, error, [](weir::engine::Transaction& fed) { return fed.ResponseEnd(); });
}

weir_status weir_txn_response_failed(weir_txn* txn, int32_t failure, weir_error* error) {
  if (failure < WEIR_FAILURE_CONNECT || failure > WEIR_FAILURE_RESET) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "no such failure");
  }
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.ResponseFailed(static_cast<weir::engine::Failure>(failure));
  });
}

weir_status weir_txn_call_result(weir_txn* txn, uint64_t call_id, int32_t status, const char* body,
                                 size_t body_size, weir_error* error) {
  if (!IsText(body, body_size)) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.CallResult(call_id, status, View(body, body_size));
  });
}

weir_status weir_txn_call_vector(weir_txn* txn, uint64_t call_id, const float* vector, size_t count,
                                 weir_error* error) {
  if (vector == nullptr) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    return fed.CallVector(call_id, {vector, count});
  });
}

weir_status weir_txn_client_left(weir_txn* txn, const weir_now* now, weir_error* error) {
  if (now == nullptr) return NullArgument(error);
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    fed.ClientLeft({now->mono_ns, now->unix_ns});
    return absl::OkStatus();
  });
}

weir_status weir_txn_add_overhead(weir_txn* txn, int64_t ns, weir_error* error) {
  if (ns < 0) return Fail(error, WEIR_INVALID_ARGUMENT, "a time that weir took is not below 0");
  return FeedTxn(txn, error, [&](weir::engine::Transaction& fed) {
    fed.AddOverhead(ns);
    return absl::OkStatus();
  });
}

weir_status weir_txn_next(weir_txn* txn, const weir_now* now, weir_action* action,
                          weir_error* error) {
  if (txn == nullptr || now == nullptr || action == nullptr) return NullArgument(error);
  if (action->size < offsetof(weir_action, status)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "action->size has no room for the kind of action");
  }
  return Guard(error, [&]() -> weir_status {
    const auto decided = txn->txn->Next({now->mono_ns, now->unix_ns});
    if (!decided.ok()) return Fail(error, decided.status());
    weir_action full;
    std::memset(&full, 0, sizeof(full));
    full.kind = static_cast<int32_t>(decided->kind);
    full.status = decided->status;
    full.relay = static_cast<uint32_t>(decided->relay);
    full.header_count = static_cast<uint32_t>(txn->txn->headers().size());
    full.attempt = decided->attempt;
    full.call_id = decided->call_id;
    full.deadline_mono_ns = decided->deadline_mono_ns;
    full.wake_mono_ns = decided->wake_mono_ns;
    full.parallel = decided->parallel ? 1 : 0;
    WriteSized(full, action);
    return WEIR_OK;
  });
}

weir_status weir_txn_url(const weir_txn* txn, const char** url, size_t* url_size) {
  return txn == nullptr ? WEIR_INVALID_ARGUMENT : ShowView(txn->txn->url(), url, url_size);
}

weir_status weir_txn_target(const weir_txn* txn, const char** target, size_t* target_size) {
  return txn == nullptr ? WEIR_INVALID_ARGUMENT : ShowView(txn->txn->target(), target, target_size);
}

weir_status weir_txn_body(const weir_txn* txn, const char** body, size_t* body_size) {
  return txn == nullptr ? WEIR_INVALID_ARGUMENT : ShowView(txn->txn->body(), body, body_size);
}

weir_status weir_txn_header(const weir_txn* txn, uint32_t index, int32_t* operation,
                            const char** name, size_t* name_size, const char** value,
                            size_t* value_size) {
  if (txn == nullptr || operation == nullptr || name == nullptr || name_size == nullptr ||
      value == nullptr || value_size == nullptr) {
    return WEIR_INVALID_ARGUMENT;
  }
  if (index >= txn->txn->headers().size()) return WEIR_OUT_OF_RANGE;
  const weir::engine::HeaderEdit& edit = txn->txn->headers()[index];
  *operation = static_cast<int32_t>(edit.operation);
  *name = edit.name.data();
  *name_size = edit.name.size();
  *value = edit.value.data();
  *value_size = edit.value.size();
  return WEIR_OK;
}

weir_status weir_txn_explain(const weir_txn* txn, char* buffer, size_t capacity, size_t* needed,
                             weir_error* error) {
  if (txn == nullptr || !IsText(buffer, capacity) || needed == nullptr) return NullArgument(error);
  return Guard(error,
               [&] { return CopyOut(txn->txn->Explain(), buffer, capacity, needed, error); });
}

void weir_txn_free(weir_txn* txn) { delete txn; }
