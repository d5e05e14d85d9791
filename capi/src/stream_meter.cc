// weir_stream_meter_*: what an answer comes to, told as it passes.

#include "weir/stream_meter.h"

#include <optional>

#include "dialect_numbers.h"
#include "handles.h"

struct weir_stream_meter {
  std::unique_ptr<weir::metering::StreamMeter> meter;
  std::string relay;  // with strip_usage
  bool strip_usage = false;
  bool is_over = false;  // it takes no more bytes
};

namespace {

using weir::capi::Behind;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::NumberOf;
using weir::capi::ReadSized;
using weir::capi::View;
using weir::capi::WriteSized;
using weir::metering::Metered;
using weir::metering::StreamMeter;
using weir::metering::StreamMeterOptions;
using weir::metering::Unread;

static_assert(static_cast<int>(Unread::kNothing) == WEIR_UNREAD_NOTHING);
static_assert(static_cast<int>(Unread::kUnknownEncoding) == WEIR_UNREAD_UNKNOWN_ENCODING);
static_assert(static_cast<int>(Unread::kCorruptEncoding) == WEIR_UNREAD_CORRUPT_ENCODING);
static_assert(static_cast<int>(Unread::kTooLarge) == WEIR_UNREAD_TOO_LARGE);

weir_status ReadMeterOptions(const weir_stream_meter_options* given,
                             weir_stream_meter_options* options, weir_error* error) {
  const weir_status status = ReadSized(given, options, error);
  if (status != WEIR_OK) return status;
  if (!IsText(options->content_type, options->content_type_size) ||
      !IsText(options->content_encoding, options->content_encoding_size) ||
      !IsText(options->model, options->model_size)) {
    return NullArgument(error);
  }
  return weir::capi::CheckNumbers(options->dialect, options->operation, error);
}

StreamMeterOptions Translated(const weir_stream_meter_options& read) {
  StreamMeterOptions options;
  if (read.dialect != 0) options.dialect = weir::capi::DialectOf(read.dialect);
  if (read.operation != 0) options.operation = weir::capi::OperationOf(read.operation);
  if (read.content_type_size != 0) {
    options.content_type = View(read.content_type, read.content_type_size);
  }
  options.content_encoding = View(read.content_encoding, read.content_encoding_size);
  options.tokenizer = Behind(read.tokenizer);
  options.tokenizer_is_exact = read.is_standin == 0;
  options.model = View(read.model, read.model_size);
  options.declares_functions = read.declares_functions != 0;
  options.strip_usage = read.strip_usage != 0;
  if (read.max_event_bytes != 0) options.max_event_bytes = read.max_event_bytes;
  if (read.max_body_bytes != 0) options.max_body_bytes = read.max_body_bytes;
  if (read.max_decoded_bytes != 0) options.max_decoded_bytes = read.max_decoded_bytes;
  if (read.max_decoded_ratio != 0) options.max_decoded_ratio = read.max_decoded_ratio;
  return options;
}

int64_t StatedOr(const std::optional<uint64_t>& stated) {
  return stated ? static_cast<int64_t>(*stated) : -1;
}

// Runs `step` on a meter that is not over yet; one in which it fails is.
template <typename Step>
weir_status Advance(weir_stream_meter* meter, weir_error* error, Step&& step) noexcept {
  return Guard(error, [&]() -> weir_status {
    if (meter->is_over) return Fail(error, WEIR_FAILED_PRECONDITION, "the answer is over");
    meter->relay.clear();
    meter->is_over = true;
    meter->is_over = step(*meter->meter, meter->strip_usage ? &meter->relay : nullptr);
    return WEIR_OK;
  });
}

}  // namespace

weir_status weir_stream_meter_new(const weir_stream_meter_options* options,
                                  weir_stream_meter** meter, weir_error* error) {
  if (meter == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_stream_meter_options read;
    const weir_status status = ReadMeterOptions(options, &read, error);
    if (status != WEIR_OK) return status;
    auto handle = std::make_unique<weir_stream_meter>();
    handle->meter = StreamMeter::Create(Translated(read));
    handle->strip_usage = read.strip_usage != 0;
    *meter = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_stream_meter_feed(weir_stream_meter* meter, const char* bytes, size_t bytes_size,
                                   weir_error* error) {
  if (meter == nullptr || !IsText(bytes, bytes_size)) return NullArgument(error);
  return Advance(meter, error, [&](StreamMeter& fed, std::string* relay) {
    fed.Feed(View(bytes, bytes_size), relay);
    return false;
  });
}

weir_status weir_stream_meter_end(weir_stream_meter* meter, weir_error* error) {
  if (meter == nullptr) return NullArgument(error);
  return Advance(meter, error, [](StreamMeter& fed, std::string* relay) {
    fed.End(relay);
    return true;
  });
}

weir_status weir_stream_meter_client_left(weir_stream_meter* meter, weir_error* error) {
  if (meter == nullptr) return NullArgument(error);
  return Advance(meter, error, [](StreamMeter&, std::string*) { return true; });
}

weir_status weir_stream_meter_relay(const weir_stream_meter* meter, const char** bytes,
                                    size_t* bytes_size) {
  if (meter == nullptr || bytes == nullptr || bytes_size == nullptr) return WEIR_INVALID_ARGUMENT;
  *bytes = meter->relay.data();
  *bytes_size = meter->relay.size();
  return WEIR_OK;
}

weir_status weir_stream_meter_usage(const weir_stream_meter* meter, weir_usage* usage,
                                    weir_error* error) {
  if (meter == nullptr || usage == nullptr) return NullArgument(error);
  if (usage->size < offsetof(weir_usage, counted_tokens)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "usage->size has no room for the number of tokens");
  }
  return Guard(error, [&]() -> weir_status {
    const Metered metered = meter->meter->Read();
    weir_usage full = {};
    full.provenance = NumberOf(metered.provenance);
    full.completion_tokens = metered.completion;
    full.counted_tokens = metered.counted;
    full.text_bytes = metered.text_bytes;
    full.stated_prompt = StatedOr(metered.usage.prompt);
    full.stated_completion = StatedOr(metered.usage.completion);
    full.stated_cached = StatedOr(metered.usage.cached);
    full.stated_cache_write = StatedOr(metered.usage.cache_write);
    full.stated_reasoning = StatedOr(metered.usage.reasoning);
    full.stated_audio_prompt = StatedOr(metered.usage.audio_prompt);
    full.stated_audio_completion = StatedOr(metered.usage.audio_completion);
    full.stated_accepted_prediction = StatedOr(metered.usage.accepted_prediction);
    full.stated_rejected_prediction = StatedOr(metered.usage.rejected_prediction);
    full.stated_total = StatedOr(metered.usage.reported_total);
    full.is_complete = metered.complete ? 1 : 0;
    full.is_error = metered.error ? 1 : 0;
    full.is_anomaly = metered.anomaly ? 1 : 0;
    full.unread = static_cast<int32_t>(metered.unread);
    WriteSized(full, usage);
    return WEIR_OK;
  });
}

void weir_stream_meter_free(weir_stream_meter* meter) { delete meter; }
