// The live page: GET /weir, and GET /weir/events, which tells it each second how things stand. What
// it shows are the metrics and the status that weir keeps, and the explanations of late exchanges,
// which only their host has.

#ifndef WEIR_EXAMPLES_GATEWAY_DASHBOARD_H_
#define WEIR_EXAMPLES_GATEWAY_DASHBOARD_H_

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "gateway/access_log.h"
#include "gateway/weir_handles.h"

namespace gateway {

extern const char kDashboardPage[];  // examples/dashboard/dashboard.html

class Dashboard {
 public:
  // Keeps what the page shows of one exchange: what limits had left for its consumer, and why it
  // was refused. Bounded, whatever is sent. Threads: any.
  void Note(const AccessRecord& record);

  // How things stand now, as one JSON object in one line.
  std::string Snapshot(weir_engine* engine) const;

  static void ServePage(httplib::Response* response);

  // A snapshot each second as server-sent events, until the viewer leaves or `stop` is set. Each
  // viewer takes a thread of the server's; of those beyond a few, each gets one event, and its
  // browser comes again after a second.
  void ServeEvents(weir_engine* engine, const std::atomic<bool>* stop, httplib::Response* response);

 private:
  struct Noted {
    int64_t time_ms;
    std::string json;  // an explanation, or its limits
  };

  mutable std::mutex mutex_;
  std::deque<Noted> refusals_;           // the latest last
  std::map<std::string, Noted> limits_;  // the latest of each consumer
  uint64_t refused_ = 0;
  std::atomic<int> viewers_{0};
};

}  // namespace gateway

#endif  // WEIR_EXAMPLES_GATEWAY_DASHBOARD_H_
