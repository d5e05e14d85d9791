// A part of fz_abi_alone: caches and their entries, and texts compared.

#ifndef WEIR_TESTS_FUZZ_ALONE_CACHE_H_
#define WEIR_TESTS_FUZZ_ALONE_CACHE_H_

#include <string>

#include "tests/fuzz/abi_structs.h"
#include "tests/fuzz/alone_common.h"

namespace weir::fuzz {

class CachePart {
 public:
  explicit CachePart(Common* common) : common_(*common) {}

  void Do(const AbiCall& call, uint8_t verb) {
    switch (verb % 8) {
      case 0:
        return New(call);
      case 1:
      case 2:
        return Insert(call);
      case 3:
      case 4:
        return Lookup(call);
      case 5:
        return End(call);
      case 6:
        return Meaning(call);
      default:
        ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_cache_stats_json(caches_[call.a], buffer, capacity, needed,
                                           &common_.error);
            },
            call.c);
    }
  }

 private:
  static constexpr size_t kDimensions = 8;

  void New(const AbiCall& call) {
    weir_cache_options record = {};
    record.dimensions = call.b % 4 == 3 ? call.b : call.b % 4 == 0 ? 0 : kDimensions;
    record.max_entries = 1 + call.b / 4 % 8;
    record.max_partitions = 1 + call.c % 3;
    record.bytes = call.c == 255 ? 100 : 0;
    record.value_bytes = call.c;
    record.partition_quota = call.c / 16 % 3;
    const Given<weir_cache_options> options(common_.TakeAge(), record);
    auto* const made = Made<weir_cache>([&](weir_cache** out) {
      return weir_cache_new(common_.states[call.c / 4], "fuzz", call.b == 255 ? 0 : 4,
                            options.get(), out, &common_.error);
    });
    if (made != nullptr) caches_.Put(call.a, made);
  }

  // What names an entry, in a query and in an entry.
  template <typename Struct>
  void Name(const AbiCall& call, float* vector, Struct* record) const {
    const std::string_view partition = common_.Text(call.b % 4), key = common_.Text(call.b / 4);
    for (size_t i = 0; i < kDimensions; ++i) {
      vector[i] = static_cast<float>((call.c >> i % 8 & 1) + (i == call.b % 8U ? 2 : 0));
    }
    record->partition = partition.data();
    record->partition_size = partition.size();
    record->key = key.data();
    record->key_size = key.size();
    record->key_hi = call.c;
    record->vector = vector;
    record->vector_size = call.c % 8 == 7 ? 0 : kDimensions - (call.c == 250 ? 1 : 0);
    record->embedder_id = call.c % 16 == 15;
  }

  void Insert(const AbiCall& call) {
    float vector[kDimensions];
    weir_cache_entry record = {};
    Name(call, vector, &record);
    const std::string_view value = common_.Text(call.c);
    record.value = value.data();
    record.value_size = value.size();
    record.ttl_ns = call.a / 4 % 4 * int64_t{1'000'000'000};
    record.model = call.b % 2;
    record.scope = call.c % 2;
    record.worth = call.a / 16 % 5;
    const Given<weir_cache_entry> entry(common_.TakeAge(), record);
    uint64_t id = 0;
    const bool ok =
        Checked(weir_cache_insert(caches_[call.a], entry.get(), &common_.now, &id, &common_.error));
    if (ok != (id != 0)) std::abort();
    if (ok) entries_[call.c % std::size(entries_)] = id;
  }

  void Lookup(const AbiCall& call) {
    float vector[kDimensions];
    weir_cache_query record = {};
    Name(call, vector, &record);
    record.min_similarity = call.a / 4 % 12 * 0.1;
    record.is_probe = call.a / 64;
    record.is_tentative = call.b / 4 % 2;
    record.exclude[call.b / 8 % 4] = entries_[call.c % std::size(entries_)];
    const Given<weir_cache_query> query(common_.TakeAge(), record);
    const Taken<weir_cache_answer> answer(common_.TakeAge());
    char buffer[40];
    const size_t capacity = call.c % 8 == 0 ? call.c / 8 : sizeof(buffer);
    size_t needed = SIZE_MAX;
    const weir_status status = weir_cache_lookup(caches_[call.a], query.get(), &common_.now, buffer,
                                                 capacity, &needed, answer.get(), &common_.error);
    if (status == WEIR_OUT_OF_RANGE && needed <= capacity) std::abort();
    if (!answer.Checked(status)) return;
    if (needed > capacity) std::abort();
    ReadAll(buffer, needed);
    if (!answer.is_whole()) return;
    const weir_cache_answer told = answer.Read();
    if (told.found < WEIR_CACHE_MISS || told.found > WEIR_CACHE_SEMANTIC) std::abort();
    if (told.miss < WEIR_MISS_NONE || told.miss > WEIR_MISS_RACED) std::abort();
    const bool found = told.found != WEIR_CACHE_MISS;
    if (found != (told.miss == WEIR_MISS_NONE) || found != (told.entry != 0)) std::abort();
    if ((!found && needed != 0) || told.age_ns < 0) std::abort();
    if (record.is_tentative == 0) return;
    Checked(weir_cache_confirm(caches_[call.a], answer.get(), call.c % 2, &common_.error));
  }

  void End(const AbiCall& call) {
    weir_cache* const cache = caches_[call.a];
    const uint64_t id = call.c == 255 ? ~uint64_t{0} : entries_[call.c % std::size(entries_)];
    const std::string_view partition = common_.Text(call.b % 4);
    uint64_t removed = 0;
    switch (call.b / 4 % 8) {
      case 0:
      case 1:
        Checked(weir_cache_touch(cache, id, call.b * int64_t{10'000'000}, &common_.now,
                                 &common_.error));
        return;
      case 2:
      case 3:
        if (Checked(weir_cache_remove(cache, id, &common_.error)) &&
            Checked(weir_cache_remove(cache, id, &common_.error))) {
          std::abort();  // once is enough
        }
        return;
      case 4:
        caches_.Put(call.a, nullptr);
        return;
      default:
        Checked(weir_cache_purge(cache, call.c % 6 - 1, partition.data(), partition.size(),
                                 call.c / 6 % 2, &removed, &common_.error));
    }
  }

  void Meaning(const AbiCall& call) {
    const std::string_view asked = common_.Text(call.a), stored = common_.Text(call.b);
    const Taken<weir_meaning_verdict> verdict(common_.TakeAge());
    const bool ok = verdict.Checked(
        weir_meaning_compare(asked.data(), asked.size(), stored.data(), stored.size(),
                             call.c % 2 == 0 ? 0 : call.c * 16U, verdict.get(), &common_.error));
    if (ok && verdict.is_whole()) {
      const weir_meaning_verdict told = verdict.Read();
      if (told.allowed > 1 || (told.allowed == 1) != (told.guard < 0)) std::abort();
      if (told.asked_size > sizeof(told.asked) || told.stored_size > sizeof(told.stored)) {
        std::abort();
      }
      if (asked == stored && told.allowed == 0) std::abort();
    }
    float vector[64];
    Checked(weir_lexical_embed(asked.data(), asked.size(), vector, call.c % 65, &common_.error));
  }

  Common& common_;
  Slots<weir_cache, weir_cache_free> caches_;
  uint64_t entries_[4] = {};
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_CACHE_H_
