#include "engine/signals.h"

#include <algorithm>
#include <string>

#include "base/saturating.h"
#include "base/text.h"

namespace weir::engine {
namespace {

// Utilization is told with each answer, and falls as work is done: one look a second.
constexpr int64_t kUtilizationRestNs = kSecond;

// The headers of one kind of limit.
struct RateLimitHeaders {
  std::string_view limit, remaining, reset;
};
constexpr RateLimitHeaders kOfTokens = {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                                        "x-ratelimit-reset-tokens"};
constexpr RateLimitHeaders kOfRequests = {
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"};

// Of what the limit counts, `wanted` must be left.
int64_t RateLimitRest(const HeaderList& headers, const RateLimitHeaders& names, uint64_t wanted,
                      int64_t most_ns, Now now) {
  uint64_t remaining = 0;
  uint64_t limit = 0;
  if (!ParseUint64(headers.Get(names.remaining), &remaining) || remaining >= wanted) return 0;
  breaker::RetryHeaders reset;
  reset.remaining_requests = "0";
  reset.reset_requests = headers.Get(names.reset);
  const int64_t full_ns = breaker::ParseRetryAfter(reset, now, most_ns).value_or(0);
  if (!ParseUint64(headers.Get(names.limit), &limit) || limit < wanted) return full_ns;
  // The time is until all is there again; for this request a part of it is enough.
  return static_cast<int64_t>(
      MulDiv(static_cast<uint64_t>(full_ns), wanted - remaining, limit - remaining));
}

}  // namespace

breaker::RetryHeaders RetryHeadersOf(const HeaderList& headers) {
  breaker::RetryHeaders retry;
  retry.retry_after = headers.Get("retry-after");
  retry.retry_after_ms = headers.Get("retry-after-ms");
  retry.x_ms_retry_after_ms = headers.Get("x-ms-retry-after-ms");
  retry.remaining_requests = headers.Get("x-ratelimit-remaining-requests");
  retry.reset_requests = headers.Get("x-ratelimit-reset-requests");
  retry.remaining_tokens = headers.Get("x-ratelimit-remaining-tokens");
  retry.reset_tokens = headers.Get("x-ratelimit-reset-tokens");
  return retry;
}

std::optional<uint32_t> UtilizationTold(const HeaderList& headers) {
  const std::string_view used = headers.Get("azure-openai-deployment-utilization");
  uint64_t percent = 0;
  if (!ParseUint64(used.substr(0, used.find_first_of(".%")), &percent)) return std::nullopt;
  return static_cast<uint32_t>(std::min<uint64_t>(percent, UINT32_MAX));
}

int64_t RestTold(const HeaderList& headers, uint64_t prompt, const policy::Backend& backend,
                 Now now) {
  const int64_t most_ns = backend.breaker.retry_after_max_ns;
  int64_t rest_ns =
      std::max(RateLimitRest(headers, kOfTokens, std::max<uint64_t>(prompt, 1), most_ns, now),
               RateLimitRest(headers, kOfRequests, 1, most_ns, now));
  if (backend.utilization_max != 0 &&
      UtilizationTold(headers).value_or(0) >= backend.utilization_max) {
    rest_ns = std::max(rest_ns, kUtilizationRestNs);
  }
  return rest_ns;
}

}  // namespace weir::engine
