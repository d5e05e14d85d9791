// The exchange as a line of a ledger.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/saturating.h"
#include "base/time.h"
#include "engine/costs.h"
#include "engine/transaction.h"

namespace weir::engine {

// No other exchange of any process has it: transactions of one process differ by their number,
// processes of one machine by theirs, machines and reboots by clocks and seeds.
void TransactionImpl::TakeExchangeId() {
  static std::atomic<uint64_t> taken = 0;
  const uint64_t parts[] = {taken.fetch_add(1, std::memory_order_relaxed),
                            static_cast<uint64_t>(getpid()), reinterpret_cast<uintptr_t>(&taken),
                            static_cast<uint64_t>(started_unix_ns_),
                            static_cast<uint64_t>(started_mono_ns_.value_or(0))};
  char bytes[sizeof(parts)];
  std::memcpy(bytes, parts, sizeof(parts));
  exchange_id_ = SipHash(generation_->segment->seed(), {bytes, sizeof(bytes)});
}

int64_t TransactionImpl::SinceBegun(int64_t mono_ns) const {
  return ElapsedNs(started_mono_ns_.value_or(mono_ns), mono_ns) / kMicrosecond;
}

std::string_view TransactionImpl::OutcomeOfAll() const {
  constexpr int kClientClosedRequest = 499;
  if (!attempts_.empty()) return attempts_[current_].outcome;
  return replied_status_ == kClientClosedRequest ? "abandoned" : "refused";
}

ledger::Usage TransactionImpl::LedgerUsage() const {
  ledger::Usage usage;
  const dialects::Usage& stated = metered_.usage;
  usage.prompt = used_->prompt;
  usage.completion = used_->completion;
  usage.cached = stated.cached;
  usage.cache_write = stated.cache_write;
  usage.reasoning = stated.reasoning;
  usage.audio_prompt = stated.audio_prompt;
  usage.audio_completion = stated.audio_completion;
  usage.prompt_provenance = dialects::ProvenanceName(used_->prompt_provenance);
  usage.completion_provenance = dialects::ProvenanceName(used_->completion_provenance);
  return usage;
}

Pricing TransactionImpl::CurrentPricing() const {
  Pricing pricing;
  pricing.rows[0] = model_;
  pricing.names[1] = request_.model;
  if (attempts_.empty()) return pricing;
  const std::string_view served = BackendModel(plan().backends[attempts_[current_].backend]);
  if (served == request_.model) return pricing;
  pricing.rows[1] = plan().FindModel(served);
  pricing.names[0] = served;
  return pricing;
}

void TransactionImpl::FillAttempts(ledger::Exchange* exchange) const {
  for (const Attempt& made : attempts_) {
    ledger::Attempt attempt;
    attempt.backend = plan().backends[made.backend].name;
    attempt.status = made.status;
    attempt.outcome = made.outcome;
    attempt.sent_us = SinceBegun(made.sent_mono_ns);
    attempt.took_us = ElapsedNs(made.sent_mono_ns, made.ended_mono_ns) / kMicrosecond;
    attempt.utilization = made.utilization;
    exchange->attempts.push_back(attempt);
  }
}

void TransactionImpl::FillLimits(ledger::Exchange* exchange) const {
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    const limits::Verdict& verdict = applied.verdict;
    ledger::LimitDecision decision;
    decision.limit = limit.name;
    decision.admitted = verdict.admitted;
    decision.shadow = limit.shadow;
    decision.cost = applied.charge.cost;
    decision.before = verdict.used_before;
    decision.amount = verdict.amount;
    decision.remaining = verdict.remaining;
    if (!verdict.admitted && verdict.retry_after_ns != limits::kNever) {
      decision.retry_after_ms =
          CeilDiv(static_cast<uint64_t>(verdict.retry_after_ns), kMillisecond);
    }
    exchange->limits.push_back(decision);
  }
}

void TransactionImpl::FillLatency(ledger::Exchange* exchange) const {
  exchange->latency.total_us = SinceBegun(now_.mono_ns);
  if (first_bytes_mono_ns_) exchange->latency.first_byte_us = SinceBegun(*first_bytes_mono_ns_);
  int64_t waits_ns = INT64_MAX;  // since when
  for (const auto& since : {waiting_since_mono_ns_, routing_since_mono_ns_}) {
    if (since) waits_ns = std::min(waits_ns, *since);
  }
  if (waits_ns == INT64_MAX) return;
  int64_t until_ns = now_.mono_ns;  // the first attempt after that
  for (const Attempt& made : attempts_) {
    if (made.sent_mono_ns >= waits_ns) until_ns = std::min(until_ns, made.sent_mono_ns);
  }
  exchange->latency.wait_us = ElapsedNs(waits_ns, until_ns) / kMicrosecond;
}

void TransactionImpl::FillDimensions(ledger::Exchange* exchange) {
  if (request_.route == nullptr || request_.route->meter < 0) return;
  if (!dimensions_) FindDimensions();
  const std::vector<std::string>& names = generation_->instruments->custom_labels();
  for (size_t i = 0; i < dimensions_->size(); ++i) {
    if (!(*dimensions_)[i].empty()) exchange->dimensions.push_back({names[i], (*dimensions_)[i]});
  }
}

void TransactionImpl::FillCaching(ledger::Exchange* exchange) const {
  if (caching_ == nullptr) return;
  exchange->cache.result = CacheResultName(caching_->result);
  if (!caching_->IsHit()) return;
  exchange->cache.age_ms = static_cast<uint64_t>(caching_->age_ns / kMillisecond);
  if (caching_->similarity >= 0) {
    exchange->cache.similarity_ppm = static_cast<uint64_t>(caching_->similarity * 1e6);
  }
  exchange->cache.saved_prompt = caching_->saved.prompt;
  exchange->cache.saved_completion = caching_->saved.completion;
  exchange->cache.saved_micro_usd = PriceOf(CurrentPricing(), caching_->saved);
}

absl::StatusOr<size_t> TransactionImpl::LedgerLine(absl::Span<char> line) {
  if (phase_ != Phase::kEnded) {
    return absl::FailedPreconditionError("the transaction has not ended");
  }
  if (line.size() < ledger::kMaxLineBytes) {
    return absl::OutOfRangeError("a line may have more bytes than there is room for");
  }
  if (!exchange_id_) TakeExchangeId();
  ledger::Exchange exchange;
  exchange.id_hi = exchange_id_->hi;
  exchange.id_lo = exchange_id_->lo;
  exchange.unix_ns = started_unix_ns_;
  if (const auto trace = metrics::ParseTraceparent(request_.headers.Get("traceparent"))) {
    exchange.trace = {trace->trace_high, trace->trace_low, trace->span, trace->sampled};
  }
  if (request_.consumer != nullptr) exchange.consumer = request_.consumer->id;
  if (request_.route != nullptr) exchange.route = request_.route->name;
  if (asked_) exchange.operation = dialects::OperationName(asked_->operation);
  exchange.stream = asked_ && asked_->stream;
  exchange.model = model_asked_.empty() ? request_.model : model_asked_;
  exchange.status = replied_status_;
  exchange.outcome = OutcomeOfAll();
  if (!attempts_.empty()) {
    const policy::Backend& backend = plan().backends[attempts_[current_].backend];
    exchange.backend = backend.name;
    exchange.provider = GenAiProvider(backend.dialect);
    exchange.served = BackendModel(backend);
    exchange.response_model = ResponseModel();
  }
  // What nothing was used of has no cost; what was used without a known price has an unknown one.
  if (used_ && (used_->prompt != 0 || used_->completion != 0)) {
    exchange.usage = LedgerUsage();
    exchange.cost = CostBy(CurrentPricing(), *exchange.usage);
  }
  FillCaching(&exchange);
  FillAttempts(&exchange);
  FillLimits(&exchange);
  FillLatency(&exchange);
  FillDimensions(&exchange);
  std::string explanation;
  if (plan().ledger_explains) explanation = ExplainInAscii();
  exchange.explain = explanation;
  return ledger::FormatLine(exchange, line);
}

}  // namespace weir::engine
