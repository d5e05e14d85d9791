// Plays transcripts over the C++ interface: adapters with the signatures of weir.h around
// weir::engine, so that both interfaces are proven by one player and one corpus.

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/transcripts/host.h"
#include "weir/engine.h"
#include "weir/policy.h"

// The opaque handles of weir.h, as this runner fills them.
struct weir_policy {
  std::shared_ptr<weir::policy::Policy> policy;
};
struct weir_engine {
  std::unique_ptr<weir::engine::Engine> engine;
};
struct weir_txn {
  std::unique_ptr<weir::engine::Transaction> txn;
};

namespace {

using weir::engine::HeaderEdit;

void Say(weir_error* error, int code, std::string_view message) {
  if (error == nullptr) return;
  error->code = code;
  const size_t size = std::min(message.size(), sizeof(error->message) - 1);
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
}

weir_status StatusOf(const absl::Status& status, weir_error* error) {
  if (status.ok()) return WEIR_OK;
  Say(error, static_cast<int>(status.code()),
      std::string_view(status.message().data(), status.message().size()));
  return static_cast<weir_status>(status.code());
}

weir_status Copy(std::string_view text, char* buffer, size_t capacity, size_t* needed) {
  *needed = text.size();
  if (text.size() > capacity) return WEIR_OUT_OF_RANGE;
  if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
  return WEIR_OK;
}

weir_status View(std::string_view text, const char** view, size_t* size) {
  *view = text.data();
  *size = text.size();
  return WEIR_OK;
}

weir::Now NowOf(const weir_now& now) { return {now.mono_ns, now.unix_ns}; }

weir_status PolicyParse(const char* text, size_t size, weir_policy** policy, weir_error* error) {
  std::vector<weir::policy::Fault> faults;
  auto parsed = weir::policy::Policy::Parse({text, size}, &faults);
  if (parsed == nullptr) {
    std::string message;
    for (const auto& fault : faults) message += weir::policy::FaultText(fault) + "\n";
    Say(error, WEIR_INVALID_ARGUMENT, message);
    return WEIR_INVALID_ARGUMENT;
  }
  *policy = new weir_policy{std::move(parsed)};
  return WEIR_OK;
}

uint32_t PolicySecretCount(const weir_policy* policy) {
  return static_cast<uint32_t>(policy->policy->secrets().size());
}

weir_status PolicySecret(const weir_policy* policy, uint32_t index, int32_t* kind,
                         const char** name, size_t* size) {
  const weir::policy::Secret& secret = policy->policy->secrets()[index];
  *kind = static_cast<int32_t>(secret.kind);
  return View(secret.name, name, size);
}

weir_status PolicySetSecret(weir_policy* policy, uint32_t index, const char* value, size_t size) {
  policy->policy->set_secret(index, {value, size});
  return WEIR_OK;
}

weir_status EngineNew(weir_policy* policy, const weir_engine_options* options, weir_engine** engine,
                      weir_error* error) {
  weir::engine::Options chosen;
  chosen.seed = options->seed;
  auto made = weir::engine::Engine::Create(policy->policy, chosen);
  if (!made.ok()) return StatusOf(made.status(), error);
  *engine = new weir_engine{*std::move(made)};
  return WEIR_OK;
}

weir_status EngineReload(weir_engine* engine, weir_policy* policy, weir_error* error) {
  return StatusOf(engine->engine->Reload(policy->policy), error);
}

weir_status EngineMetrics(weir_engine* engine, char* buffer, size_t capacity, size_t* needed,
                          weir_error*) {
  return Copy(engine->engine->MetricsText(), buffer, capacity, needed);
}

weir_status EngineStatus(weir_engine* engine, const weir_now* now, char* buffer, size_t capacity,
                         size_t* needed, weir_error*) {
  return Copy(engine->engine->StatusJson(NowOf(*now)), buffer, capacity, needed);
}

weir_status TxnNew(weir_engine* engine, weir_txn** txn, weir_error*) {
  *txn = new weir_txn{engine->engine->Begin()};
  return WEIR_OK;
}

weir_status RequestHead(weir_txn* txn, const char* method, size_t method_size, const char* target,
                        size_t target_size, const char* client, size_t client_size,
                        weir_error* error) {
  return StatusOf(
      txn->txn->RequestHead({method, method_size}, {target, target_size}, {client, client_size}),
      error);
}

weir_status RequestHeader(weir_txn* txn, const char* name, size_t name_size, const char* value,
                          size_t value_size, weir_error* error) {
  return StatusOf(txn->txn->RequestHeader({name, name_size}, {value, value_size}), error);
}

weir_status Attribute(weir_txn* txn, const char* name, size_t name_size, const char* value,
                      size_t value_size, weir_error* error) {
  return StatusOf(txn->txn->Attribute({name, name_size}, {value, value_size}), error);
}

weir_status RequestBody(weir_txn* txn, const char* bytes, size_t size, weir_error* error) {
  return StatusOf(txn->txn->RequestBody({bytes, size}), error);
}

weir_status RequestEnd(weir_txn* txn, weir_error* error) {
  return StatusOf(txn->txn->RequestEnd(), error);
}

weir_status ResponseHead(weir_txn* txn, int32_t status, weir_error* error) {
  return StatusOf(txn->txn->ResponseHead(status), error);
}

weir_status ResponseHeader(weir_txn* txn, const char* name, size_t name_size, const char* value,
                           size_t value_size, weir_error* error) {
  return StatusOf(txn->txn->ResponseHeader({name, name_size}, {value, value_size}), error);
}

weir_status ResponseBody(weir_txn* txn, const char* bytes, size_t size, weir_error* error) {
  return StatusOf(txn->txn->ResponseBody({bytes, size}), error);
}

weir_status ResponseEnd(weir_txn* txn, weir_error* error) {
  return StatusOf(txn->txn->ResponseEnd(), error);
}

weir_status ResponseFailed(weir_txn* txn, int32_t failure, weir_error* error) {
  return StatusOf(txn->txn->ResponseFailed(static_cast<weir::engine::Failure>(failure)), error);
}

weir_status CallResult(weir_txn* txn, uint64_t call_id, int32_t status, const char* body,
                       size_t size, weir_error* error) {
  return StatusOf(txn->txn->CallResult(call_id, status, {body, size}), error);
}

weir_status Next(weir_txn* txn, const weir_now* now, weir_action* action, weir_error* error) {
  const auto decided = txn->txn->Next(NowOf(*now));
  if (!decided.ok()) return StatusOf(decided.status(), error);
  action->kind = static_cast<int32_t>(decided->kind);
  action->status = decided->status;
  action->relay = static_cast<uint32_t>(decided->relay);
  action->header_count = static_cast<uint32_t>(txn->txn->headers().size());
  action->attempt = decided->attempt;
  action->call_id = decided->call_id;
  action->deadline_mono_ns = decided->deadline_mono_ns;
  return WEIR_OK;
}

weir_status Url(const weir_txn* txn, const char** view, size_t* size) {
  return View(txn->txn->url(), view, size);
}

weir_status Target(const weir_txn* txn, const char** view, size_t* size) {
  return View(txn->txn->target(), view, size);
}

weir_status Body(const weir_txn* txn, const char** view, size_t* size) {
  return View(txn->txn->body(), view, size);
}

weir_status Header(const weir_txn* txn, uint32_t index, int32_t* operation, const char** name,
                   size_t* name_size, const char** value, size_t* value_size) {
  const HeaderEdit& edit = txn->txn->headers()[index];
  *operation = static_cast<int32_t>(edit.operation);
  View(edit.name, name, name_size);
  return View(edit.value, value, value_size);
}

weir_status Explain(const weir_txn* txn, char* buffer, size_t capacity, size_t* needed,
                    weir_error*) {
  return Copy(txn->txn->Explain(), buffer, capacity, needed);
}

constexpr host_api kApi = {
    .policy_parse = PolicyParse,
    .policy_secret_count = PolicySecretCount,
    .policy_secret = PolicySecret,
    .policy_set_secret = PolicySetSecret,
    .policy_free = [](weir_policy* policy) { delete policy; },
    .engine_new = EngineNew,
    .engine_reload = EngineReload,
    .engine_metrics = EngineMetrics,
    .engine_status = EngineStatus,
    .engine_free = [](weir_engine* engine) { delete engine; },
    .txn_new = TxnNew,
    .request_head = RequestHead,
    .request_header = RequestHeader,
    .attribute = Attribute,
    .request_body = RequestBody,
    .request_end = RequestEnd,
    .response_head = ResponseHead,
    .response_header = ResponseHeader,
    .response_body = ResponseBody,
    .response_end = ResponseEnd,
    .response_failed = ResponseFailed,
    .call_result = CallResult,
    .next = Next,
    .url = Url,
    .target = Target,
    .body = Body,
    .header = Header,
    .explain = Explain,
    .txn_free = [](weir_txn* txn) { delete txn; },
};

}  // namespace

int main(int argc, char** argv) { return transcript_main(&kApi, argc, argv); }
