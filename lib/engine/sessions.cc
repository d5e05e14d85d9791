#include "engine/sessions.h"

#include "base/hash.h"
#include "base/saturating.h"

namespace weir::engine {
namespace {

constexpr uint32_t kMaxSessions = 16384;
// An end further away than any policy allows is of a clock that ran before this one.
constexpr int64_t kLongestNs = 30 * kDay;

bool IsOver(int64_t ends_ns, int64_t now_ns) {
  return ends_ns <= now_ns || ends_ns > SaturatingAdd(now_ns, kLongestNs);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::Create(state::Segment* segment) {
  auto table = state::Table<Session>::Open(segment, "sessions", kMaxSessions);
  if (!table.ok()) return table.status();
  return std::unique_ptr<Sessions>(new Sessions(segment->seed(), *table));
}

std::optional<uint64_t> Sessions::Find(std::string_view key, Now now) const {
  const Hash128 hash = SipHash(seed_, key);
  const auto slot = table_.Find(hash);
  if (!slot || !table_.Lock(*slot, hash)) return std::nullopt;
  const Session session = table_.at(*slot);
  table_.Unlock(*slot);
  return IsOver(session.ends_ns, now.mono_ns) ? std::nullopt : std::optional(session.member);
}

void Sessions::Set(std::string_view key, uint64_t member, int64_t ttl_ns, Now now) {
  const Hash128 hash = SipHash(seed_, key);
  const auto slot = table_.FindOrClaim(
      hash, [&](const Session& session) { return IsOver(session.ends_ns, now.mono_ns); });
  if (!slot || !table_.Lock(*slot, hash)) return;
  Session& session = table_.at(*slot);
  // Whoever dies in between leaves a session that is over, or one that goes on.
  session.ends_ns = session.member == member ? session.ends_ns : 0;
  session.member = member;
  session.ends_ns = SaturatingAdd(now.mono_ns, std::min(ttl_ns, kLongestNs));
  table_.Unlock(*slot);
}

}  // namespace weir::engine
