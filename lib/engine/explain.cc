// What was decided and why, as JSON. No credential and no prompt text.

#include "base/json.h"
#include "base/saturating.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

void WriteOptional(json::Writer* writer, std::string_view key, std::optional<uint64_t> value) {
  writer->Key(key);
  if (value) {
    writer->Uint(*value);
  } else {
    writer->Null();
  }
}

void WriteCaching(const Caching& caching, json::Writer* writer) {
  writer->Key("cache").BeginObject().Key("name").String(caching.cache->rules().name);
  writer->Key("result").String(CacheResultName(caching.result));
  if (!caching.reason.empty()) writer->Key("reason").String(caching.reason);
  if (!caching.guard.empty()) writer->Key("guard").String(caching.guard);
  writer->Key("embedding").String(caching.embedding);
  if (caching.similarity >= -1) writer->Key("similarity").Raw(DecimalOf(caching.similarity));
  if (caching.IsHit()) writer->Key("age_s").Int(caching.age_ns / kSecond);
  if (!caching.kept.empty()) writer->Key("kept").String(caching.kept);
  writer->EndObject();
}

}  // namespace

std::string TransactionImpl::Explain() const {
  constexpr std::string_view kPhases[] = {"start", "head",     "body",   "admit", "routing",
                                          "sent",  "answered", "failed", "relay", "ended"};
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject();
  writer.Key("route").String(request_.route == nullptr ? std::string_view() : request_.route->name);
  writer.Key("consumer")
      .String(request_.consumer == nullptr ? std::string_view()
                                           : std::string_view(request_.consumer->id));
  writer.Key("model").String(request_.model);
  writer.Key("phase").String(kPhases[static_cast<size_t>(phase_)]);
  writer.Key("status").Int(replied_status_);
  if (asked_) {
    writer.Key("operation").String(dialects::OperationName(asked_->operation));
    writer.Key("stream").Bool(asked_->stream);
    writer.Key("prompt_tokens").BeginObject().Key("count").Uint(prompt_.count);
    writer.Key("provenance").String(dialects::ProvenanceName(prompt_.provenance)).EndObject();
  }
  if (caching_ != nullptr) WriteCaching(*caching_, &writer);
  writer.Key("attempts").BeginArray();
  for (const Attempt& made : attempts_) {
    writer.BeginObject().Key("backend").String(plan().backends[made.backend].name);
    writer.Key("outcome").String(made.outcome);
    writer.Key("status").Int(made.status).EndObject();
  }
  writer.EndArray().Key("limits").BeginArray();
  for (const AppliedLimit& applied : limits_) {
    const limits::Verdict& verdict = applied.verdict;
    writer.BeginObject().Key("limit").String(plan().limits[applied.limit].name);
    writer.Key("admitted").Bool(verdict.admitted).Key("cost").Uint(applied.charge.cost);
    writer.Key("before").Uint(verdict.used_before).Key("reserved").Uint(verdict.reserved);
    writer.Key("amount").Uint(verdict.amount).Key("remaining").Uint(verdict.remaining);
    writer.Key("retry_after_ms");
    if (verdict.retry_after_ns == limits::kNever) {
      writer.Null();
    } else {
      writer.Uint(CeilDiv(static_cast<uint64_t>(verdict.retry_after_ns), kMillisecond));
    }
    writer.EndObject();
  }
  writer.EndArray();
  if (used_) {
    writer.Key("usage").BeginObject().Key("prompt").Uint(used_->prompt);
    writer.Key("completion").Uint(used_->completion);
    WriteOptional(&writer, "cached", metered_.usage.cached);
    WriteOptional(&writer, "reasoning", metered_.usage.reasoning);
    writer.Key("prompt_provenance").String(dialects::ProvenanceName(used_->prompt_provenance));
    writer.Key("provenance").String(dialects::ProvenanceName(used_->completion_provenance));
    if (metered_.unread != metering::Unread::kNothing) {
      writer.Key("unread").String(metering::UnreadName(metered_.unread));
    }
    writer.EndObject();
  }
  writer.EndObject();
  return out;
}

}  // namespace weir::engine
