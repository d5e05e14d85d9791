// Which member a request belongs to: by its session, and by what its prompt begins with.

#include <array>

#include "base/text.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

// The value of a cookie among those of the request; empty when there is none.
std::string_view CookieOf(const HeaderList& headers, std::string_view name) {
  for (const HeaderList::Entry& entry : headers.entries()) {
    if (entry.name != "cookie") continue;
    std::string_view rest = entry.value;
    while (!rest.empty()) {
      const std::string_view pair = TrimSpace(rest.substr(0, rest.find(';')));
      rest.remove_prefix(std::min(rest.find(';'), rest.size() - 1) + 1);
      const size_t equals = pair.find('=');
      if (equals != pair.npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    }
  }
  return {};
}

// The first "id" of an answer, JSON or events: that of the whole. Empty when there is none yet.
std::string_view FirstId(std::string_view answer) {
  constexpr std::string_view kKey = "\"id\"";
  const size_t key = answer.find(kKey);
  if (key == answer.npos) return {};
  std::string_view rest = answer.substr(key + kKey.size());
  const size_t colon = rest.find_first_not_of(" \t\r\n");
  if (colon == rest.npos || rest[colon] != ':') return {};
  rest.remove_prefix(colon + 1);
  const size_t quote = rest.find_first_not_of(" \t\r\n");
  if (quote == rest.npos || rest[quote] != '"') return {};
  rest.remove_prefix(quote + 1);
  const size_t end = rest.find_first_of("\"\\");
  return end == rest.npos || rest[end] != '"' ? std::string_view() : rest.substr(0, end);
}

constexpr size_t kIdDigits = 16;

std::string IdText(uint64_t id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(kIdDigits, '0');
  for (size_t i = kIdDigits; i-- > 0; id >>= 4) text[i] = kDigits[id & 15];
  return text;
}

std::optional<uint64_t> IdFrom(std::string_view text) {
  if (text.size() != kIdDigits) return std::nullopt;
  uint64_t id = 0;
  for (char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f')) return std::nullopt;
    id = id << 4 | static_cast<uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace

// What a hash pool goes by. A request without the key goes anywhere.
uint64_t TransactionImpl::BalanceHash() const {
  if (pool().strategy != balance::Strategy::kHash) return 0;
  if (pool().hash_key == nullptr && prefix_hash_ != 0) return prefix_hash_;
  if (pool().hash_key != nullptr) {
    const RequestEnvironment environment(request_);
    std::string scratch;
    const auto key = pool().hash_key->EvalString(environment, &scratch);
    if (key) return balance::StableHash(*key);
  }
  return balance::StableHash(std::to_string(now_.mono_ns));
}

std::optional<std::string> TransactionImpl::SessionKey() const {
  if (pool().affinity.key == nullptr) return std::nullopt;
  const RequestEnvironment environment(request_);
  std::string scratch;
  const auto key = pool().affinity.key->EvalString(environment, &scratch);
  if (!key || key->empty()) return std::nullopt;
  return Concat({pool().name, std::string_view("\0", 1), *key});
}

// The member that the request's session has, or -1.
int TransactionImpl::PreferredMember() const {
  const balance::Pool& balancer = *generation_->pools[pool_];
  if (!pool().affinity.cookie.empty()) {
    const auto id = IdFrom(CookieOf(request_.headers, pool().affinity.cookie));
    return id ? balancer.FindMember(*id) : -1;
  }
  const std::optional<std::string> key = SessionKey();
  const auto id = key ? generation_->sessions->Find(*key, now_) : std::nullopt;
  return id ? balancer.FindMember(*id) : -1;
}

// An answer is taken from the attempt's member: the session is its from now on.
void TransactionImpl::KeepSession() {
  const policy::SessionAffinity& affinity = pool().affinity;
  const uint64_t id = generation_->pools[pool_]->MemberId(static_cast<int>(attempt().member));
  if (!affinity.cookie.empty() && preferred_ != static_cast<int>(attempt().member)) {
    AddEdit({HeaderEdit::Operation::kAdd, "set-cookie",
             Concat({affinity.cookie, "=", IdText(id), "; Path=/; HttpOnly"})});
  }
  if (const std::optional<std::string> key = SessionKey()) {
    generation_->sessions->Set(*key, id, affinity.ttl_ns, now_);
  }
}

// The same for what the answer is called, which stands near its beginning.
void TransactionImpl::LearnId(std::string_view bytes) {
  constexpr size_t kMostBytes = 4096;
  if (!pool().affinity.learns_ids || has_learned_id_) return;
  answer_begin_ += bytes.substr(0, kMostBytes - answer_begin_.size());
  const std::string_view id = FirstId(answer_begin_);
  has_learned_id_ = !id.empty() || answer_begin_.size() == kMostBytes;
  if (id.empty()) return;
  generation_->sessions->Set(
      Concat({pool().name, std::string_view("\0", 1), id}),
      generation_->pools[pool_]->MemberId(static_cast<int>(attempt().member)),
      pool().affinity.ttl_ns, now_);
}

}  // namespace weir::engine
