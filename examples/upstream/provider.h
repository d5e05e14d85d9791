// The simulated provider: what it answers to each request.

#ifndef WEIR_EXAMPLES_UPSTREAM_PROVIDER_H_
#define WEIR_EXAMPLES_UPSTREAM_PROVIDER_H_

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "upstream/faults.h"
#include "upstream/options.h"
#include "upstream/quota.h"
#include "upstream/stats.h"
#include "upstream/wire.h"

namespace upstream {

// Handlers run on many threads at once.
class Provider {
 public:
  explicit Provider(const Options& options);

  // Adds its routes; the server must not outlive the provider.
  void Serve(httplib::Server* server);

  // Ends pauses of answers under way, so that the server can stop.
  void Stop() { stopping_ = true; }

 private:
  struct Job;  // one accepted request

  void Chat(const httplib::Request& request, httplib::Response& response,
            const std::string& path_model);
  bool CheckCredential(const httplib::Request& request);
  // Answers with a fault that replaces the answer; false when there is none.
  bool AnswerFault(const Faults& faults, httplib::Response& response);
  void Throttle(std::chrono::milliseconds retry_after, httplib::Response& response);
  void Fail(int status, std::string_view message, httplib::Response& response);
  void AnswerWhole(const std::shared_ptr<Job>& job, httplib::Response& response);
  void AnswerStream(const std::shared_ptr<Job>& job, httplib::Response& response);
  bool WriteStream(Job* job, httplib::DataSink& sink);
  bool WriteEvent(Job* job, const Event& event, httplib::DataSink& sink);
  void End(Job* job, bool finished);
  // False when the provider stops or the caller has left meanwhile.
  bool Pause(std::chrono::milliseconds time, const httplib::DataSink* sink);

  void Control(const httplib::Request& request, httplib::Response& response);
  std::string ControlJson();
  Faults CurrentFaults();

  const Options options_;
  Quota quota_;
  Stats stats_;
  std::mutex faults_mutex_;
  Faults faults_;
  std::atomic<uint64_t> next_id_{1};
  std::atomic<bool> stopping_{false};
};

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_PROVIDER_H_
