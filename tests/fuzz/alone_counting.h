// A part of fz_abi_alone: tokenizers, texts in pieces, whole requests, answers as they pass.

#ifndef WEIR_TESTS_FUZZ_ALONE_COUNTING_H_
#define WEIR_TESTS_FUZZ_ALONE_COUNTING_H_

#include <array>
#include <string>

#include "tests/fuzz/abi_structs.h"
#include "tests/fuzz/alone_common.h"

namespace weir::fuzz {

class CountingPart {
 public:
  explicit CountingPart(Common* common) : common_(*common) {}

  void Do(const AbiCall& call, uint8_t verb) {
    switch (verb % 9) {
      case 0:
        return Find(call);
      case 1:
        return Count(call);
      case 2:
        return NewCounter(call);
      case 3:
        return Append(call);
      case 4:
        return Total(call);
      case 5:
        return CountRequest(call);
      case 6:
        return NewMeter(call);
      case 7:
        return Feed(call);
      default:
        return ReadMeter(call);
    }
  }

 private:
  // A counter's tokenizer and text, and whether it is of no use any more.
  struct Counted {
    const weir_tokenizer* tokenizer = nullptr;
    std::string text;
    bool broken = false;
  };

  const weir_tokenizer* Tokenizer(uint8_t operand) const { return tokenizers_[operand % 3]; }

  void Find(const AbiCall& call) {
    const std::string_view name = common_.Text(call.b);
    const weir_tokenizer* found = nullptr;
    const bool ok = Checked(weir_tokenizer_find(name.data(), name.size(), &found, &common_.error));
    if (ok != (found != nullptr)) std::abort();
    if (ok) tokenizers_[call.a % 2] = found;
  }

  void Count(const AbiCall& call) {
    const weir_tokenizer* const tokenizer = Tokenizer(call.a);
    const std::string_view text = common_.Text(call.b);
    std::array<uint32_t, 128> ids;
    uint64_t count = 0, up_to = 0;
    size_t needed = 0;
    const bool counted =
        Checked(weir_tokenizer_count(tokenizer, text.data(), text.size(), &count, &common_.error));
    const size_t room = std::min<size_t>(call.c, ids.size());
    const weir_status status = weir_tokenizer_encode(tokenizer, text.data(), text.size(),
                                                     ids.data(), room, &needed, &common_.error);
    const bool encoded = Checked(status), told = encoded || status == WEIR_OUT_OF_RANGE;
    if (told && encoded != (needed <= room)) std::abort();
    if (!counted) return;
    if (told && needed != count) std::abort();
    if (Checked(weir_tokenizer_count_up_to(tokenizer, text.data(), text.size(), call.c, &up_to,
                                           &common_.error)) &&
        (count <= call.c ? up_to != count : up_to <= call.c)) {
      std::abort();
    }
  }

  void NewCounter(const AbiCall& call) {
    auto* const made = Made<weir_token_counter>([&](weir_token_counter** out) {
      return weir_token_counter_new(Tokenizer(call.b), out, &common_.error);
    });
    if (made == nullptr) return;
    counters_.Put(call.a, made);
    counted_[call.a % 3] = {Tokenizer(call.b), "", false};
  }

  void Append(const AbiCall& call) {
    const std::string_view text = common_.Text(call.b);
    weir_token_counter* const counter = counters_[call.a];
    const weir_status status =
        weir_token_counter_append(counter, text.data(), text.size(), &common_.error);
    const bool ok = Checked(status);
    if (counter == nullptr) return;
    Counted& counted = counted_[call.a % 4];
    if (counted.broken && status != WEIR_FAILED_PRECONDITION) std::abort();
    if (ok) counted.text += text;
    counted.broken = counted.broken || !ok;
  }

  // The same as of the text in one piece.
  void Total(const AbiCall& call) {
    weir_token_counter* const counter = counters_[call.a];
    uint64_t total = 0, whole = 0;
    const bool ok = Checked(weir_token_counter_total(counter, &total, &common_.error));
    if (counter == nullptr) return;
    const Counted& counted = counted_[call.a % 4];
    if (ok && counted.broken) std::abort();
    if (!ok || !Checked(weir_tokenizer_count(counted.tokenizer, counted.text.data(),
                                             counted.text.size(), &whole, &common_.error))) {
      return;
    }
    if (total != whole) std::abort();
  }

  void CountRequest(const AbiCall& call) {
    const std::string_view body = common_.Text(call.b);
    weir_request_options record = {};
    record.dialect = call.a % 8 < 4 ? 0 : call.a % 8 - 2;
    record.operation = call.a / 8 % 8 < 4 ? 0 : call.a / 8 % 8 - 3;
    record.limit = call.c % 4 == 3 ? call.c / 4 : 0;
    record.tokenizer = Tokenizer(call.c);
    record.is_standin = call.c / 4 % 2;
    const Given<weir_request_options> options(common_.TakeAge(), record);
    Taken<weir_prompt_count> count(common_.TakeAge());
    const bool ok =
        count.Checked(weir_count_request(call.c == 255 ? nullptr : options.get(), body.data(),
                                         body.size(), count.get(), &common_.error));
    std::string json(4096, '\0');
    size_t needed = 0;
    const bool told = Checked(weir_count_request_json(call.c == 255 ? nullptr : options.get(),
                                                      body.data(), body.size(), json.data(),
                                                      json.size(), &needed, &common_.error));
    if (!ok || !told || record.limit != 0 || !count.is_whole()) return;
    const std::string begin =
        "{\"prompt_tokens\":" + std::to_string(count.Read().prompt_tokens) + ",";
    if (json.compare(0, begin.size(), begin) != 0) std::abort();
  }

  void NewMeter(const AbiCall& call) {
    constexpr std::string_view kCodings[] = {"", "gzip", "deflate", "br", "zstd", "x"};
    const std::string_view type = common_.Text(call.c), coding = kCodings[call.b / 8 % 6];
    weir_stream_meter_options record = {};
    record.dialect = call.b % 7;
    record.operation = call.c / 32;
    record.strip_usage = call.c % 2;
    record.max_event_bytes = call.c % 4 == 3 ? 60 : 0;
    record.content_type = type.data();
    record.content_type_size = call.b < 128 ? 0 : type.size();
    record.content_encoding = coding.data();
    record.content_encoding_size = coding.size();
    record.tokenizer = Tokenizer(call.c);
    const Given<weir_stream_meter_options> options(common_.TakeAge(), record);
    auto* const made = Made<weir_stream_meter>([&](weir_stream_meter** out) {
      return weir_stream_meter_new(call.c == 255 ? nullptr : options.get(), out, &common_.error);
    });
    if (made == nullptr) return;
    meters_.Put(call.a, made);
    ended_[call.a % 3] = false;
  }

  void Feed(const AbiCall& call) {
    const std::string_view bytes = common_.Text(call.b);
    weir_stream_meter* const meter = meters_[call.a];
    const bool feeds = call.c % 4 != 0;
    const weir_status status =
        feeds          ? weir_stream_meter_feed(meter, bytes.data(), bytes.size(), &common_.error)
        : call.c < 128 ? weir_stream_meter_end(meter, &common_.error)
                       : weir_stream_meter_client_left(meter, &common_.error);
    const bool ok = Checked(status);
    if (meter == nullptr) return;
    bool& ended = ended_[call.a % 4];
    if (ended && feeds && status != WEIR_FAILED_PRECONDITION) std::abort();
    ended = ended || !feeds || !ok;
  }

  void ReadMeter(const AbiCall& call) {
    const weir_stream_meter* const meter = meters_[call.a];
    const char* bytes = nullptr;
    size_t size = 0;
    if (Checked(weir_stream_meter_relay(meter, &bytes, &size))) ReadAll(bytes, size);
    const Taken<weir_usage> usage(common_.TakeAge());
    if (usage.Checked(weir_stream_meter_usage(meter, usage.get(), &common_.error)) &&
        usage.is_whole()) {
      const weir_usage told = usage.Read();
      if (told.provenance < WEIR_PROVENANCE_EXACT || told.provenance > WEIR_PROVENANCE_ESTIMATED ||
          told.stated_prompt < -1 || told.stated_completion < -1 ||
          told.counted_tokens > told.text_bytes + 64) {
        std::abort();
      }
    }
    if (call.c == 0) meters_.Put(call.a, nullptr);
    if (call.c == 1) counters_.Put(call.a, nullptr);
  }

  Common& common_;
  const weir_tokenizer* tokenizers_[3] = {};  // the last stays null
  Slots<weir_token_counter, weir_token_counter_free> counters_;
  Slots<weir_stream_meter, weir_stream_meter_free> meters_;
  Counted counted_[3];
  bool ended_[3] = {};
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_COUNTING_H_
