#include "breaker/events.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace weir::breaker {
namespace {

Change ChangeOf(uint64_t number, const EventBody& body) {
  Change change;
  change.number = number;
  change.event = static_cast<Event>(body.event);
  change.mono_ns = body.mono_ns;
  change.unix_ns = body.unix_ns;
  change.key.assign(body.key, std::min<size_t>(body.key_bytes, sizeof(body.key)));
  change.key_id = KeyId({body.key_hi, body.key_lo});
  change.trip.rule.assign(body.rule, std::min<size_t>(body.rule_bytes, sizeof(body.rule)));
  change.trip.status = body.status;
  change.trip.failure = static_cast<Failure>(body.failure);
  change.trip.asked = body.asked != 0;
  change.trip.open_until_mono_ns = body.open_until_ns;
  change.trip.number = body.trips;
  return change;
}

}  // namespace

absl::StatusOr<EventRing> EventRing::Open(state::Segment* segment) {
  auto region = segment->Region("breaker.events", sizeof(Memory));
  if (!region.ok()) return region.status();
  return EventRing(static_cast<Memory*>(*region), &segment->identity());
}

void EventRing::Append(Event event, Hash128 key, const CircuitData& circuit, Now now) const {
  EventBody body = {};
  body.mono_ns = now.mono_ns;
  body.unix_ns = now.unix_ns;
  body.open_until_ns = circuit.open_until_ns;
  body.key_hi = key.hi;
  body.key_lo = key.lo;
  body.trips = circuit.trips;
  body.status = circuit.status;
  body.failure = circuit.failure;
  body.asked = circuit.asked;
  body.event = static_cast<uint8_t>(event);
  body.rule_bytes = circuit.rule_bytes;
  body.key_bytes = circuit.key_bytes;
  std::memcpy(body.key, circuit.key, sizeof(body.key));
  std::memcpy(body.rule, circuit.rule, sizeof(body.rule));
  std::array<uint64_t, kWords> words;
  std::memcpy(words.data(), &body, sizeof(body));

  const state::LockHolder lock(memory_->lock, *identity_);
  const uint64_t number = memory_->last.load(std::memory_order_relaxed) + 1;
  Record& record = memory_->records[number % kMaxEvents];
  record.ended.store(0, std::memory_order_relaxed);
  record.begun.store(0, std::memory_order_relaxed);
  for (size_t i = 0; i < kWords; ++i) {
    // Release: who sees a new word sees that the old number is gone.
    record.words[i].store(words[i], std::memory_order_release);
  }
  record.begun.store(number, std::memory_order_release);
  record.ended.store(number, std::memory_order_release);
  memory_->last.store(number, std::memory_order_release);
}

bool EventRing::Copy(uint64_t number, EventBody* body) const {
  const Record& record = memory_->records[number % kMaxEvents];
  if (record.ended.load(std::memory_order_acquire) != number) return false;
  std::array<uint64_t, kWords> words;
  for (size_t i = 0; i < kWords; ++i) words[i] = record.words[i].load(std::memory_order_acquire);
  if (record.begun.load(std::memory_order_acquire) != number) return false;
  std::memcpy(body, words.data(), sizeof(*body));
  return true;
}

ChangesRead EventRing::Read(uint64_t since, std::vector<Change>* changes) const {
  ChangesRead read;
  read.last = memory_->last.load(std::memory_order_acquire);
  if (since > read.last) since = 0;
  uint64_t number = since + 1;
  if (read.last >= kMaxEvents) {
    const uint64_t oldest = read.last - kMaxEvents + 1;
    if (number < oldest) {
      read.lost = oldest - number;
      number = oldest;
    }
  }
  for (; number <= read.last; ++number) {
    EventBody body;
    if (Copy(number, &body)) {
      changes->push_back(ChangeOf(number, body));
    } else {
      ++read.lost;  // overwritten while this was read
    }
  }
  return read;
}

Trip TripOf(const CircuitData& circuit) {
  Trip trip;
  trip.rule.assign(circuit.rule, std::min<size_t>(circuit.rule_bytes, sizeof(circuit.rule)));
  trip.status = circuit.status;
  trip.failure = static_cast<Failure>(circuit.failure);
  trip.asked = circuit.asked != 0;
  trip.open_until_mono_ns = circuit.open_until_ns;
  trip.number = circuit.trips;
  return trip;
}

std::string KeyId(Hash128 key) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t half : {key.hi, key.lo}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[half >> shift & 15];
  }
  return text;
}

}  // namespace weir::breaker
