// Whether the answer is known already; and keeping what a backend answered.

#include "engine/caching.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/hash.h"
#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/costs.h"
#include "engine/embedding_call.h"
#include "engine/transaction.h"
#include "weir/replay.h"

namespace weir::engine {
namespace {

// A follower looks again after a quarter of the time it has waited, within these.
constexpr int64_t kShortestLookNs = 5 * kMillisecond, kLongestLookNs = 250 * kMillisecond;

// One of a cache-control's directives; its value, empty where it has none.
std::optional<std::string_view> Directive(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    std::string_view part = TrimSpace(header.substr(0, comma));
    header.remove_prefix(std::min(comma + 1, header.size()));
    const size_t equals = std::min(part.find('='), part.size());
    if (!EqualsIgnoreCase(TrimSpace(part.substr(0, equals)), name)) continue;
    part = TrimSpace(part.substr(std::min(equals + 1, part.size())));
    if (part.size() > 1 && part.front() == '"') part = part.substr(1, part.size() - 2);
    return part;
  }
  return std::nullopt;
}

// Of max-age; a number that cannot be read allows nothing.
std::optional<int64_t> MaxAgeNs(std::string_view header) {
  const std::optional<std::string_view> value = Directive(header, "max-age");
  if (!value) return std::nullopt;
  uint64_t seconds = 0;
  if (!ParseUint64(*value, &seconds)) return 0;
  constexpr uint64_t kLongest = static_cast<uint64_t>(cache::kMaxTtl / kSecond);
  return static_cast<int64_t>(std::min(seconds, kLongest)) * kSecond;
}

// 32 digits that no other replay has, of this process or another one.
std::string FreshId(const state::Segment& segment, const Hash128& request, uint64_t replay,
                    Now now) {
  const uint64_t words[] = {request.lo, static_cast<uint64_t>(now.unix_ns),
                            static_cast<uint64_t>(now.mono_ns), replay, segment.identity().word()};
  const Hash128 id = SipHash(segment.seed(), {reinterpret_cast<const char*>(words), sizeof(words)});
  return HexEncode({reinterpret_cast<const char*>(&id), sizeof(id)});
}

}  // namespace

std::string DecimalOf(double similarity) {
  const auto thousandths = static_cast<int>(std::clamp(similarity, -1.0, 1.0) * 1000);
  const std::string digits = std::to_string(std::abs(thousandths % 1000) + 1000);
  return Concat({thousandths < 0 ? "-" : "", std::to_string(std::abs(thousandths) / 1000), ".",
                 digits.substr(1)});
}

std::string_view CacheResultName(Caching::Result result) {
  constexpr std::string_view kNames[] = {"bypass", "miss", "hit", "semantic_hit"};
  return kNames[static_cast<size_t>(result)];
}

// While the request's body is at hand: whether the cache has anything to do with it, and its key.
void TransactionImpl::PrepareCaching(const json::Value& body) {
  if (request_.route->cache < 0) return;
  caching_ = std::make_unique<Caching>(
      generation_->caches[static_cast<size_t>(request_.route->cache)].get());
  Caching& caching = *caching_;
  caching.reason = HeedCacheControl();
  std::string scope;
  if (caching.reason.empty() && !PartitionOf(&scope)) caching.reason = "no_partition";
  if (!caching.reason.empty()) {
    caching.step = Caching::Step::kOver;
    return;
  }
  caching.scope = TagOf(scope);
  caching.model = request_.model;
  caching.ttl_ns = caching.cache->rules().ttl_ns;
  AppendPart(request_.route->name, &scope);
  AppendPart(request_.model, &scope);
  const uint64_t seed = generation_->segment->seed();
  caching.key = KeyOf(*asked_, body, caching.cache->rules(), scope, seed);
  caching.reason = caching.key.bypass;
  if (!caching.reason.empty()) caching.step = Caching::Step::kOver;
}

// A request may only tighten. Why it wants no cache at all; else empty.
std::string_view TransactionImpl::HeedCacheControl() {
  const std::string_view header = request_.headers.Get("cache-control");
  if (header.empty()) return {};
  if (Directive(header, "no-store")) return "no_store";
  if (Directive(header, "no-cache")) caching_->looks = false;
  if (const auto max_age_ns = MaxAgeNs(header)) caching_->max_age_ns = *max_age_ns;
  return {};
}

// Whose answers this request may have: false when a part of that is not known, and then nobody's.
bool TransactionImpl::PartitionOf(std::string* scope) const {
  const RequestEnvironment environment(request_);
  for (const auto& program : caching_->cache->rules().partition) {
    std::string scratch;
    const auto value = program->EvalString(environment, &scratch);
    if (!value || value->empty()) return false;
    AppendPart(*value, scope);
  }
  return true;
}

// The answer, if it is known; else nothing, and the request goes on.
std::optional<Action> TransactionImpl::AskCache() {
  Caching& caching = *caching_;
  const AnswerCache::Asked exactly = {&caching.key, {}, caching.max_age_ns};
  while (true) {
    switch (caching.step) {
      case Caching::Step::kExact:
        caching.step = Caching::Step::kFlight;
        if (!caching.looks) break;
        caching.found = caching.cache->FindExact(exactly, now_);
        if (!caching.found.answer) break;
        if (auto reply = GiveFound()) return reply;
        break;
      case Caching::Step::kFlight:
        caching.step = Caching::Step::kVector;
        if (std::optional<Action> wait = Follow()) return wait;
        break;
      case Caching::Step::kVector:
        caching.step = Caching::Step::kMeaning;
        if (std::optional<Action> call = MakeVector()) return call;
        break;
      case Caching::Step::kAwaited:
        if (IsCallOpen()) return WaitUntil(caching.call_deadline_mono_ns);
        TakeVector();
        caching.step = Caching::Step::kMeaning;
        break;
      case Caching::Step::kMeaning:
        caching.step = Caching::Step::kJudge;
        caching.result = Caching::Result::kMiss;
        caching.found.reason = "no_cache";
        if (!caching.looks) break;
        caching.found =
            caching.cache->Find({&caching.key, caching.vector, caching.max_age_ns}, now_);
        break;
      case Caching::Step::kJudge:
        caching.step = Caching::Step::kGive;
        if (std::optional<Action> call = CallVerifier()) return call;
        break;
      case Caching::Step::kJudged:
        if (IsCallOpen()) return WaitUntil(caching.call_deadline_mono_ns);
        TakeVerdict();
        caching.step = Caching::Step::kGive;
        break;
      case Caching::Step::kGive:
        caching.step = Caching::Step::kOver;
        if (auto reply = GiveFound()) return reply;
        break;
      case Caching::Step::kOver:
        return std::nullopt;
    }
  }
}

// Waits while the same request of somebody else is on its way. Who followed one in vain (its answer
// could not be kept, or its leader is gone) goes by himself, like all who followed with him.
std::optional<Action> TransactionImpl::Follow() {
  Caching& caching = *caching_;
  const int64_t longest_ns = caching.cache->rules().coalesce_ns;
  if (longest_ns == 0 || !caching.looks || !caching.keeps) return std::nullopt;
  Hash128 flight = caching.key.exact;
  flight.hi ^= TagOf(caching.cache->rules().name);
  caching.lead = generation_->flights->Board(flight, longest_ns, now_);
  if (caching.lead) {
    if (caching.follows_since_mono_ns) LandFlight();
    return std::nullopt;
  }
  if (!caching.follows_since_mono_ns) caching.follows_since_mono_ns = now_.mono_ns;
  const int64_t waited_ns = ElapsedNs(*caching.follows_since_mono_ns, now_.mono_ns);
  if (waited_ns >= longest_ns) return std::nullopt;
  caching.step = Caching::Step::kExact;
  const int64_t look_ns = std::clamp(waited_ns / 4, kShortestLookNs, kLongestLookNs);
  return WaitUntil(SaturatingAdd(now_.mono_ns, std::min(look_ns, longest_ns - waited_ns)));
}

void TransactionImpl::LandFlight() {
  if (caching_ == nullptr || !caching_->lead) return;
  generation_->flights->Land(*caching_->lead);
  caching_->lead.reset();
}

Action TransactionImpl::WaitUntil(int64_t mono_ns) {
  Action wait;
  wait.kind = ActionKind::kWait;
  wait.deadline_mono_ns = mono_ns;
  return wait;
}

// The vector, at once or by a CALL; none when the texts have no words, or too many, or the embedder
// rests.
std::optional<Action> TransactionImpl::MakeVector() {
  Caching& caching = *caching_;
  const policy::Embedding& embedding = caching.cache->rules().embedding;
  const std::string& text = caching.key.text;
  if (embedding.by == policy::Embedding::By::kNobody || text.empty()) return std::nullopt;
  if (text.size() > meaning::kMaxTextBytes) {
    caching.embedding = "text_too_long";
    return std::nullopt;
  }
  if (embedding.by == policy::Embedding::By::kLexical) {
    caching.vector.resize(embedding.dimensions);
    const bool has_words = meaning::LexicalEmbedder().Embed(text, absl::MakeSpan(caching.vector));
    if (!has_words) caching.vector.clear();
    caching.embedding = has_words ? "ok" : "no_words";
    return std::nullopt;
  }
  caching.permit = generation_->breaker->Acquire(EmbedderCircuit(), now_);
  if (!caching.permit.allowed) {
    caching.embedding = "resting";
    return std::nullopt;
  }
  return CallEmbedder(embedding);
}

breaker::Circuit TransactionImpl::EmbedderCircuit() const {
  return generation_->embedder_circuits[static_cast<size_t>(request_.route->cache)];
}

Action TransactionImpl::CallEmbedder(const policy::Embedding& embedding) {
  Caching& caching = *caching_;
  if (embedding.by == policy::Embedding::By::kHost) {
    target_ = embedding.model;
    body_ = caching.key.text;
    SetHeader("content-type", "text/plain; charset=utf-8");
  } else {
    const policy::Backend& backend = plan().backends[embedding.backend];
    url_ = backend.origin;
    target_ = backend.base_path;
    target_ += dialects::Target(backend.dialect, dialects::Operation::kEmbeddings, embedding.model,
                                backend.api_version, /*stream=*/false);
    body_ = EmbeddingBody(embedding, caching.key.text);
    SetHeader("content-type", "application/json");
    SetHeader("accept-encoding", "identity");
    SetCredential(backend);
  }
  return BeginCall(kEmbeddingCall, Caching::Step::kAwaited, embedding.deadline_ns);
}

// At `step` its answer is awaited.
Action TransactionImpl::BeginCall(uint64_t call_id, Caching::Step step, int64_t deadline_ns) {
  Caching& caching = *caching_;
  caching.step = step;
  caching.call_answered = false;
  caching.call_status = 0;
  caching.call_deadline_mono_ns = SaturatingAdd(now_.mono_ns, deadline_ns);
  Action call;
  call.kind = ActionKind::kCall;
  call.call_id = call_id;
  call.deadline_mono_ns = caching.call_deadline_mono_ns;
  return call;
}

absl::Status TransactionImpl::CallResult(uint64_t call_id, int status, std::string_view body) {
  if (!AwaitsCall(call_id)) return absl::FailedPreconditionError("no such call is open");
  caching_->call_answered = true;
  caching_->call_status = status;
  caching_->call_body = std::string(body);
  return absl::OkStatus();
}

absl::Status TransactionImpl::CallVector(uint64_t call_id, absl::Span<const float> vector) {
  if (call_id != kEmbeddingCall || !AwaitsCall(call_id)) {
    return absl::FailedPreconditionError("no such call is open");
  }
  caching_->call_answered = true;
  caching_->vector.assign(vector.begin(), vector.end());
  return absl::OkStatus();
}

bool TransactionImpl::AwaitsCall(uint64_t call_id) const {
  if (phase_ != Phase::kAdmit || caching_ == nullptr || caching_->call_answered) return false;
  const Caching::Step step = caching_->step;
  return (call_id == kEmbeddingCall && step == Caching::Step::kAwaited) ||
         (call_id == kVerifierCall && step == Caching::Step::kJudged);
}

// Nobody waits for its answer any more, which told nothing of the backend.
void TransactionImpl::DropCall() {
  if (caching_ == nullptr) return;
  generation_->breaker->Cancel(caching_->permit, now_);
  caching_->permit = {};
}

bool TransactionImpl::IsCallOpen() const {
  return !caching_->call_answered && now_.mono_ns < caching_->call_deadline_mono_ns;
}

// What became of the CALL. An answer that is no vector of the right length is the embedder's fault,
// and it is left alone for a while like one that does not answer.
void TransactionImpl::TakeVector() {
  Caching& caching = *caching_;
  const size_t dimensions = caching.cache->rules().embedding.dimensions;
  breaker::Outcome told;
  told.status = 200;
  caching.embedding = "ok";
  if (!caching.call_answered) {
    caching.embedding = "timeout";
    told = {0, breaker::Failure::kTimeout, -1};
  } else if (caching.vector.empty() && (caching.call_status < 200 || caching.call_status > 299)) {
    caching.embedding = "failed";
    told.status = caching.call_status;
    if (caching.call_status == 0) told.failure = breaker::Failure::kConnect;
  } else if (caching.vector.empty() && !ReadEmbedding(caching.call_body, &caching.vector)) {
    caching.embedding = "unreadable";
    told = {0, breaker::Failure::kStreamError, -1};
  } else if (caching.vector.size() != dimensions) {
    caching.embedding = "wrong_dimension";
    told = {0, breaker::Failure::kStreamError, -1};
  }
  if (caching.embedding != "ok") caching.vector.clear();
  std::string().swap(caching.call_body);
  generation_->breaker->Record(caching.permit, told, now_);
  caching.permit = {};
}

// What was found, told to the client; nothing when there was no answer. The index learns which.
std::optional<Action> TransactionImpl::GiveFound() {
  Caching& caching = *caching_;
  AnswerCache::Found found = std::exchange(caching.found, {});
  caching.similarity = found.told.similarity;
  caching.age_ns = found.told.age_ns;
  caching.entry = found.told.entry;
  caching.reason = found.reason;
  caching.guard = found.guard;
  std::optional<Action> reply;
  if (found.answer && !TriesFound(&found)) reply = GiveAnswer(found);
  if (caching.looks) caching.cache->Confirm(found, reply.has_value());
  return reply;
}

std::optional<Action> TransactionImpl::GiveAnswer(const AnswerCache::Found& found) {
  Caching& caching = *caching_;
  const std::string id =
      FreshId(*generation_->segment, caching.key.exact, caching.cache->CountReplay(), now_);
  dialects::Replay replay;
  replay.dialect = asked_->dialect;
  replay.operation = asked_->operation;
  replay.stream = asked_->stream;
  replay.include_usage = asked_->include_usage;
  replay.json_array = asked_->stream && request_.QueryParameter("alt") != "sse";
  replay.id_seed = id;
  replay.created_unix_s = now_.unix_ns / kSecond;
  auto replayed = dialects::WriteReplay(*found.answer, replay);
  if (!replayed.ok()) {
    caching.reason = "corrupt";
    return std::nullopt;
  }
  caching.step = Caching::Step::kOver;
  caching.result = found.IsByMeaning() ? Caching::Result::kSemanticHit : Caching::Result::kExactHit;
  LandFlight();
  body_ = std::move(replayed->body);
  SetHeader("content-type", std::move(replayed->content_type));
  SetHeader("age", std::to_string(found.told.age_ns / kSecond));
  SettleHit(*found.answer);
  SetLimitHeaders();
  SetCacheHeader();
  Action reply;
  reply.kind = ActionKind::kReply;
  reply.status = 200;
  End(200);
  return reply;
}

// A hit costs nothing, unless the policy says that it does: then what it cost when it was bought.
void TransactionImpl::SettleHit(const dialects::KeptAnswer& answer) {
  Usage& saved = caching_->saved;
  saved.prompt = answer.usage.prompt.value_or(prompt_.count);
  saved.completion = answer.usage.completion.value_or(0);
  saved.cached = answer.usage.cached.value_or(0);
  saved.reasoning = answer.usage.reasoning.value_or(0);
  if (!limits_taken_) return;
  Used used;
  static_cast<Usage&>(used) = saved;
  SettleLimits(used, /*learn=*/false);
}

void TransactionImpl::MeterCaching() {
  if (caching_ == nullptr) return;
  const Caching& caching = *caching_;
  Instruments& instruments = *generation_->instruments;
  if (!caching.trial.empty()) instruments.CacheTrial(caching.cache->rules().name, caching.trial);
  if (!caching.IsHit()) {
    const bool is_miss = caching.result == Caching::Result::kMiss;
    instruments.RecordCache(is_miss ? "miss" : "bypass",
                            caching.guard.empty() ? caching.reason : caching.guard);
    return;
  }
  const std::string_view how = caching.result == Caching::Result::kExactHit ? "exact" : "semantic";
  instruments.RecordCache("hit", how);
  instruments.CacheSaved(how, SaturatingAdd(caching.saved.prompt, caching.saved.completion),
                         PriceOf(CurrentPricing(), caching.saved));
}

void TransactionImpl::SetCacheHeader() {
  if (caching_ == nullptr) return;
  const Caching& caching = *caching_;
  std::string value(CacheResultName(caching.result));
  switch (caching.result) {
    case Caching::Result::kSemanticHit:
      value = Concat({"hit; similarity=", DecimalOf(caching.similarity)});
      [[fallthrough]];
    case Caching::Result::kExactHit:
      value += Concat({"; age=", std::to_string(caching.age_ns / kSecond)});
      break;
    default:
      value += Concat({"; reason=", caching.guard.empty() ? caching.reason : caching.guard});
  }
  SetClientHeader(policy::ClientHeader::kCache, std::move(value));
}

// As much of an answer as may be kept; 0: nothing. What another model wrote than was asked for, or
// came with a status of its own, is nobody else's answer.
size_t TransactionImpl::KeepsBytes() {
  if (caching_ == nullptr || caching_->result != Caching::Result::kMiss || !caching_->keeps) {
    return 0;
  }
  Caching& caching = *caching_;
  const std::string_view header = answer_headers_.Get("cache-control");
  if (const auto max_age_ns = MaxAgeNs(header)) {
    caching.ttl_ns = std::min(caching.ttl_ns, *max_age_ns);
  }
  if (answer_status_ != 200) {
    caching.kept = "status";
  } else if (request_.model != caching.model) {
    caching.kept = "other_model";
  } else if (Directive(header, "no-store") || caching.ttl_ns == 0) {
    caching.kept = "no_store";
  } else {
    return caching.cache->rules().max_answer_bytes;
  }
  return 0;
}

// The answer has come to its end.
void TransactionImpl::KeepAnswer() {
  if (caching_ == nullptr || !caching_->kept.empty() || meter_ == nullptr || meter_failed_) return;
  Caching& caching = *caching_;
  if (caching.result != Caching::Result::kMiss) return;
  dialects::KeptAnswer answer;
  const dialects::NotKept against = meter_->TakeKept(&answer);
  if (against != dialects::NotKept::kNothing) {
    caching.kept = dialects::NotKeptName(against);
    return;
  }
  // One whose like is kept already is found by its own key: what is learned stays with the other.
  const bool is_known = EndTrial(answer);
  AnswerCache::Asked asked = {&caching.key, {}, INT64_MAX};
  if (!is_known) asked.vector = caching.vector;
  const bool kept =
      caching.cache->Keep(asked, answer, caching.model, caching.scope, caching.ttl_ns, now_);
  caching.kept = kept ? "kept" : "no_room";
  LandFlight();
}

}  // namespace weir::engine
