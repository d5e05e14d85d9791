// The transaction's state machine. Its parts, in the order in which a request meets them:
//   transaction.cc  feeding, and Next, which asks the part that the phase belongs to
//   admission.cc    route, identity, count
//   limiting.cc     limits: what it may have, and more on the way
//   caching.cc      the answer that is known already, and keeping this one
//   verifying.cc    whether one that was found by meaning may be given
//   waiting.cc      whose turn it is when a limit lets requests wait
//   routing.cc      which backend is asked, and which next
//   forwarding.cc   what is sent to it, and the end of every attempt
//   affinity.cc     which member a request belongs to
//   hedging.cc      a second attempt beside one that takes long
//   answering.cc    the backend's answer, and what of it is relayed
//   settling.cc     what was used, charged and metered; the end
//   replies.cc      weir's own answers and the headers that go with every answer
//   explain.cc      what was decided, as JSON
//   bookkeeping.cc  the exchange as a line of a ledger

#ifndef WEIR_LIB_ENGINE_TRANSACTION_H_
#define WEIR_LIB_ENGINE_TRANSACTION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/saturating.h"
#include "base/text_arena.h"
#include "engine/caching.h"
#include "engine/costs.h"
#include "engine/first_byte.h"
#include "engine/generation.h"
#include "engine/prompt.h"
#include "engine/request.h"
#include "weir/engine.h"
#include "weir/ledger.h"
#include "weir/prompt_meter.h"
#include "weir/recycling.h"
#include "weir/stream_meter.h"

namespace weir::engine {

class TransactionImpl : public Transaction, public Recycled {
 public:
  explicit TransactionImpl(std::shared_ptr<const Generation> generation);
  ~TransactionImpl() override;
  TransactionImpl(const TransactionImpl&) = delete;
  TransactionImpl& operator=(const TransactionImpl&) = delete;

  absl::Status RequestHead(std::string_view method, std::string_view target,
                           std::string_view client) override;
  absl::Status RequestHeader(std::string_view name, std::string_view value) override;
  absl::Status Attribute(std::string_view name, std::string_view value) override;
  absl::Status RequestBody(std::string_view bytes) override;
  absl::Status RequestEnd() override;
  absl::Status ResponseFrom(uint32_t attempt) override;
  absl::Status ResponseHead(int status) override;
  absl::Status ResponseHeader(std::string_view name, std::string_view value) override;
  absl::Status ResponseBody(std::string_view bytes) override;
  absl::Status ResponseEnd() override;
  absl::Status ResponseFailed(Failure failure) override;
  absl::Status CallResult(uint64_t call_id, int status, std::string_view body) override;
  absl::Status CallVector(uint64_t call_id, absl::Span<const float> vector) override;
  void ClientLeft(Now now) override;
  absl::StatusOr<Action> Next(Now now) override;

  std::string_view url() const override { return url_; }
  std::string_view target() const override { return target_; }
  std::string_view body() const override { return sent_.empty() ? body_ : sent_; }
  absl::Span<const HeaderEdit> headers() const override { return edits_; }
  void AddOverhead(int64_t ns) override {
    int64_t& stage = answer_status_ == 0 ? overhead_.request_ns : overhead_.response_ns;
    stage = SaturatingAdd(stage, ns);
  }
  std::string Explain() const override;
  absl::StatusOr<size_t> LedgerLine(absl::Span<char> line) override;

 private:
  enum class Phase : uint8_t {
    kStart,     // nothing fed
    kHead,      // request head fed, undecided
    kBody,      // head accepted
    kAdmit,     // request complete, not admitted yet (perhaps waiting)
    kRouting,   // waiting for a backend
    kSent,      // an attempt is under way
    kAnswered,  // its answer's head is being fed
    kFailed,    // it failed before it answered
    kRelay,     // the answer is being relayed
    kEnded,
  };

  struct KeptReservation : limits::Reservation, Recycled {};

  // One attempt at one backend. Ends exactly once, in EndAttempt.
  struct Attempt {
    uint32_t pool = 0, member = 0;  // index into the plan's, and into the pool's
    uint32_t backend = 0;           // index into the plan's
    breaker::Permit permit;
    std::unique_ptr<KeptReservation> capacity;  // of a backend that has one
    int64_t sent_mono_ns = 0;
    int64_t ended_mono_ns = 0;
    std::optional<uint32_t> utilization{};  // percent, as the backend told it
    bool open = true;
    bool injected_usage = false;  // asked for a usage chunk that the client did not ask for
    int status = 0;
    std::string_view outcome = "open";
  };

  // How much more a limit asks for while the answer is written: some in advance, what is missing,
  // nothing.
  enum class Asks : uint8_t { kAhead, kMissing, kNothing };

  // One limit of the route, as it applies to this request.
  struct AppliedLimit {
    uint32_t limit = 0;     // index into the plan's
    limits::Charge charge;  // its key is among the request's texts
    limits::Verdict verdict;
    std::unique_ptr<KeptReservation> shadow;  // a shadow limit holds alone
    uint64_t held = 0;                        // of an enforced one, top-ups included
    Asks asks = Asks::kAhead;
    bool is_used_up = false;  // refused what was asked for last
  };

  // What ended a relayed answer, if it was not its own end.
  enum class Break : uint8_t { kNone, kFailed, kTruncated, kCut };

  void Close();
  void ForgetAction();

  // admission.cc
  std::optional<Action> CheckHead();
  Action UnknownUrl();
  std::optional<Action> Authenticate();
  Action Admit();
  std::optional<Action> ReadRequest();
  std::optional<Action> ReadCounted();
  void CountPrompt(const json::Value& body);
  bool ChangeModel(std::string_view model);

  // caching.cc
  void PrepareCaching(const json::Value& body);
  std::string_view HeedCacheControl();
  bool PartitionOf(std::string* scope) const;
  std::optional<Action> AskCache();
  std::optional<Action> Follow();
  void LandFlight();
  Action WaitUntil(int64_t mono_ns);
  std::optional<Action> MakeVector();
  breaker::Circuit EmbedderCircuit() const;
  Action CallEmbedder(const policy::Embedding& embedding);
  Action BeginCall(uint64_t call_id, Caching::Step step, int64_t deadline_ns);
  bool AwaitsCall(uint64_t call_id) const;
  bool IsCallOpen() const;
  void DropCall();
  void TakeVector();
  std::optional<Action> GiveFound();
  std::optional<Action> GiveAnswer(const AnswerCache::Found& found);
  void SettleHit(const dialects::KeptAnswer& answer);
  void MeterCaching();
  void SetCacheHeader();
  size_t KeepsBytes();
  void KeepAnswer();

  // verifying.cc
  breaker::Circuit VerifierCircuit() const;
  std::optional<Action> CallVerifier();
  void TakeVerdict();
  void RefuseFound(std::string_view said);
  bool TriesFound(AnswerCache::Found* found);
  void ReportTrial(learning::Outcome outcome);
  bool EndTrial(const dialects::KeptAnswer& fresh);
  void LoseTrial();

  // limiting.cc
  std::optional<Action> ApplyLimits();
  std::optional<Action> TakeLimits();
  bool IsPriced() const;
  bool CountsDollars() const;
  uint64_t CostIn(const policy::Limit& limit, const Usage& usage) const;
  uint64_t MaxOutput() const;
  limits::Charge ChargeOf(const policy::Limit& limit) const;
  void EvaluateAmount(const policy::Limit& limit, limits::Charge* charge) const;
  bool GoesByCounter(const policy::Limit& limit) const;
  AppliedLimit* UsedUpCounter();
  void ClampOutput();
  void MeterDecisions(const limits::Decision& decision);
  const AppliedLimit* BindingLimit() const;
  bool Downgrade();
  Action Refuse(const limits::Decision& decision);
  std::string RefusalMessage(const AppliedLimit& binding) const;
  bool MayCut() const;
  bool TopUp();
  static bool IsToppedUp(const policy::Limit& limit);
  uint64_t MissingIn(const AppliedLimit& applied, uint64_t completion) const;
  bool AskForMore(uint64_t completion);

  // waiting.cc
  bool LetsWait(const AppliedLimit& applied) const;
  std::string LineOf(const AppliedLimit& applied) const;
  int64_t WaitedNs();
  std::optional<Action> LetOthersPass();
  Action WaitBehind(AppliedLimit* applied, const queue::Standing& standing);
  Action RefuseBehind(AppliedLimit* applied, const limits::Verdict& with_those_ahead);
  std::optional<Action> WaitFor(const limits::Decision& decision);
  bool StandFor(const AppliedLimit& applied);
  Action Wait(int64_t wait_ns);
  void LeaveLine();

  // routing.cc
  Action StartRouting();
  Action Route();
  void EnterPool(uint32_t pool);
  std::optional<Action> Forward();
  bool FallBack();
  bool PickMember();
  bool Acquire(uint32_t member);
  void AddAttempt(uint32_t member, Attempt made);
  std::vector<uint16_t> RefusedMembers() const;
  breaker::Circuit CircuitOf(uint32_t backend) const;
  bool HasOneCircuit(const policy::Backend& backend) const;
  void RestTripped(uint32_t member, int64_t until_mono_ns, bool asked);
  void RestFull(uint32_t member, const limits::Verdict& verdict);
  void NoteRetryAt(int64_t mono_ns);
  int64_t RetryAt(const breaker::Passage& denied) const;
  int64_t PlanDeadline() const;
  std::optional<Action> RetryElsewhere(bool worth_it);
  std::optional<Action> WaitForBackend();
  struct Return {
    uint32_t member = 0;
    int64_t mono_ns = 0;
  };
  std::optional<Return> SoonestReturn();
  std::optional<Action> LastResort();
  Action AllDown();

  // forwarding.cc
  Action Send(Attempt* attempt);
  void AppendTarget(const policy::Backend& backend);
  std::string_view BackendModel(const policy::Backend& backend) const;
  std::string BackendVersion(const policy::Backend& backend) const;
  void EditForBackend(const policy::Backend& backend);
  void SetCredential(const policy::Backend& backend);
  std::string_view BackendBody(const policy::Backend& backend);
  void EndAttempt(Attempt* ending, std::string_view outcome, const breaker::Outcome* told,
                  uint64_t cost);
  void TellBreaker(const Attempt& ended, const breaker::Outcome& told);
  void HeedSignals();

  // affinity.cc
  uint64_t BalanceHash() const;
  std::optional<std::string> SessionKey() const;
  int PreferredMember() const;
  void KeepSession();
  void LearnId(std::string_view bytes);

  // hedging.cc
  FirstByte* FirstByteOf(uint32_t pool) const;
  int64_t HedgeTime() const;
  Action Hedge();
  Action Await();
  bool TurnToOther();
  void DropOthers(std::string_view outcome);

  // answering.cc
  Action DecideNow();
  Action DecideAnswer();
  Action DecideFailure();
  Action RelayHead();
  Action RelayBody();
  void ForgetAsked();
  void NoteFirstByte();
  void StartMeter();
  Action FinishBroken();
  Action FinishCut();
  void FeedStream();
  void ReadFedBytes();
  void EndMeter();

  // settling.cc
  struct Used : Usage {
    dialects::Provenance prompt_provenance = dialects::Provenance::kExact;
    dialects::Provenance completion_provenance = dialects::Provenance::kEstimated;
  };
  Used CountUsed();
  void SettleAnswer(std::string_view outcome, const breaker::Outcome* told);
  void SettleLimits(const Used& used, bool learn);
  void ReleaseLimits();
  std::string_view ModelLabel() const;
  std::string_view ResponseModel() const;  // as the answer calls it; empty: it does not say
  MeteredUsage UsageToMeter() const;
  void MeterExchange(int status);
  void MeterOverhead() const;
  void End(int status);
  void FindDimensions();
  Instruments::Labels MeterLabels();

  // bookkeeping.cc
  void TakeExchangeId();
  int64_t SinceBegun(int64_t mono_ns) const;
  std::string_view OutcomeOfAll() const;
  ledger::Usage LedgerUsage() const;
  // Where the price of what was asked for, or of what serves it, stands.
  Pricing CurrentPricing() const;
  void FillAttempts(ledger::Exchange* exchange) const;
  void FillLimits(ledger::Exchange* exchange) const;
  void FillLatency(ledger::Exchange* exchange) const;
  void FillDimensions(ledger::Exchange* exchange);
  void FillCaching(ledger::Exchange* exchange) const;

  // replies.cc
  struct Words {
    std::string message;
    std::string_view type;
    std::string_view param;
    std::string_view code;
    std::optional<int64_t> retry_after_ns{};
  };
  Action Reply(int status, const Words& words);
  void AddEdit(HeaderEdit edit);
  void SetHeader(std::string_view name, std::string_view value);
  void SetClientHeader(policy::ClientHeader header, std::string_view value);
  void RemoveHeader(std::string_view name);
  void SetExplainHeader(const Action& action);
  std::string ExplainInAscii() const;
  void WriteResting(uint32_t pool, json::Writer* writer) const;
  void SetRetryHeaders(int64_t retry_after_ns);
  void SetLimitHeaders();
  dialects::Dialect ClientDialect() const;

  const policy::Plan& plan() const { return generation_->plan(); }
  const policy::Pool& pool() const { return plan().pools[pool_]; }
  const policy::Pool& MainPool() const { return plan().pools[request_.route->pool]; }
  Attempt& attempt() { return attempts_[current_]; }
  // Whether what is relayed of the answer is not just what came.
  bool RewritesBody() const {
    return is_stream_ && (attempts_[current_].injected_usage || may_cut_);
  }
  bool IsCounted() const { return request_.route->operation.has_value(); }

  std::shared_ptr<const Generation> generation_;
  Phase phase_ = Phase::kStart;
  Now now_;
  std::optional<int64_t> started_mono_ns_;
  int64_t started_unix_ns_ = 0;

  Request request_;
  bool request_ended_ = false;
  std::optional<dialects::Request> asked_;  // of a route whose operation is counted
  dialects::ParsedTarget target_asked_;
  const policy::Model* model_ = nullptr;  // what the policy knows of the model that is asked
  Counting counting_;
  metering::PromptCount prompt_;
  bool declares_functions_ = false;

  RecycledVector<AppliedLimit> limits_;
  limits::Reservation held_;  // of the limits that are enforced, in their order in limits_
  bool request_read_ = false;
  bool limits_applied_ = false;  // their counters are known
  bool limits_taken_ = false;    // and hold what this request may use
  std::optional<int64_t> waiting_since_mono_ns_;
  std::optional<queue::Place> place_;  // in the line of …
  uint32_t line_limit_ = 0;            // … this limit, index into the plan's
  int downgrades_ = 0;
  std::optional<uint64_t> clamped_output_;  // tokens that each choice may have
  int64_t topped_up_mono_ns_ = 0;           // when the limits were last asked for more
  uint64_t topped_up_bytes_ = 0;            // and what was written then

  std::unique_ptr<Caching> caching_;  // of a route that has a cache

  std::string_view model_asked_;  // before any fallback
  uint32_t pool_ = 0;             // the route's, or a fallback's: index into the plan's
  size_t fallbacks_tried_ = 0;
  RecycledVector<Attempt> attempts_;
  size_t max_attempts_ = 0;
  size_t current_ = 0;                      // the attempt whose answer is being fed
  uint32_t attempts_in_pool_ = 0;           // made in this pool
  absl::InlinedVector<uint8_t, 16> tries_;  // of them, per member
  int preferred_ = -1;                      // the member that the request's session has
  uint64_t prefix_hash_ = 0;                // of what the prompt begins with
  int64_t retry_at_mono_ns_ = 0;            // soonest that a backend is worth asking
  int64_t hedge_at_mono_ns_ = 0;            // when another is asked beside; 0 = never
  bool has_hedged_ = false;
  std::optional<int64_t> routing_since_mono_ns_;  // since when a backend is waited for

  // The answer under way.
  int answer_status_ = 0;
  HeaderList answer_headers_;
  Break break_ = Break::kNone;
  Failure failure_ = Failure::kReset;
  bool answer_ended_ = false;
  RecycledString fed_;  // bytes of the answer since the last Next
  std::optional<int64_t> first_bytes_mono_ns_;
  std::string answer_begin_;  // until it has told the answer's id
  bool has_learned_id_ = false;
  std::unique_ptr<metering::StreamMeter> meter_;  // of an answer that is counted
  bool meter_failed_ = false;                     // memory ran out in it: it is not fed again
  bool may_cut_ = false;                          // a limit may end it early
  bool is_stream_ = false;                        // the answer is events
  bool is_encoded_ = false;                       // and bytes of our own cannot follow it
  std::optional<Used> used_;
  bool is_usage_metered_ = false;
  metering::Metered metered_;  // what the answer came to, once it is settled
  // The values of the policy's dimensions, once one was metered.
  std::optional<RecycledVector<std::string_view>> dimensions_;
  int replied_status_ = 0;
  struct {
    int64_t request_ns = 0, response_ns = 0;  // until an answer began, and since
  } overhead_;                                // as the host measured it
  std::optional<Hash128> exchange_id_;        // once it was asked for

  // Views of the last action.
  std::string_view url_;
  RecycledString target_;
  RecycledString rewritten_;  // the request's body, if it had to be edited
  std::string_view sent_;     // this or that; empty when body_ is shown
  std::string body_;          // weir's own words, and what is relayed of an answer
  RecycledVector<HeaderEdit> edits_;
  TextArena edit_texts_;
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_TRANSACTION_H_
