#include "upstream/provider.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include "upstream/json.h"

namespace upstream {

using std::chrono::milliseconds;

namespace {

constexpr char kJson[] = "application/json";
constexpr milliseconds kPoll(20);  // how soon a pause notices a stop or a caller that left

}  // namespace

struct Provider::Job {
  ChatRequest request;
  Answer answer;
  Faults faults;
  uint64_t quota_id = 0;
  int64_t pieces_sent = 0;
  int64_t tokens_sent = 0;
  bool ended = false;
};

Provider::Provider(const Options& options)
    : options_(options),
      quota_(options.tokens_per_window, std::chrono::seconds(options.window_s)),
      faults_(options.faults) {}

void Provider::Serve(httplib::Server* server) {
  server->Post("/v1/chat/completions",
               [this](const httplib::Request& request, httplib::Response& response) {
                 Chat(request, response, "");
               });
  server->Post("/openai/deployments/([^/]+)/chat/completions",
               [this](const httplib::Request& request, httplib::Response& response) {
                 Chat(request, response, request.matches[1].str());
               });
  server->Post("/_control", [this](const httplib::Request& request, httplib::Response& response) {
    Control(request, response);
  });
  server->Get("/_stats", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(stats_.Json(ControlJson()), kJson);
  });
}

Faults Provider::CurrentFaults() {
  const std::lock_guard<std::mutex> lock(faults_mutex_);
  return faults_;
}

bool Provider::CheckCredential(const httplib::Request& request) {
  for (const char* header : {"authorization", "api-key"}) {
    if (request.has_header(header)) {
      stats_.SawCredential(header, request.get_header_value(header));
    }
  }
  return options_.dialect == Dialect::kAzureOpenAi
             ? request.get_header_value("api-key") == options_.key
             : request.get_header_value("authorization") == "Bearer " + options_.key;
}

void Provider::Fail(int status, std::string_view message, httplib::Response& response) {
  response.status = status;
  response.set_content(ErrorBody(options_.dialect, status, message), kJson);
}

void Provider::Throttle(milliseconds retry_after, httplib::Response& response) {
  stats_.Throttled();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after);
  response.set_header("retry-after", std::to_string(seconds.count()));
  response.set_header("retry-after-ms", std::to_string(retry_after.count()));
  response.status = 429;
  response.set_content(ThrottleBody(options_.dialect, retry_after), kJson);
}

bool Provider::AnswerFault(const Faults& faults, httplib::Response& response) {
  if (faults.latency.has_value()) Pause(*faults.latency, nullptr);
  if (faults.throttle.has_value()) {
    Throttle(*faults.throttle, response);
    return true;
  }
  if (faults.status.has_value()) {
    stats_.Failed();
    Fail(static_cast<int>(*faults.status), "a fault that was asked for", response);
    return true;
  }
  return false;
}

void Provider::Chat(const httplib::Request& request, httplib::Response& response,
                    const std::string& path_model) {
  stats_.Requested();
  const bool is_azure = options_.dialect == Dialect::kAzureOpenAi;
  if (is_azure == path_model.empty() || (is_azure && !request.has_param("api-version"))) {
    return Fail(404, "no such path in this provider's dialect", response);
  }
  if (!CheckCredential(request)) {
    stats_.RefusedCredential();
    return Fail(401, "incorrect API key", response);
  }
  auto job = std::make_shared<Job>();
  job->faults = CurrentFaults();
  std::string error = job->faults.Add(request.get_header_value("x-upstream-fault"));
  if (!error.empty()) return Fail(400, "x-upstream-fault: " + error, response);
  if (AnswerFault(job->faults, response)) return;
  error = ReadChatRequest(request.body, path_model, &job->request);
  if (!error.empty()) return Fail(400, error, response);

  const int64_t cost_max = MaxCost(job->request, options_.answer_tokens);
  const Quota::Verdict verdict = quota_.Take(cost_max, Quota::Clock::now());
  if (verdict.limit > 0) {
    response.set_header("x-ratelimit-limit-tokens", std::to_string(verdict.limit));
    response.set_header("x-ratelimit-remaining-tokens", std::to_string(verdict.remaining));
  }
  if (!verdict.admitted) return Throttle(verdict.retry_after, response);

  job->quota_id = verdict.id;
  job->answer.dialect = options_.dialect;
  job->answer.id = "chatcmpl-" + std::to_string(next_id_++);
  job->answer.created_unix_s = std::time(nullptr);
  job->answer.request = &job->request;
  const TokenCounter counter(job->request.model);
  for (int64_t i = 0; i < job->request.n; ++i) {
    job->answer.choices.push_back(
        MakeChoice(job->request, options_.seed, i, options_.answer_tokens, counter));
  }
  if (is_azure) response.set_header("x-ms-region", "Simulated East");
  response.set_header("x-request-id", job->answer.id);
  response.status = 200;
  if (job->request.stream) return AnswerStream(job, response);
  AnswerWhole(job, response);
}

// A whole answer goes out in two parts, so that faults in the middle have a middle.
void Provider::AnswerWhole(const std::shared_ptr<Job>& job, httplib::Response& response) {
  auto body = std::make_shared<const std::string>(CompletionBody(job->answer));
  const size_t size = body->size();
  response.set_content_provider(
      size, kJson,
      [this, job, body](size_t offset, size_t length, httplib::DataSink& sink) {
        const Faults& faults = job->faults;
        if (offset == 0 && !Pause(faults.slow_first_byte.value_or(milliseconds(0)), &sink)) {
          return false;
        }
        const size_t half = body->size() / 2;
        if (offset < half) return sink.write(body->data() + offset, half - offset);
        if (faults.reset.has_value() || faults.stream_error.has_value()) return false;
        while (faults.stall.has_value()) {
          if (!Pause(kPoll, &sink)) return false;
        }
        const bool written = sink.write(body->data() + offset, length);
        job->tokens_sent = job->answer.completion_tokens();
        End(job.get(), written);
        return written;
      },
      [this, job](bool) { End(job.get(), false); });
}

void Provider::AnswerStream(const std::shared_ptr<Job>& job, httplib::Response& response) {
  response.set_chunked_content_provider(
      "text/event-stream",
      [this, job](size_t, httplib::DataSink& sink) { return WriteStream(job.get(), sink); },
      [this, job](bool) { End(job.get(), false); });
}

bool Provider::WriteEvent(Job* job, const Event& event, httplib::DataSink& sink) {
  const Faults& faults = job->faults;
  if (event.tokens > 0) {
    if (faults.reset == job->pieces_sent) return false;
    while (faults.stall == job->pieces_sent) {
      if (!Pause(kPoll, &sink)) return false;
    }
    if (faults.malformed == job->pieces_sent) {
      constexpr std::string_view kBroken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"cont\n\n";
      if (!sink.write(kBroken.data(), kBroken.size())) return false;
    }
    if (!Pause(milliseconds(options_.chunk_delay_ms), &sink)) return false;
  }
  if (!sink.write(event.bytes.data(), event.bytes.size())) return false;
  if (event.tokens > 0) ++job->pieces_sent;
  job->tokens_sent += event.tokens;
  return true;
}

// The whole stream in one call: httplib asks for no more once its server stops, and a stream under
// way is to end properly.
bool Provider::WriteStream(Job* job, httplib::DataSink& sink) {
  const Faults& faults = job->faults;
  if (!Pause(faults.slow_first_byte.value_or(milliseconds(0)), &sink)) return false;
  for (const Event& event : StreamEvents(job->answer)) {
    if (event.tokens > 0 && faults.stream_error == job->pieces_sent) {
      const std::string error =
          "data: " + ErrorBody(options_.dialect, 500, "a fault that was asked for") + "\n\n";
      sink.write(error.data(), error.size());
      sink.done();
      return true;
    }
    if (!WriteEvent(job, event, sink)) return false;
  }
  End(job, true);
  sink.done();
  return true;
}

// Bills what was sent, once.
void Provider::End(Job* job, bool finished) {
  if (std::exchange(job->ended, true)) return;
  const int64_t prompt = job->request.prompt_tokens;
  quota_.Settle(job->quota_id, prompt + job->tokens_sent);
  stats_.Answered({prompt, job->tokens_sent, job->request.stream, finished});
}

bool Provider::Pause(milliseconds time, const httplib::DataSink* sink) {
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    if (stopping_) return false;
    if (sink != nullptr && !sink->is_writable()) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return true;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, kPoll));
  }
}

std::string Provider::ControlJson() {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  json.StartObject();
  json.Key("faults");
  json.StartArray();
  for (const std::string& spec : CurrentFaults().specs) json.String(spec.c_str());
  json.EndArray();
  json.Key("tpm");
  json.Int64(quota_.tokens());
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

void Provider::Control(const httplib::Request& request, httplib::Response& response) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(request.body.data(), request.body.size());
  if (document.HasParseError() || !document.IsObject()) {
    return Fail(400, R"(expected {"faults": ["status=500"], "tpm": 600})", response);
  }
  if (const rapidjson::Value* specs = FindMember(document, "faults"); specs != nullptr) {
    if (!specs->IsArray()) return Fail(400, "faults must be an array", response);
    Faults faults;
    for (const rapidjson::Value& spec : specs->GetArray()) {
      if (!spec.IsString()) return Fail(400, "faults must be strings", response);
      const std::string error = faults.Add(TextOf(spec));
      if (!error.empty()) return Fail(400, error, response);
    }
    const std::lock_guard<std::mutex> lock(faults_mutex_);
    faults_ = std::move(faults);
  }
  if (const rapidjson::Value* tpm = FindMember(document, "tpm"); tpm != nullptr) {
    if (!tpm->IsInt64() || tpm->GetInt64() < 0) {
      return Fail(400, "tpm must be a whole number from 0", response);
    }
    quota_.SetTokens(tpm->GetInt64());
  }
  response.set_content(ControlJson(), kJson);
}

}  // namespace upstream
