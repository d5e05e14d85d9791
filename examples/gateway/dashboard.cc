#include "gateway/dashboard.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <thread>

namespace gateway {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxRefusals = 30;
constexpr size_t kMaxConsumers = 200;
constexpr int kMaxStreams = 8;
constexpr milliseconds kPeriod(1000);
constexpr milliseconds kPoll(100);  // how soon a stop is noticed

using Buffer = rapidjson::StringBuffer;
using JsonWriter = rapidjson::Writer<Buffer>;

int64_t Milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

std::string ToText(const rapidjson::Value& value) {
  Buffer buffer;
  JsonWriter writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

void String(JsonWriter* json, std::string_view text) {
  json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void Raw(JsonWriter* json, std::string_view text) {
  json->RawValue(text.data(), text.size(), rapidjson::kObjectType);
}

std::string Event(const std::string& snapshot) {
  return "retry: " + std::to_string(kPeriod.count()) + "\ndata: " + snapshot + "\n\n";
}

}  // namespace

void Dashboard::Note(const AccessRecord& record) {
  rapidjson::Document explained;
  explained.Parse(record.weir.data(), record.weir.size());
  if (explained.HasParseError() || !explained.IsObject()) return;
  const auto consumer = explained.FindMember("consumer");
  const auto limits = explained.FindMember("limits");
  const int64_t time_ms = Milliseconds(record.begin + record.duration);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (limits != explained.MemberEnd() && limits->value.IsArray() && !limits->value.Empty() &&
      consumer != explained.MemberEnd() && consumer->value.IsString()) {
    limits_[{consumer->value.GetString(), consumer->value.GetStringLength()}] = {
        time_ms, ToText(limits->value)};
    if (limits_.size() > kMaxConsumers) {
      limits_.erase(std::min_element(
          limits_.begin(), limits_.end(),
          [](const auto& a, const auto& b) { return a.second.time_ms < b.second.time_ms; }));
    }
  }
  if (record.status < 400) return;
  ++refused_;
  explained.AddMember("answered", record.status, explained.GetAllocator());
  refusals_.push_back({time_ms, ToText(explained)});
  if (refusals_.size() > kMaxRefusals) refusals_.pop_front();
}

std::string Dashboard::Snapshot(weir_engine* engine) const {
  weir_error error = NewError();
  const weir_now now = Now();
  const auto status = FetchText([&](char* buffer, size_t capacity, size_t* needed) {
    return weir_engine_status(engine, &now, buffer, capacity, needed, &error);
  });
  const auto changes = FetchText([&](char* buffer, size_t capacity, size_t* needed) {
    return weir_engine_changes_json(engine, 0, buffer, capacity, needed, &error);
  });
  const auto metrics = FetchText([&](char* buffer, size_t capacity, size_t* needed) {
    return weir_engine_metrics(engine, buffer, capacity, needed, &error);
  });
  Buffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  json.Key("time_ms");
  json.Int64(Milliseconds(std::chrono::system_clock::now()));
  json.Key("status");
  Raw(&json, status.value_or("null"));
  json.Key("changes");
  Raw(&json, changes.value_or("null"));
  json.Key("metrics");
  String(&json, metrics.value_or(""));
  const std::lock_guard<std::mutex> lock(mutex_);
  json.Key("consumers");
  json.StartArray();
  for (const auto& [consumer, noted] : limits_) {
    json.StartObject();
    json.Key("consumer");
    String(&json, consumer);
    json.Key("time_ms");
    json.Int64(noted.time_ms);
    json.Key("limits");
    Raw(&json, noted.json);
    json.EndObject();
  }
  json.EndArray();
  json.Key("refused");
  json.Uint64(refused_);
  json.Key("refusals");
  json.StartArray();
  for (auto noted = refusals_.rbegin(); noted != refusals_.rend(); ++noted) {
    json.StartObject();
    json.Key("time_ms");
    json.Int64(noted->time_ms);
    json.Key("explained");
    Raw(&json, noted->json);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

// The page says itself what it may load and run; that nobody may frame it, only a header can say.
void Dashboard::ServePage(httplib::Response* response) {
  response->set_header("Content-Security-Policy", "frame-ancestors 'none'");
  response->set_header("X-Content-Type-Options", "nosniff");
  response->set_header("Referrer-Policy", "no-referrer");
  response->set_header("Cache-Control", "no-cache");
  response->set_content(kDashboardPage, "text/html; charset=utf-8");
}

void Dashboard::ServeEvents(weir_engine* engine, const std::atomic<bool>* stop,
                            httplib::Response* response) {
  constexpr char kType[] = "text/event-stream";
  response->set_header("Cache-Control", "no-store");
  response->set_header("X-Content-Type-Options", "nosniff");
  if (++viewers_ > kMaxStreams) {
    --viewers_;
    return response->set_content(Event(Snapshot(engine)), kType);
  }
  const auto send = [this, engine, stop](size_t, httplib::DataSink& sink) {
    const std::string event = Event(Snapshot(engine));
    if (!sink.write(event.data(), event.size())) return false;
    for (auto slept = milliseconds(0); slept < kPeriod && !*stop; slept += kPoll) {
      std::this_thread::sleep_for(kPoll);
    }
    if (*stop) sink.done();
    return true;
  };
  response->set_chunked_content_provider(kType, send, [this](bool) { --viewers_; });
}

}  // namespace gateway
