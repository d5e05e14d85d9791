#include "gateway/upstream_client.h"

#include <algorithm>
#include <utility>

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kConnectTimeout(5);
constexpr seconds kNoDeadline(3600);
constexpr size_t kMaxQueuedBytes = size_t{1} << 18;  // then the worker, and so the backend, waits
constexpr size_t kMaxIdlePerUrl = 64;
constexpr milliseconds kStopRetry(5);

int32_t FailureOf(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::BindIPAddress:
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
      return WEIR_FAILURE_CONNECT;
    default:
      return WEIR_FAILURE_RESET;
  }
}

httplib::Request ToHttplib(const UpstreamRequest& request) {
  httplib::Request result;
  result.method = request.method;
  result.path = request.target;
  result.body = request.body;
  for (const auto& [name, value] : request.headers) result.headers.emplace(name, value);
  return result;
}

}  // namespace

std::unique_ptr<httplib::Client> ConnectionPool::Take(const std::string& url) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& idle = idle_[url];
    if (!idle.empty()) {
      std::unique_ptr<httplib::Client> client = std::move(idle.back());
      idle.pop_back();
      return client;
    }
  }
  auto client = std::make_unique<httplib::Client>(url);
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  client->set_follow_location(false);
  client->set_url_encode(false);  // the target is already what weir wants to ask for
  client->set_decompress(false);
  return client;
}

void ConnectionPool::Give(const std::string& url, std::unique_ptr<httplib::Client> client) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& idle = idle_[url];
  if (idle.size() < kMaxIdlePerUrl) idle.push_back(std::move(client));
}

UpstreamAttempt::UpstreamAttempt(ConnectionPool* pool, UpstreamRequest request)
    : pool_(pool), request_(std::move(request)), client_(pool->Take(request_.url)) {
  worker_ = std::thread([this] { Run(); });
}

UpstreamAttempt::~UpstreamAttempt() {
  Cancel();
  worker_.join();
}

void UpstreamAttempt::Run() {
  const auto left = request_.deadline == steady_clock::time_point::max()
                        ? std::chrono::duration_cast<milliseconds>(kNoDeadline)
                        : std::chrono::ceil<milliseconds>(request_.deadline - steady_clock::now());
  // The deadline itself is kept by whoever waits; these only let the worker end some time after.
  const milliseconds io_timeout = std::max(left, milliseconds(0)) + milliseconds(1000);
  client_->set_connection_timeout(std::min<milliseconds>(io_timeout, kConnectTimeout));
  client_->set_read_timeout(io_timeout);
  client_->set_write_timeout(io_timeout);

  httplib::Request request = ToHttplib(request_);
  request.response_handler = [this](const httplib::Response& response) {
    UpstreamEvent event;
    event.kind = UpstreamEvent::Kind::kHead;
    event.status = response.status;
    event.headers.assign(response.headers.begin(), response.headers.end());
    return Push(std::move(event));
  };
  request.content_receiver = [this](const char* bytes, size_t size, uint64_t, uint64_t) {
    UpstreamEvent event;
    event.kind = UpstreamEvent::Kind::kBody;
    event.bytes.assign(bytes, size);
    return Push(std::move(event));
  };
  UpstreamEvent last;
  if (cancelled_) {
    last.failure = WEIR_FAILURE_RESET;
  } else if (const httplib::Result result = client_->send(request)) {
    last.kind = UpstreamEvent::Kind::kEnd;
  } else {
    last.failure = FailureOf(result.error());
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
    if (last.kind == UpstreamEvent::Kind::kEnd && !cancelled_) {
      pool_->Give(request_.url, std::move(client_));
    }
    events_.push_back(std::move(last));
  }
  changed_.notify_all();
}

bool UpstreamAttempt::Push(UpstreamEvent event) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return cancelled_ || queued_bytes_ < kMaxQueuedBytes; });
    if (cancelled_) return false;
    queued_bytes_ += event.bytes.size();
    events_.push_back(std::move(event));
  }
  changed_.notify_all();
  return true;
}

std::optional<UpstreamEvent> UpstreamAttempt::Wait(steady_clock::time_point until) {
  std::optional<UpstreamEvent> event;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_until(lock, until, [&] { return !events_.empty(); })) return event;
    event = std::move(events_.front());
    events_.pop_front();
    queued_bytes_ -= event->bytes.size();
  }
  changed_.notify_all();
  return event;
}

// stop() only ends what is already being read or written: a worker that was just about to begin
// needs a second call.
void UpstreamAttempt::Cancel() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_all();
  std::unique_lock<std::mutex> lock(mutex_);
  while (!finished_) {
    httplib::Client* const client = client_.get();
    lock.unlock();
    client->stop();
    lock.lock();
    changed_.wait_for(lock, kStopRetry, [&] { return finished_; });
  }
}

}  // namespace gateway
