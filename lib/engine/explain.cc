// What was decided and why, as JSON. No credential and no prompt text.

#include "base/json.h"
#include "base/saturating.h"
#include "base/time.h"
#include "engine/status.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

constexpr size_t kMaxExplainHeaderBytes = 4096;  // many readers of heads take 8 KiB in all

void AppendUnit(uint32_t unit, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kDigits[unit >> shift & 15]);
}

// JSON, which is UTF-8, with everything but printable ASCII as escapes: a line wherever it is put,
// of which no byte steers a terminal.
std::string EscapeNonAscii(std::string_view json) {
  std::string out;
  for (size_t i = 0; i < json.size();) {
    const auto lead = static_cast<unsigned char>(json[i]);
    if (lead < 0x7f) {
      out.push_back(json[i++]);
      continue;
    }
    const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t point = size == 1 ? lead : lead & (0x7fU >> size);
    for (size_t k = 1; k < size && i + k < json.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(json[i + k]) & 0x3f);
    }
    i += size;
    if (point >= 0x10000) {
      AppendUnit(0xd800 + ((point - 0x10000) >> 10), &out);
      point = 0xdc00 + ((point - 0x10000) & 0x3ff);
    }
    AppendUnit(point, &out);
  }
  return out;
}

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
  if (!caching.verifier.empty()) writer->Key("verifier").String(caching.verifier);
  if (!caching.trial.empty()) writer->Key("trial").String(caching.trial);
  if (caching.IsHit()) {
    writer->Key("age_s").Int(caching.age_ns / kSecond);
    writer->Key("entry").String(std::to_string(caching.entry));
  }
  if (!caching.kept.empty()) writer->Key("kept").String(caching.kept);
  writer->EndObject();
}

}  // namespace

// The members of a pool that take no request like this one now.
void TransactionImpl::WriteResting(uint32_t pool, json::Writer* writer) const {
  const std::vector<balance::MemberState> states = generation_->pools[pool]->Snapshot(now_);
  for (size_t member = 0; member < states.size(); ++member) {
    balance::Availability why = states[member].why;
    int64_t until_ns = states[member].until_mono_ns;
    if (states[member].usable) {  // but this model's circuit may be open
      const breaker::Circuit circuit = CircuitOf(plan().pools[pool].backends[member]);
      const breaker::Passage passage = generation_->breaker->Check(circuit, now_);
      if (passage.allowed) continue;
      const bool asked = generation_->breaker->Get(circuit, now_).trip.asked;
      why = asked ? balance::Availability::kThrottled : balance::Availability::kTripped;
      until_ns = passage.retry_at_mono_ns;
    }
    writer->BeginObject().Key("backend").String(states[member].name);
    writer->Key("why").String(ReasonName(why));
    if (until_ns != balance::kNever) {
      writer->Key("for_ms").Int(ElapsedNs(now_.mono_ns, until_ns) / kMillisecond);
    }
    writer->EndObject();
  }
}

std::string TransactionImpl::ExplainInAscii() const { return EscapeNonAscii(Explain()); }

// Of a reply, of the head that is relayed, and of the end of an answer that may still have headers:
// the last one given has all of it.
void TransactionImpl::SetExplainHeader(const Action& action) {
  if (plan().client_headers[static_cast<size_t>(policy::ClientHeader::kExplain)].empty()) return;
  const bool is_head = action.kind == ActionKind::kContinue && action.status != 0;
  const bool is_end = action.kind == ActionKind::kDone && !is_stream_;
  if (action.kind != ActionKind::kReply && !is_head && !is_end) return;
  const std::string explanation = ExplainInAscii();
  if (explanation.size() > kMaxExplainHeaderBytes) return;
  SetClientHeader(policy::ClientHeader::kExplain, explanation);
}

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
  writer.EndArray();
  // Who was not asked, and why: how they stand at the last decision. Not before one was to be
  // asked.
  if (!tries_.empty()) {
    writer.Key("resting").BeginArray();
    WriteResting(request_.route->pool, &writer);
    if (pool_ != request_.route->pool) WriteResting(pool_, &writer);
    writer.EndArray();
  }
  writer.Key("limits").BeginArray();
  for (const AppliedLimit& applied : limits_) {
    const limits::Verdict& verdict = applied.verdict;
    writer.BeginObject().Key("limit").String(plan().limits[applied.limit].name);
    if (plan().limits[applied.limit].shadow) writer.Key("shadow").Bool(true);
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
