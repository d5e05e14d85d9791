#include "ledger/escape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "weir/ledger.h"

namespace weir::ledger {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

constexpr uint64_t Each(unsigned char byte) { return 0x0101010101010101u * byte; }
constexpr uint64_t kHighBits = 0x8080808080808080u;

// The high bit of each byte that is 0. The bytes above a zero may be told too: what is asked is
// whether there is any.
constexpr uint64_t Zeros(uint64_t word) { return (word - Each(1)) & ~word & kHighBits; }

// Whether each of eight bytes is printable ASCII, neither quote nor backslash.
constexpr bool ArePlain(uint64_t word) {
  const uint64_t controls = (word - Each(0x20)) & ~word;
  const uint64_t others =
      Zeros(word ^ Each('"')) | Zeros(word ^ Each('\\')) | Zeros(word ^ Each(0x7F));
  return ((controls | word | others) & kHighBits) == 0;
}

// A character, and how many bytes it has; U+FFFD and 1 where there is none.
struct Character {
  uint32_t code = kReplacement;
  size_t bytes = 1;
};

Character Decode(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  uint32_t code = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kSmallest[bytes] || code > 0x10FFFF || surrogate) return {};
  return {code, bytes};
}

// Controls, and what is invisible and moves what stands around it.
bool IsSteering(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
         code == 0x061C || code == 0xFEFF;
}

// What the character looks like in the line: at most six bytes, all below U+10000 where escaped.
size_t Spell(Character character, std::string_view bytes, char* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  const uint32_t code = character.code;
  if (code == '"' || code == '\\') {
    out[0] = '\\';
    out[1] = static_cast<char>(code);
    return 2;
  }
  if (IsSteering(code)) {
    const char escaped[] = {'\\',
                            'u',
                            kDigits[code >> 12 & 15],
                            kDigits[code >> 8 & 15],
                            kDigits[code >> 4 & 15],
                            kDigits[code & 15]};
    std::memcpy(out, escaped, sizeof(escaped));
    return sizeof(escaped);
  }
  const std::string_view spelled =
      code == kReplacement ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, character.bytes);
  std::memcpy(out, spelled.data(), spelled.size());
  return spelled.size();
}

char* PutOddText(char* out, std::string_view text, size_t room) {
  while (!text.empty()) {
    const Character character = Decode(text);
    char spelled[8];
    const size_t size = Spell(character, text, spelled);
    if (size > room) break;
    std::memcpy(out, spelled, size);
    out += size;
    room -= size;
    text.remove_prefix(character.bytes);
  }
  return out;
}

}  // namespace

char* PutText(char* out, std::string_view text) {
  *out++ = '"';
  size_t room = kMaxTextBytes;
  while (text.size() >= 8 && room >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    if (!ArePlain(word)) break;
    std::memcpy(out, &word, 8);
    out += 8;
    room -= 8;
    text.remove_prefix(8);
  }
  if (text.size() < 8 && room >= 8) {
    char padded[8];
    std::memset(padded, ' ', sizeof(padded));
    std::copy(text.begin(), text.end(), padded);
    uint64_t word = 0;
    std::memcpy(&word, padded, 8);
    if (ArePlain(word)) {
      std::memcpy(out, &word, 8);
      out += text.size();
      text = {};
    }
  }
  out = PutOddText(out, text, room);
  *out++ = '"';
  return out;
}

}  // namespace weir::ledger
