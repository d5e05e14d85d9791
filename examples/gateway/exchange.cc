#include "gateway/exchange.h"

#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "common/client_socket.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPoll(50);  // how soon a client that left is noticed
// An answer that is no event stream is held until it is complete, and so has a Content-Length and
// the headers that weir can only give at its end; a larger one is relayed as it comes.
constexpr size_t kMaxHeldBytes = size_t{1} << 20;
constexpr size_t kMaxCallBytes = size_t{4} << 20;

std::string ErrorBody(std::string_view message) {
  return R"({"error":{"message":")" + std::string(message) +
         R"(","type":"gateway_error","param":null,"code":null}})";
}

bool IsEventStream(const HeaderList& headers) {
  constexpr std::string_view kEventStream = "text/event-stream";
  const std::string_view type = FindHeader(headers, "content-type");
  return SameName(type.substr(0, kEventStream.size()), kEventStream);
}

// cpp-httplib would compress answers, undo the compression of bodies and cut multipart bodies into
// parts, all by the request's headers. A gateway passes bytes as they are. The library hands out
// its own, mutable request as const.
void PassBytesAsTheyAre(const httplib::Request& request) {
  auto& headers = const_cast<httplib::Request&>(request).headers;
  for (const char* name : {"Accept-Encoding", "Content-Encoding", "Content-Type"}) {
    headers.erase(name);
  }
}

// Tells weir its own time: that from here to the end of the block.
class Measured {
 public:
  explicit Measured(weir_txn* txn) : txn_(txn) {}
  ~Measured() {
    const std::chrono::nanoseconds took = steady_clock::now() - since_;
    weir_txn_add_overhead(txn_, took.count(), nullptr);
  }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

 private:
  weir_txn* const txn_;
  const steady_clock::time_point since_ = steady_clock::now();
};

steady_clock::time_point DeadlineOf(const weir_action& action) {
  return action.deadline_mono_ns == 0 ? steady_clock::time_point::max()
                                      : AtMono(action.deadline_mono_ns);
}

}  // namespace

Exchange::Exchange(Shared* shared, const httplib::Request& request)
    : shared_(shared),
      request_(request),
      request_headers_(ClientHeaders(request)),
      begin_(steady_clock::now()) {
  ++shared_->in_flight;
  record_.begin = std::chrono::system_clock::now();
  record_.client = request.remote_addr;
  record_.method = request.method;
  record_.path = request.target.substr(0, request.target.find('?'));
}

Exchange::~Exchange() {
  End(Ending::kBroken);  // of no effect when it has ended
  --shared_->in_flight;
}

void Exchange::Serve(const std::shared_ptr<Exchange>& self, const httplib::ContentReader* body,
                     httplib::Response* response) {
  PassBytesAsTheyAre(self->request_);
  self->client_socket_ =
      examples::FindClientSocket(self->request_.remote_addr, self->request_.remote_port);
  if (!self->LedgerAccepts()) {
    self->FailWith(503, "the gateway cannot keep its ledger");
    return self->FillResponse(self, response);
  }
  const bool answered = self->Begin() && self->FeedBody(body, response);
  if (!answered) self->FailWith(self->shared_->abort ? 503 : 500, "the gateway could not answer");
  self->FillResponse(self, response);
}

// ---- Feeding ----

// Reports what weir calls an error: of this gateway or of weir, never of a client.
bool Exchange::Check(weir_status status, const weir_error& error) {
  if (status == WEIR_OK) return true;
  std::cerr << "weir_gateway: " << record_.method << " " << record_.path << ": status " << status
            << ": " << error.message << "\n";
  return false;
}

bool Exchange::LedgerAccepts() const {
  if (shared_->ledger == nullptr) return true;
  const weir_now now = Now();
  int32_t accepts = 1;
  weir_ledger_accepts(shared_->ledger, &now, &accepts, nullptr);
  return accepts != 0;
}

// What became of the line is for the ledger's own counts to say: the answer is out already.
void Exchange::Book() {
  if (shared_->ledger == nullptr) return;
  weir_error error = NewError();
  const weir_now now = Now();
  int32_t outcome = 0;
  if (weir_ledger_append(shared_->ledger, txn_.get(), &now, &outcome, &error) != WEIR_OK) {
    std::cerr << "weir_gateway: ledger: " << error.message << "\n";
  }
}

bool Exchange::Begin() {
  weir_txn* txn = nullptr;
  weir_error error = NewError();
  if (!Check(weir_txn_new(shared_->engine, &txn, &error), error)) return false;
  txn_.reset(txn);
  const Measured measured(txn);
  const std::string& method = request_.method;
  const std::string& target = request_.target;
  const std::string& client = request_.remote_addr;
  weir_status status = weir_txn_request_head(txn, method.data(), method.size(), target.data(),
                                             target.size(), client.data(), client.size(), &error);
  for (const auto& [name, value] : request_headers_) {
    if (status != WEIR_OK) break;
    status =
        weir_txn_request_header(txn, name.data(), name.size(), value.data(), value.size(), &error);
  }
  return Check(status, error);
}

bool Exchange::FeedBody(const httplib::ContentReader* body, httplib::Response* response) {
  weir_action action = NewAction();
  if (!Next(&action)) return false;
  const bool refused = action.kind == WEIR_ACTION_REPLY;
  if (refused) TakeReply(action);
  // The body of a refused request is read all the same, and dropped: the next request on this
  // connection begins behind it.
  bool fed = true;
  weir_error error = NewError();
  const auto feed = [&](const char* bytes, size_t size) {
    if (!refused && fed) {
      const Measured measured(txn_.get());
      fed = Check(weir_txn_request_body(txn_.get(), bytes, size, &error), error);
    }
    return true;
  };
  if (body != nullptr && !(*body)(feed)) {
    const bool too_large = response->status == 413;
    FailWith(too_large ? 413 : 400, too_large ? "the request body is too large for this gateway"
                                              : "the request body is broken");
    return true;
  }
  if (refused) return true;
  if (!fed || !Check(weir_txn_request_end(txn_.get(), &error), error)) return false;
  return Next(&action) && DecideAnswer(action);
}

bool Exchange::Next(weir_action* action) {
  *action = NewAction();
  weir_error error = NewError();
  const weir_now now = Now();
  const Measured measured(txn_.get());
  return Check(weir_txn_next(txn_.get(), &now, action, &error), error);
}

bool Exchange::FeedEvent(UpstreamEvent event) {
  event_ = std::move(event);
  using Kind = UpstreamEvent::Kind;
  if (event_.kind == Kind::kEnd || event_.kind == Kind::kFailed) attempt_.reset();
  const Measured measured(txn_.get());
  weir_error error = NewError();
  weir_status status = WEIR_OK;
  switch (event_.kind) {
    case Kind::kHead:
      status = weir_txn_response_head(txn_.get(), event_.status, &error);
      for (const auto& [name, value] : event_.headers) {
        if (status != WEIR_OK) break;
        status = weir_txn_response_header(txn_.get(), name.data(), name.size(), value.data(),
                                          value.size(), &error);
      }
      break;
    case Kind::kBody:
      status = weir_txn_response_body(txn_.get(), event_.bytes.data(), event_.bytes.size(), &error);
      break;
    case Kind::kEnd:
      status = weir_txn_response_end(txn_.get(), &error);
      break;
    case Kind::kFailed:
      upstream_failed_ = true;
      status = weir_txn_response_failed(txn_.get(), event_.failure, &error);
      break;
  }
  return Check(status, error);
}

// ---- Performing ----

// Goes on until the answer is complete, or begins and is to be relayed as it comes. False: weir
// failed, or the client left.
bool Exchange::DecideAnswer(weir_action action) {
  for (;;) {
    if (!Perform(action)) return false;
    if (answer_ended_ || streams_) return true;
    if (attempt_ != nullptr) {
      UpstreamEvent event;
      if (!AwaitEvent(attempt_.get(), &event)) return false;
      if (!FeedEvent(std::move(event))) return false;
    }
    if (!Next(&action)) return false;
  }
}

bool Exchange::Perform(const weir_action& action) {
  switch (action.kind) {
    case WEIR_ACTION_FORWARD:
      StartAttempt(action);
      return true;
    case WEIR_ACTION_CALL:
      return PerformCall(action);
    case WEIR_ACTION_WAIT:
      attempt_.reset();
      return SleepUntil(DeadlineOf(action));
    case WEIR_ACTION_REPLY:
      TakeReply(action);
      return true;
    case WEIR_ACTION_CONTINUE:
    case WEIR_ACTION_FINISH:
    case WEIR_ACTION_DONE:
      TakeRelay(action);
      return true;
    default:
      std::cerr << "weir_gateway: weir asks for action " << action.kind
                << ", which this gateway does not know\n";
      return false;
  }
}

void Exchange::StartAttempt(const weir_action& action) {
  attempt_.reset();
  upstream_failed_ = false;
  status_ = 0;
  UpstreamRequest request;
  request.url = FetchView(txn_.get(), weir_txn_url);
  request.method = request_.method;
  request.target = FetchView(txn_.get(), weir_txn_target);
  request.headers = EndToEnd(request_headers_);
  // A compressed answer hides its usage.
  SetHeader(&request.headers, "accept-encoding", "identity");
  ApplyEdits(txn_.get(), action.header_count, &request.headers);
  request.body = FetchView(txn_.get(), weir_txn_body);
  request.deadline = DeadlineOf(action);
  attempt_ = std::make_unique<UpstreamAttempt>(shared_->connections, std::move(request));
}

bool Exchange::PerformCall(const weir_action& action) {
  UpstreamRequest request;
  request.url = FetchView(txn_.get(), weir_txn_url);
  request.target = FetchView(txn_.get(), weir_txn_target);
  request.body = FetchView(txn_.get(), weir_txn_body);
  request.method = request.body.empty() ? "GET" : "POST";
  ApplyEdits(txn_.get(), action.header_count, &request.headers);
  request.deadline = DeadlineOf(action);
  UpstreamAttempt call(shared_->connections, std::move(request));
  int32_t status = 0;
  std::string body;
  for (UpstreamEvent event; event.kind != UpstreamEvent::Kind::kEnd;) {
    if (!AwaitEvent(&call, &event)) return false;
    if (event.kind == UpstreamEvent::Kind::kHead) status = event.status;
    body += event.bytes;
    if (event.kind == UpstreamEvent::Kind::kFailed || body.size() > kMaxCallBytes) {
      status = 0;
      body.clear();
      break;
    }
  }
  weir_error error = NewError();
  return Check(
      weir_txn_call_result(txn_.get(), action.call_id, status, body.data(), body.size(), &error),
      error);
}

bool Exchange::SleepUntil(steady_clock::time_point until) {
  for (auto now = steady_clock::now(); now < until; now = steady_clock::now()) {
    const auto left = std::chrono::ceil<milliseconds>(until - now);
    if (AbortOrClientLeft(std::min(left, kPoll))) return false;
  }
  return true;
}

bool Exchange::AbortOrClientLeft(milliseconds wait) {
  if (shared_->abort) {
    End(Ending::kBroken);
    return true;
  }
  if (!examples::ClientLeaves(client_socket_, wait)) return false;
  End(Ending::kClientLeft);
  return true;
}

bool Exchange::AwaitEvent(UpstreamAttempt* attempt, UpstreamEvent* event) {
  for (;;) {
    const auto now = steady_clock::now();
    if (now >= attempt->deadline()) {
      *event = UpstreamEvent();
      event->failure = WEIR_FAILURE_TIMEOUT;
      return true;
    }
    std::optional<UpstreamEvent> next = attempt->Wait(std::min(attempt->deadline(), now + kPoll));
    if (next.has_value()) {
      *event = *std::move(next);
      return true;
    }
    if (AbortOrClientLeft(milliseconds(0))) return false;
  }
}

// ---- Answering ----

void Exchange::TakeReply(const weir_action& action) {
  attempt_.reset();
  status_ = action.status;
  headers_.clear();
  ApplyEdits(txn_.get(), action.header_count, &headers_);
  pending_ = FetchView(txn_.get(), weir_txn_body);
  answer_ended_ = true;
}

// CONTINUE, FINISH and DONE: what came last, a head or a piece or an end, goes to the client.
void Exchange::TakeRelay(const weir_action& action) {
  if (event_.kind == UpstreamEvent::Kind::kHead) {
    status_ = action.status != 0 ? action.status : event_.status;
    headers_ = EndToEnd(event_.headers);
    streams_ = IsEventStream(headers_);
  }
  if (!head_sent_) ApplyEdits(txn_.get(), action.header_count, &headers_);
  std::string_view bytes;
  if (action.kind == WEIR_ACTION_FINISH || action.relay == WEIR_RELAY_VIEW) {
    bytes = FetchView(txn_.get(), weir_txn_body);
  } else if (action.relay == WEIR_RELAY_INPUT) {
    bytes = event_.bytes;
  }
  pending_ += bytes;
  if (pending_.size() > kMaxHeldBytes) streams_ = true;
  if (action.kind != WEIR_ACTION_CONTINUE) TakeEnd(!bytes.empty());
}

// An answer that broke off, and that weir could not end properly, must not look complete.
void Exchange::TakeEnd(bool with_bytes) {
  attempt_.reset();
  answer_ended_ = true;
  if (!upstream_failed_ || with_bytes) return;
  if (!head_sent_) return FailWith(502, "the backend broke off its answer");
  cut_ = true;
}

void Exchange::FailWith(int status, std::string_view message) {
  attempt_.reset();
  status_ = status;
  headers_ = {{"content-type", "application/json"}};
  pending_ = ErrorBody(message);
  answer_ended_ = true;
}

void Exchange::FillResponse(const std::shared_ptr<Exchange>& self, httplib::Response* response) {
  response->status = status_;
  const std::string type(FindHeader(headers_, "content-type"));
  for (const auto& [name, value] : headers_) {
    const bool one_line = value.find_first_of("\r\n") == std::string::npos;
    if (one_line && !SameName(name, "content-type") && !SameName(name, "content-length")) {
      response->headers.emplace(name, value);
    }
  }
  if (shared_->draining) response->headers.emplace("Connection", "close");
  head_sent_ = true;
  if (answer_ended_) {
    record_.bytes = pending_.size();
    if (!type.empty()) response->headers.emplace("Content-Type", type);
    response->body = std::move(pending_);
    return End(Ending::kComplete);
  }
  const auto provider = [self](size_t, httplib::DataSink& sink) { return self->Relay(&sink); };
  const std::string type_or_default = type.empty() ? "application/octet-stream" : type;
  // HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
  if (request_.version == "HTTP/1.0") {
    response->set_content_provider(type_or_default, provider);
  } else {
    response->set_chunked_content_provider(type_or_default, provider);
  }
}

// The whole rest of the answer in one call: cpp-httplib asks for no more once its server stops, and
// an answer under way is to end properly.
bool Exchange::Relay(httplib::DataSink* sink) {
  weir_action action = NewAction();
  while (Flush(sink) && !answer_ended_) {
    UpstreamEvent event;
    const bool fed = attempt_ != nullptr && AwaitEvent(attempt_.get(), &event) &&
                     FeedEvent(std::move(event)) && Next(&action);
    const bool relays =
        fed && (action.kind == WEIR_ACTION_CONTINUE || action.kind == WEIR_ACTION_FINISH ||
                action.kind == WEIR_ACTION_DONE);
    if (!relays) break;
    TakeRelay(action);
  }
  const bool complete = answer_ended_ && pending_.empty() && !cut_;
  End(complete ? Ending::kComplete : Ending::kBroken);
  if (complete) sink->done();
  return complete && request_.version != "HTTP/1.0";
}

bool Exchange::Flush(httplib::DataSink* sink) {
  if (pending_.empty()) return true;
  if (!sink->write(pending_.data(), pending_.size())) {
    End(Ending::kClientLeft);
    return false;
  }
  record_.bytes += pending_.size();
  pending_.clear();
  return true;
}

// Only the first ending counts. The upstream is stopped first: nothing more is to be charged for.
void Exchange::End(Ending ending) {
  if (ending_ != Ending::kOpen) return;
  ending_ = ending;
  attempt_.reset();
  record_.status = status_;
  record_.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin_);
  record_.ended = ending == Ending::kComplete     ? "complete"
                  : ending == Ending::kClientLeft ? "client_left"
                                                  : "broken";
  if (txn_ != nullptr) {
    weir_error error = NewError();
    const weir_now now = Now();
    weir_txn_client_left(txn_.get(), &now, &error);  // settles what an ending left open
    Book();
    record_.weir = FetchText([&](char* buffer, size_t capacity, size_t* needed) {
                     return weir_txn_explain(txn_.get(), buffer, capacity, needed, &error);
                   }).value_or("");
  }
  txn_.reset();
  shared_->dashboard->Note(record_);
  shared_->access_log->Write(record_);
}

}  // namespace gateway
