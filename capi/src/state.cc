// weir_state_*: the memory or file where counters live, and what is in it.

#include <string>

#include "absl/status/status.h"
#include "base/json.h"
#include "handles.h"

namespace {

using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadPath;
using weir::capi::ReadSized;
using weir::limits::Algorithm;
using weir::limits::CounterReport;
using weir::limits::StateReport;
using weir::state::Segment;

absl::StatusOr<std::unique_ptr<Segment>> OpenSegment(const std::string& path,
                                                     const weir_state_options& read) {
  if (path.empty()) {
    weir::state::SegmentOptions options;
    if (read.bytes != 0) options.bytes = read.bytes;
    options.seed = read.seed;
    return Segment::CreatePrivate(options);
  }
  weir::state::FileOptions options;
  if (read.bytes != 0) options.bytes = read.bytes;
  options.seed = read.seed;
  options.replace = read.replace != 0;
  return Segment::OpenFile(path, options);
}

std::string_view WordOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kSlidingWindow:
      return "sliding_window";
    case Algorithm::kTokenBucket:
      return "token_bucket";
    case Algorithm::kFixedWindow:
      return "fixed_window";
    case Algorithm::kCalendar:
      return "calendar";
    case Algorithm::kConcurrency:
      return "concurrency";
  }
  return "";
}

void WriteCounter(const CounterReport& counter, weir::json::Writer* writer) {
  writer->BeginObject().Key("rule");
  if (counter.rule.empty()) {
    writer->Null();
  } else {
    writer->String(counter.rule);
  }
  writer->Key("key_id").String(counter.key_id);
  writer->Key("algorithm").String(WordOf(counter.algorithm));
  writer->Key("amount").Uint(counter.amount).Key("used").Uint(counter.used);
  writer->Key("reserved").Uint(counter.reserved).Key("reset_ms");
  if (counter.reset_ns == weir::limits::kNever) {
    writer->Null();
  } else {
    const int64_t begun = counter.reset_ns % weir::kMillisecond == 0 ? 0 : 1;
    writer->Int(counter.reset_ns / weir::kMillisecond + begun);
  }
  writer->EndObject();
}

std::string ReportJson(const Segment& segment, const StateReport& report) {
  std::string json;
  weir::json::Writer writer(&json);
  writer.BeginObject().Key("bytes").Uint(segment.bytes());
  writer.Key("bytes_used").Uint(segment.bytes_used());
  writer.Key("slots").Uint(report.slots).Key("slots_used").Uint(report.slots_used);
  writer.Key("counters").Uint(report.counters).Key("leased").Uint(report.leased);
  writer.Key("locked").Uint(report.locked).Key("top").BeginArray();
  for (const CounterReport& counter : report.top) WriteCounter(counter, &writer);
  writer.EndArray().EndObject();
  return json;
}

}  // namespace

weir_status weir::capi::ReadPath(const char* path, size_t path_size, std::string* read,
                                 weir_error* error) {
  read->assign(View(path, path_size));
  if (read->find('\0') == std::string::npos) return WEIR_OK;
  return Fail(error, WEIR_INVALID_ARGUMENT, "a path has a NUL in it");
}

weir_status weir_state_open(const char* path, size_t path_size, const weir_state_options* options,
                            weir_state** state, weir_error* error) {
  if (!IsText(path, path_size) || state == nullptr) return NullArgument(error);
  weir_state_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    std::string name;
    const weir_status status = ReadPath(path, path_size, &name, error);
    if (status != WEIR_OK) return status;
    auto handle = std::make_unique<weir_state>();
    auto opened = OpenSegment(name, read);
    if (!opened.ok()) return Fail(error, opened.status());
    handle->segment = *std::move(opened);
    *state = handle.release();
    return WEIR_OK;
  });
}

void weir_state_free(weir_state* state) { delete state; }

weir_status weir_state_report_json(const char* path, size_t path_size, uint32_t top,
                                   const weir_now* now, char* buffer, size_t capacity,
                                   size_t* needed, weir_error* error) {
  if (!IsText(path, path_size) || now == nullptr || !IsText(buffer, capacity) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::string name;
    const weir_status status = ReadPath(path, path_size, &name, error);
    if (status != WEIR_OK) return status;
    const auto segment = Segment::OpenReadOnly(name);
    if (!segment.ok()) return Fail(error, segment.status());
    auto report = weir::limits::Inspect(segment->get(), top, At(*now));
    // No limiter was ever made over it: nothing is in it.
    if (absl::IsNotFound(report.status())) report = StateReport();
    if (!report.ok()) return Fail(error, report.status());
    return CopyOut(ReportJson(**segment, *report), buffer, capacity, needed, error);
  });
}
