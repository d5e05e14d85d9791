#include "upstream/quota.h"

#include <algorithm>

namespace upstream {

using std::chrono::milliseconds;

Quota::Quota(int64_t tokens, std::chrono::seconds window) : window_(window), tokens_(tokens) {}

Quota::Verdict Quota::Take(int64_t tokens_max, Clock::time_point now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!entries_.empty() && entries_.front().at + window_ <= now) {
    booked_ -= entries_.front().tokens;
    entries_.pop_front();
  }
  Verdict verdict;
  verdict.limit = tokens_;
  verdict.admitted = tokens_ == 0 || booked_ == 0 || booked_ + tokens_max <= tokens_;
  if (verdict.admitted) {
    verdict.id = next_id_++;
    entries_.push_back({verdict.id, now, tokens_max});
    booked_ += tokens_max;
    verdict.remaining = std::max<int64_t>(0, tokens_ - booked_);
    return verdict;
  }
  verdict.remaining = std::max<int64_t>(0, tokens_ - booked_);
  // The window slides: the request fits as soon as enough of the oldest entries have left it.
  int64_t left = booked_;
  for (const Entry& entry : entries_) {
    left -= entry.tokens;
    if (left != 0 && left + tokens_max > tokens_) continue;
    const auto wait = std::chrono::ceil<milliseconds>(entry.at + window_ - now);
    verdict.retry_after = std::max(wait, milliseconds(1));
    break;
  }
  return verdict;
}

void Quota::Settle(uint64_t id, int64_t tokens) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.id != id) continue;
    booked_ += tokens - entry.tokens;
    entry.tokens = tokens;
    return;
  }
}

void Quota::SetTokens(int64_t tokens) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tokens_ = tokens;
}

int64_t Quota::tokens() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return tokens_;
}

}  // namespace upstream
