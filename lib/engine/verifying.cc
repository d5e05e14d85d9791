// Whether an answer that was found by meaning may be given: what a verifier says, and what trials
// have told.

#include <utility>

#include "base/saturating.h"
#include "engine/answers_alike.h"
#include "engine/caching.h"
#include "engine/transaction.h"
#include "engine/verifier_call.h"

namespace weir::engine {

breaker::Circuit TransactionImpl::VerifierCircuit() const {
  return generation_->verifier_circuits[static_cast<size_t>(request_.route->cache)];
}

// The CALL, of an answer found by meaning where the policy names a verifier. While that one rests
// nothing is given.
std::optional<Action> TransactionImpl::CallVerifier() {
  Caching& caching = *caching_;
  const policy::Verifier& verifier = caching.cache->rules().verifier;
  if (!verifier.is_set || !caching.found.answer || !caching.found.IsByMeaning())
    return std::nullopt;
  caching.permit = generation_->breaker->Acquire(VerifierCircuit(), now_);
  if (!caching.permit.allowed) {
    RefuseFound("resting");
    return std::nullopt;
  }
  const policy::Backend& backend = plan().backends[verifier.backend];
  url_ = backend.origin;
  target_ = backend.base_path;
  target_ += dialects::Target(backend.dialect, dialects::Operation::kChat, verifier.model,
                              backend.api_version, /*stream=*/false);
  body_ = VerifierBody(verifier.model, caching.key.text, caching.found.asked_then);
  SetHeader("content-type", "application/json");
  SetHeader("accept-encoding", "identity");
  SetCredential(backend);
  return BeginCall(kVerifierCall, Caching::Step::kJudged, verifier.deadline_ns);
}

// An answer that is no chat completion is the verifier's fault, as if it had not answered. Whatever
// is not "yes" is a miss.
void TransactionImpl::TakeVerdict() {
  Caching& caching = *caching_;
  breaker::Outcome told;
  told.status = 200;
  std::string_view said = "yes";
  if (!caching.call_answered) {
    said = "timeout";
    told = {0, breaker::Failure::kTimeout, -1};
  } else if (caching.call_status < 200 || caching.call_status > 299) {
    said = "failed";
    told.status = caching.call_status;
    if (caching.call_status == 0) told.failure = breaker::Failure::kConnect;
  } else if (const std::optional<bool> verdict = ReadVerdict(caching.call_body); !verdict) {
    said = "unreadable";
    told = {0, breaker::Failure::kStreamError, -1};
  } else if (!*verdict) {
    said = "no";
  }
  std::string().swap(caching.call_body);
  generation_->breaker->Record(caching.permit, told, now_);
  caching.permit = {};
  if (said == "yes") {
    caching.verifier = said;
  } else {
    RefuseFound(said);
  }
}

void TransactionImpl::RefuseFound(std::string_view said) {
  caching_->verifier = said;
  caching_->found.answer.reset();
  caching_->found.reason = "verifier";
}

// Whether the answer is to be tried instead of given: then the request goes on, and the backend's
// answer will tell.
bool TransactionImpl::TriesFound(AnswerCache::Found* found) {
  Caching& caching = *caching_;
  learning::Verifier* trials = caching.cache->trials();
  if (trials == nullptr || !found->IsByMeaning()) return false;
  caching.ticket = caching.cache->Decide(*found, caching.key, now_);
  if (caching.ticket.choice == learning::Choice::kServe) return false;
  caching.tried = std::move(found->answer);
  caching.reason = learning::ChoiceName(caching.ticket.choice);
  return true;
}

void TransactionImpl::ReportTrial(learning::Outcome outcome) {
  Caching& caching = *caching_;
  caching.tried.reset();
  caching.trial = learning::OutcomeName(outcome);
  caching.cache->trials()->Report(caching.ticket, outcome, now_);
}

// The backend's answer to a request that is tried. True: the kept one says the same.
bool TransactionImpl::EndTrial(const dialects::KeptAnswer& fresh) {
  if (!caching_->tried) return false;
  const bool is_right = AnswersAlike(*caching_->tried, fresh);
  ReportTrial(is_right ? learning::Outcome::kRight : learning::Outcome::kWrong);
  return is_right;
}

// There is none that could be compared.
void TransactionImpl::LoseTrial() {
  if (caching_ != nullptr && caching_->tried) ReportTrial(learning::Outcome::kLost);
}

}  // namespace weir::engine
