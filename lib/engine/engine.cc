#include "weir/engine.h"

#include <optional>
#include <utility>

#include "base/json.h"
#include "base/mutex.h"
#include "base/saturating.h"
#include "base/text.h"
#include "engine/generation.h"
#include "engine/status.h"
#include "engine/transaction.h"
#include "weir/learning.h"

namespace weir::engine {
namespace {

// What the tables of counters, circuits, cursors and lines need, with room to spare; and metrics,
// with the two copies of them that one export of deltas keeps.
constexpr uint64_t kBytesPerCounter = 1024;
constexpr uint64_t kBytesForTheRest = (uint64_t{8} << 20) + 3 * metrics::kDefaultBytes;
constexpr uint64_t kBytesPerCache = uint64_t{2} << 20;  // beside its max_bytes: flights, alignment

class EngineImpl : public Engine {
 public:
  EngineImpl(std::shared_ptr<state::Segment> segment, const Options& options,
             std::shared_ptr<const Generation> generation)
      : segment_(std::move(segment)), options_(options), generation_(std::move(generation)) {}

  absl::Status Reload(std::shared_ptr<const policy::Policy> policy) override {
    const std::shared_ptr<const Generation> before = Current();
    auto made = Generation::Make(segment_, std::move(policy), options_, before->instruments);
    if (!made.ok()) return made.status();
    MutexLock lock(&mutex_);
    generation_ = *std::move(made);
    return absl::OkStatus();
  }

  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<TransactionImpl>(Current());
  }

  absl::Status OverrideLimit(std::string_view limit, std::optional<std::string_view> key,
                             uint64_t amount, int64_t for_ns, Now now) override {
    const std::shared_ptr<const Generation> generation = Current();
    const policy::Plan& plan = generation->plan();
    const std::optional<uint32_t> index = plan.FindLimit(limit);
    if (!index) return absl::NotFoundError(Concat({"the policy has no limit \"", limit, "\""}));
    const policy::Limit& found = plan.limits[*index];
    if (found.amount != nullptr) {
      return absl::FailedPreconditionError(
          Concat({"the amount of the limit \"", limit, "\" is an expression"}));
    }
    return generation->limiter->Override(found.rule, key, amount, for_ns, now);
  }

  absl::StatusOr<uint64_t> PurgeCache(std::string_view cache, Purge which,
                                      std::string_view what) override {
    const std::shared_ptr<const Generation> generation = Current();
    for (const auto& one : generation->caches) {
      if (one->rules().name == cache) return one->PurgeAnswers(which, what);
    }
    return absl::NotFoundError(Concat({"the policy has no cache \"", cache, "\""}));
  }

  std::string MetricsText(metrics::TextFormat format) const override {
    return Current()->instruments->registry().Text(format);
  }

  absl::StatusOr<metrics::Batch> ExportMetrics(metrics::ExportFormat format,
                                               const metrics::ExportOptions& options,
                                               Now now) override {
    return Current()->instruments->Export(format, options, now);
  }

  absl::Status AcknowledgeMetrics(metrics::ExportFormat format, uint64_t number) override {
    return Current()->instruments->registry().Acknowledge(format, number);
  }

  std::string StatusJson(Now now) const override;

  std::string ChangesJson(uint64_t since) const override {
    return breaker::ChangesJson(*Current()->breaker, since);
  }

 private:
  std::shared_ptr<const Generation> Current() const {
    MutexLock lock(&mutex_);
    return generation_;
  }

  const std::shared_ptr<state::Segment> segment_;
  const Options options_;
  mutable Mutex mutex_;
  std::shared_ptr<const Generation> generation_ ABSL_GUARDED_BY(mutex_);
};

std::string EngineImpl::StatusJson(Now now) const {
  const std::shared_ptr<const Generation> generation = Current();
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject().Key("version").String(Version());
  writer.Key("state_bytes_used").Uint(segment_->bytes_used());
  writer.Key("restarted_limits").BeginArray();
  for (const std::string& name : generation->limiter->restarted()) writer.String(name);
  writer.EndArray();
  WriteBackends(*generation, now, &writer);
  WritePools(*generation, now, &writer);
  WriteLimits(generation->plan(), &writer);
  WriteCaches(*generation, &writer);
  writer.EndObject();
  return out;
}

uint64_t BytesOf(const policy::Plan& plan, const Options& options) {
  uint64_t bytes = options.max_counters * kBytesPerCounter + kBytesForTheRest;
  for (const policy::Cache& cache : plan.caches) {
    bytes = SaturatingAdd(bytes, SaturatingAdd(cache.max_bytes, kBytesPerCache));
    if (cache.Learns()) bytes = SaturatingAdd(bytes, learning::BytesFor(cache.max_entries));
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<state::Segment>> OpenSegment(const policy::Plan& plan,
                                                            const Options& options) {
  const uint64_t bytes = options.state_bytes != 0 ? options.state_bytes : BytesOf(plan, options);
  if (options.state_file.empty()) {
    return state::Segment::CreatePrivate({.bytes = bytes, .seed = options.seed});
  }
  state::FileOptions of_new_file;
  of_new_file.bytes = bytes;
  of_new_file.seed = options.seed;
  return state::Segment::OpenFile(options.state_file, of_new_file);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const policy::Policy> policy,
                                                       const Options& options) {
  auto segment = OpenSegment(policy->plan(), options);
  if (!segment.ok()) return segment.status();
  std::shared_ptr<state::Segment> shared = *std::move(segment);
  auto generation = Generation::Make(shared, std::move(policy), options, nullptr);
  if (!generation.ok()) return generation.status();
  return std::make_unique<EngineImpl>(std::move(shared), options, *std::move(generation));
}

}  // namespace weir::engine
