// What was used, who is charged for it, and what the meters say.

#include <algorithm>

#include "base/saturating.h"
#include "base/time.h"
#include "engine/costs.h"
#include "engine/transaction.h"

namespace weir::engine {

// What the provider stated; where it stated nothing, what weir counted itself.
TransactionImpl::Used TransactionImpl::CountUsed() {
  Used used;
  if (meter_ != nullptr) metered_ = meter_->Read();
  const dialects::Usage& stated = metered_.usage;
  const bool success = answer_status_ >= 200 && answer_status_ < 300;
  // An attempt that was sent and not answered yet has cost its prompt; one that failed nothing.
  const bool charged = success || (answer_status_ == 0 && phase_ == Phase::kSent);
  used.prompt = stated.prompt.value_or(charged ? prompt_.count : 0);
  used.prompt_provenance = stated.prompt ? dialects::Provenance::kProvider : prompt_.provenance;
  used.completion = metered_.completion;
  used.cached = stated.cached.value_or(0);
  used.cache_write = stated.cache_write.value_or(0);
  used.reasoning = stated.reasoning.value_or(0);
  used.completion_provenance = metered_.provenance;
  // What could not be read was estimated, but is not more than was allowed.
  if (metered_.unread != metering::Unread::kNothing && asked_->max_output_tokens) {
    used.completion =
        std::min(used.completion, SaturatingMul(*asked_->max_output_tokens, asked_->n));
  }
  return used;
}

// Ends the attempt under way and charges everybody. Does nothing the second time.
void TransactionImpl::SettleAnswer(std::string_view outcome, const breaker::Outcome* told) {
  if (used_) return;
  if (phase_ == Phase::kRelay) ReadFedBytes();
  used_ = CountUsed();
  if (!attempts_.empty()) {
    EndAttempt(&attempt(), outcome, told, SaturatingAdd(used_->prompt, used_->completion));
    DropOthers(outcome);
  }
  const bool success = answer_status_ >= 200 && answer_status_ < 300;
  SettleLimits(*used_, success && outcome == "ok");
  if (IsCounted() && (success || used_->prompt != 0 || used_->completion != 0)) {
    is_usage_metered_ = true;
  }
}

void TransactionImpl::SettleLimits(const Used& used, bool learn) {
  const bool is_nothing = used.prompt == 0 && used.completion == 0;
  const auto actual_of = [&](const AppliedLimit& applied) {
    const policy::Limit& limit = plan().limits[applied.limit];
    limits::Actual actual;
    actual.learn = learn;
    if (limit.unit == policy::Unit::kConcurrency) return actual;  // its place is free again
    const bool is_request = limit.unit == policy::Unit::kRequests;
    if (is_request || !is_nothing) actual.cost = CostIn(limit, used);
    Usage prompt = used;
    prompt.completion = prompt.reasoning = 0;
    actual.headroom_used = SaturatingSub(actual.cost, std::min(actual.cost, CostIn(limit, prompt)));
    return actual;
  };
  absl::InlinedVector<limits::Actual, 4> enforced;
  for (AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow) {
      enforced.push_back(actual_of(applied));
    } else if (applied.shadow != nullptr) {
      const limits::Actual alone[] = {actual_of(applied)};
      generation_->limiter->Settle(applied.shadow.get(), alone, now_);
    }
  }
  if (held_.active()) generation_->limiter->Settle(&held_, enforced, now_);
}

void TransactionImpl::ReleaseLimits() {
  generation_->limiter->Release(&held_, now_);
  for (AppliedLimit& applied : limits_) {
    if (applied.shadow != nullptr) generation_->limiter->Release(applied.shadow.get(), now_);
  }
}

void TransactionImpl::FindDimensions() {
  const std::vector<std::string>& names = generation_->instruments->custom_labels();
  RecycledVector<std::string_view> values(names.size());
  if (request_.route == nullptr || request_.route->meter < 0) {
    dimensions_ = std::move(values);
    return;
  }
  const RequestEnvironment environment(request_);
  const policy::Meter& meter = plan().meters[static_cast<size_t>(request_.route->meter)];
  for (const policy::Dimension& dimension : meter.dimensions) {
    const auto at = std::find(names.begin(), names.end(), dimension.label);
    if (at == names.end()) continue;
    std::string scratch;
    const auto value = dimension.value->EvalString(environment, &scratch);
    values[static_cast<size_t>(at - names.begin())] =
        request_.headers.Keep(value.value_or(std::string_view()));
  }
  dimensions_ = std::move(values);
}

// Metering begins when nothing of this can change any more.
Instruments::Labels TransactionImpl::MeterLabels() {
  if (!dimensions_) FindDimensions();
  Instruments::Labels labels;
  labels.route = request_.route == nullptr ? std::string_view() : request_.route->name;
  if (request_.consumer != nullptr) labels.consumer = request_.consumer->id;
  labels.model = ModelLabel();
  labels.response_model = ResponseModel();
  labels.backend = request_.backend;
  if (request_.route != nullptr && request_.route->operation) {
    const dialects::Dialect dialect = attempts_.empty()
                                          ? request_.route->dialect
                                          : plan().backends[attempts_[current_].backend].dialect;
    labels.operation = GenAiOperation(*request_.route->operation, request_.route->dialect);
    labels.provider = GenAiProvider(dialect);
  }
  labels.custom.assign(dimensions_->begin(), dimensions_->end());
  return labels;
}

// A model that neither the policy knows nor any backend answered for is somebody's invention.
std::string_view TransactionImpl::ModelLabel() const {
  if (model_ != nullptr) return model_->name;
  const bool is_answered = answer_status_ >= 200 && answer_status_ < 300;
  return request_.model.empty() || is_answered ? std::string_view(request_.model) : "other";
}

std::string_view TransactionImpl::ResponseModel() const {
  const bool is_answered = answer_status_ >= 200 && answer_status_ < 300;
  if (!is_answered || meter_ == nullptr || meter_->reader() == nullptr) return {};
  return meter_->reader()->model();
}

MeteredUsage TransactionImpl::UsageToMeter() const {
  MeteredUsage usage;
  usage.input = used_->prompt;
  usage.output = used_->completion;
  usage.input_provenance = used_->prompt_provenance;
  usage.output_provenance = used_->completion_provenance;
  usage.stated = &metered_.usage;
  usage.cost_micro_usd = CostBy(CurrentPricing(), LedgerUsage()).micro_usd;
  return usage;
}

void TransactionImpl::MeterExchange(int status) {
  Instruments& instruments = *generation_->instruments;
  MeteredExchange exchange;
  exchange.status = status;
  exchange.duration_ns = now_.mono_ns - *started_mono_ns_;
  const auto trace = metrics::ParseTraceparent(request_.headers.Get("traceparent"));
  if (trace && trace->sampled) {
    exchange.exemplar = {trace->trace_high, trace->trace_low, trace->span, now_.unix_ns};
  }
  const bool is_success = status >= 200 && status < 300;
  if (is_usage_metered_) exchange.usage = UsageToMeter();
  if (is_success && is_stream_ && first_bytes_mono_ns_) {
    exchange.first_token_ns = ElapsedNs(attempts_[current_].sent_mono_ns, *first_bytes_mono_ns_);
    if (used_ && used_->completion > 1) {
      exchange.per_output_token_ns = ElapsedNs(*first_bytes_mono_ns_, now_.mono_ns) /
                                     static_cast<int64_t>(used_->completion - 1);
    }
  }
  const Instruments::Labels labels = MeterLabels();
  instruments.Exchange(labels, exchange, now_);
  if (is_usage_metered_ && metered_.anomaly) instruments.UsageAnomaly(labels.backend);
}

void TransactionImpl::MeterOverhead() const {
  const int64_t total_ns = SaturatingAdd(overhead_.request_ns, overhead_.response_ns);
  if (total_ns <= 0) return;
  Instruments& instruments = *generation_->instruments;
  instruments.Overhead("total", total_ns);
  if (request_.route == nullptr || request_.route->meter < 0) return;
  if (!plan().meters[static_cast<size_t>(request_.route->meter)].overhead_stages) return;
  instruments.Overhead("request", overhead_.request_ns);
  if (answer_status_ != 0) instruments.Overhead("response", overhead_.response_ns);
}

// The transaction is over; `status` is what the client was answered with.
void TransactionImpl::End(int status) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  LeaveLine();
  DropCall();
  LandFlight();
  LoseTrial();
  replied_status_ = status;
  if (!started_mono_ns_) return;  // never decided upon: nothing happened
  TryToMeter([&] {
    MeterExchange(status);
    MeterCaching();
  });
}

}  // namespace weir::engine
