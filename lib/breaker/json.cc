// Circuits and what happened to them, for people and logs.

#include "base/json.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/saturating.h"
#include "weir/breaker.h"

namespace weir::breaker {
namespace {

using json::Writer;

Writer& OrNull(Writer* writer, std::string_view text) {
  return text.empty() ? writer->Null() : writer->String(text);
}

void WriteTrip(const Trip& trip, Writer* writer) {
  writer->Key("trips").Uint(trip.number).Key("rule");
  if (trip.number == 0) {
    writer->Null().Key("status").Null().Key("failure").Null().Key("asked").Null();
    return;
  }
  writer->String(trip.rule).Key("status").Int(trip.status);
  OrNull(&writer->Key("failure"), FailureName(trip.failure));
  writer->Key("asked").Bool(trip.asked);
}

void WriteSnapshot(const Snapshot& snapshot, Now now, Writer* writer) {
  const auto since_ms = [](int64_t from, int64_t to) {
    return std::max<int64_t>(SaturatingSub(to, from), 0) / kMillisecond;
  };
  OrNull(&writer->BeginObject().Key("key"), snapshot.key);
  writer->Key("key_id").String(snapshot.key_id);
  writer->Key("state").String(StateName(snapshot.state)).Key("state_ms");
  if (snapshot.since_mono_ns == 0) {
    writer->Null();
  } else {
    writer->Int(since_ms(snapshot.since_mono_ns, now.mono_ns));
  }
  writer->Key("left_ms");
  if (snapshot.state == State::kOpen) {
    writer->Int(since_ms(now.mono_ns, snapshot.trip.open_until_mono_ns));
  } else {
    writer->Null();
  }
  WriteTrip(snapshot.trip, writer);
  writer->EndObject();
}

void WriteChange(const Change& change, Writer* writer) {
  writer->BeginObject().Key("number").Uint(change.number);
  writer->Key("event").String(EventName(change.event));
  writer->Key("mono_ns").Int(change.mono_ns).Key("unix_ns").Int(change.unix_ns);
  OrNull(&writer->Key("key"), change.key);
  writer->Key("key_id").String(change.key_id);
  writer->Key("open_until_mono_ns").Int(change.trip.open_until_mono_ns);
  WriteTrip(change.trip, writer);
  writer->EndObject();
}

}  // namespace

std::string CircuitsJson(const Breaker& breaker, Now now) {
  std::string json;
  Writer writer(&json);
  writer.BeginObject().Key("circuits").BeginArray();
  for (const Snapshot& snapshot : breaker.List(now)) WriteSnapshot(snapshot, now, &writer);
  writer.EndArray().EndObject();
  return json;
}

std::string ChangesJson(const Breaker& breaker, uint64_t since) {
  std::vector<Change> changes;
  const ChangesRead read = breaker.Changes(since, &changes);
  std::string json;
  Writer writer(&json);
  writer.BeginObject().Key("last").Uint(read.last).Key("lost").Uint(read.lost);
  writer.Key("changes").BeginArray();
  for (const Change& change : changes) WriteChange(change, &writer);
  writer.EndArray().EndObject();
  return json;
}

}  // namespace weir::breaker
