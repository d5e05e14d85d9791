// What the provider has seen and billed, for whoever checks a gateway against it.

#ifndef WEIR_EXAMPLES_UPSTREAM_STATS_H_
#define WEIR_EXAMPLES_UPSTREAM_STATS_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace upstream {

struct Exchange {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  bool stream = false;
  bool finished = false;  // false: broken off by a fault or by the caller
};

// Thread-safe.
class Stats {
 public:
  void Requested() { Add(&requests_); }
  void RefusedCredential() { Add(&refused_credentials_); }
  void Throttled() { Add(&throttled_); }
  void Failed() { Add(&failed_); }

  // A caller's credential header, as sent.
  void SawCredential(std::string_view header, std::string_view value);

  // An answer ended; what was sent of it is billed.
  void Answered(const Exchange& exchange);

  // One JSON object; `control` is what /_control shows, already JSON.
  std::string Json(std::string_view control) const;

 private:
  void Add(int64_t* counter);

  mutable std::mutex mutex_;
  int64_t requests_ = 0;
  int64_t answered_ = 0;
  int64_t cut_ = 0;
  int64_t refused_credentials_ = 0;
  int64_t throttled_ = 0;
  int64_t failed_ = 0;
  int64_t prompt_tokens_ = 0;
  int64_t completion_tokens_ = 0;
  Exchange last_;
  std::string authorization_;
  std::string api_key_;
};

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_STATS_H_
