#include "engine/answer_cache.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/text.h"

namespace weir::engine {
namespace {

// How many of those that are near enough are tried, the best first.
constexpr size_t kCandidates = 4;

constexpr char kVersion = 2;

// A value of the index: the version, the sizes of the features and of the text in four bytes each,
// lowest first; the features; the text that was asked, where somebody is to read it; the answer.
struct Kept {
  std::string_view features, text, answer;
};

constexpr size_t kHeadBytes = 9;

std::string Pack(const Kept& kept) {
  std::string value;
  value.reserve(kHeadBytes + kept.features.size() + kept.text.size() + kept.answer.size());
  value += kVersion;
  for (const size_t size : {kept.features.size(), kept.text.size()}) {
    for (int i = 0; i < 4; ++i) value += static_cast<char>(size >> 8 * i & 0xFF);
  }
  value += kept.features;
  value += kept.text;
  value += kept.answer;
  return value;
}

size_t SizeAt(std::string_view value, size_t at) {
  size_t size = 0;
  for (size_t i = 4; i != 0; --i) {
    size = size << 8 | static_cast<unsigned char>(value[at + i - 1]);
  }
  return size;
}

std::optional<Kept> Unpack(std::string_view value) {
  if (value.size() < kHeadBytes || value[0] != kVersion) return std::nullopt;
  const size_t features = SizeAt(value, 1), text = SizeAt(value, 5);
  value.remove_prefix(kHeadBytes);
  if (features > value.size() || text > value.size() - features) return std::nullopt;
  return Kept{value.substr(0, features), value.substr(features, text),
              value.substr(features + text)};
}

learning::Rules TrialRules(const policy::Cache& rules) {
  constexpr double kBelowOne = 0.999;
  learning::Rules trials;
  trials.max_error_rate = rules.max_error_rate;
  trials.confidence = rules.confidence;
  trials.verify_share = rules.verify_share;
  trials.min_similarity = std::min(rules.min_similarity, kBelowOne);
  trials.max_entries = rules.max_entries;
  return trials;
}

cache::Embedder EmbedderOf(const policy::Embedding& embedding) {
  if (embedding.by == policy::Embedding::By::kNobody) return {};
  const std::string name =
      embedding.by == policy::Embedding::By::kLexical
          ? std::string(meaning::LexicalEmbedder::kId)
          : Concat({embedding.by == policy::Embedding::By::kHost ? "host\n" : "service\n",
                    embedding.model});
  return {TagOf(name), embedding.epoch};
}

// What a policy's cache is called in the state, apart from those of others. Readable where the name
// is no longer than an index's may be.
std::string IndexName(const std::string& name) {
  constexpr size_t kMostBytes = 32, kKeptBytes = 7, kHashDigits = 24;
  if (name.size() <= kMostBytes) return Concat({"answers:", name});
  const Hash128 hash = SipHash(0, name);
  const std::string digits = HexEncode({reinterpret_cast<const char*>(&hash), sizeof(hash)});
  return Concat({"answers:", name.substr(0, kKeptBytes), "~", digits.substr(0, kHashDigits)});
}

// The frame, as the index's partition: nothing is shared by two of them.
std::string_view FrameOf(const RequestKey& key) {
  return {reinterpret_cast<const char*>(&key.frame), sizeof(key.frame)};
}

}  // namespace

uint64_t TagOf(std::string_view name) { return SipHash(0, name).lo; }

absl::StatusOr<std::unique_ptr<AnswerCache>> AnswerCache::Create(state::Segment* segment,
                                                                 const policy::Cache& rules) {
  const auto named = [&](const absl::Status& status) {
    return absl::Status(
        status.code(), Concat({"the cache \"", rules.name, "\": ", std::string(status.message())}));
  };
  auto index = cache::Cache::Create(segment, IndexName(rules.name), rules.Options());
  if (!index.ok()) return named(index.status());
  std::unique_ptr<learning::Verifier> trials;
  if (rules.Learns()) {
    auto made = learning::Verifier::Create(segment, IndexName(rules.name), TrialRules(rules));
    if (!made.ok()) return named(made.status());
    trials = *std::move(made);
  }
  return std::unique_ptr<AnswerCache>(new AnswerCache(rules, *std::move(index), std::move(trials)));
}

AnswerCache::AnswerCache(const policy::Cache& rules, std::unique_ptr<cache::Cache> index,
                         std::unique_ptr<learning::Verifier> trials)
    : rules_(rules),
      embedder_(EmbedderOf(rules.embedding)),
      index_(std::move(index)),
      trials_(std::move(trials)) {}

learning::Ticket AnswerCache::Decide(const Found& found, const RequestKey& key, Now now) {
  return trials_->Decide({found.told.entry, FrameOf(key), found.told.similarity}, now);
}

AnswerCache::Found AnswerCache::FindExact(const Asked& asked, Now now) const {
  return Look({asked.key, {}, asked.max_age_ns}, {}, now);
}

AnswerCache::Found AnswerCache::Find(const Asked& asked, Now now) const {
  Found best = Look(asked, {}, now);
  std::array<cache::EntryId, kCandidates> refused = {};
  cache::Answer nearest = best.told;
  for (size_t i = 0; i + 1 < kCandidates && nearest.found == cache::Found::kSemantic; ++i) {
    if (best.answer) break;
    refused[i] = nearest.entry;
    Found next = Look(asked, {refused.data(), i + 1}, now);
    nearest = next.told;
    if (next.answer) best = std::move(next);
  }
  return best;
}

void AnswerCache::Confirm(const Found& found, bool is_given) {
  index_->Confirm(found.told, is_given);
}

AnswerCache::Found AnswerCache::Look(const Asked& asked, absl::Span<const cache::EntryId> refused,
                                     Now now) const {
  cache::Query query;
  query.partition = FrameOf(*asked.key);
  query.exact = {asked.key->exact.hi, asked.key->exact.lo};
  query.vector = asked.vector;
  query.min_similarity = rules_.min_similarity;
  query.embedder = embedder_;
  query.is_tentative = true;
  query.exclude = refused;
  std::string value;
  const cache::Answer nearest = index_->Lookup(query, now, &value);
  Found found;
  found.told = nearest;
  found.reason = cache::MissName(nearest.miss);
  if (nearest.found == cache::Found::kMiss) return found;
  const std::optional<Kept> kept = Unpack(value);
  if (nearest.age_ns > asked.max_age_ns) {
    found.reason = "too_old";
    return found;
  }
  found.reason = "corrupt";
  if (!kept) return found;
  if (found.IsByMeaning() && rules_.guards != 0) {
    const auto features = meaning::FeaturesView::Parse(kept->features);
    if (!features.ok()) return found;
    const meaning::Features own = meaning::Features::Of(asked.key->text);
    const meaning::Verdict verdict = meaning::Compare(own, *features, rules_.guards);
    if (!verdict.allowed) {
      found.reason = "guard";
      found.guard = meaning::GuardName(verdict.guard);
      return found;
    }
  }
  auto answer = dialects::KeptAnswer::Parse(kept->answer);
  if (!answer.ok()) return found;
  found.reason = {};
  found.asked_then = kept->text;
  found.answer = *std::move(answer);
  return found;
}

bool AnswerCache::Keep(const Asked& asked, const dialects::KeptAnswer& answer,
                       std::string_view model, uint64_t scope, int64_t ttl_ns, Now now) {
  std::string features;
  if (!asked.vector.empty()) features = meaning::Features::Of(asked.key->text).Serialize();
  const bool keeps_text = rules_.verifier.is_set && !asked.vector.empty();
  const std::string value =
      Pack({features, keeps_text ? std::string_view(asked.key->text) : "", answer.Serialize()});
  cache::Entry entry;
  entry.partition = FrameOf(*asked.key);
  entry.exact = {asked.key->exact.hi, asked.key->exact.lo};
  entry.vector = asked.vector;
  entry.value = value;
  entry.ttl_ns = ttl_ns;
  entry.embedder = embedder_;
  entry.model = TagOf(model);
  entry.scope = scope;
  return index_->Insert(entry, now).ok();
}

absl::StatusOr<uint64_t> AnswerCache::PurgeScope(std::string_view lines) {
  std::string scope;
  size_t parts = 0;
  for (std::string_view rest = lines; !rest.empty(); ++parts) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    AppendPart(rest.substr(0, end), &scope);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (parts != rules_.partition.size()) {
    return absl::InvalidArgumentError(
        Concat({"the cache \"", rules_.name, "\" is partitioned by ",
                std::to_string(rules_.partition.size()), " values: one a line"}));
  }
  return index_->PurgeScope(TagOf(scope));
}

absl::StatusOr<uint64_t> AnswerCache::PurgeAnswers(Purge which, std::string_view what) {
  uint64_t entry = 0;
  switch (which) {
    case Purge::kAll:
      if (!what.empty()) break;
      return index_->PurgeAll();
    case Purge::kPartition:
      return PurgeScope(what);
    case Purge::kModel:
      return index_->PurgeModel(TagOf(what));
    case Purge::kEntry:
      if (!ParseUint64(what, &entry)) break;
      return index_->Remove(entry) ? 1 : 0;
  }
  return absl::InvalidArgumentError("what to purge: not of that kind");
}

}  // namespace weir::engine
