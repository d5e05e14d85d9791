// The reader of JSON: one pass over the source, a loop over what is open.
//
// UTF-8 is validated beforehand, so that all that is left to look for in strings is where they stop
// being plain text. Each key of an object marks one of 256 bits by its size and outermost bytes;
// only where a bit is marked twice are the keys compared.

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/json_stops.h"
#include "base/text.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

constexpr size_t kMostBytes = UINT32_MAX - 16;  // offsets and counts fit in 32 bits

constexpr std::string_view kNoValue = "expected a value";

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// What the character after a backslash stands for; 0: it is no such escape.
constexpr std::array<char, 256> MakeEscapes() {
  std::array<char, 256> escapes = {};
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['/'] = '/';
  escapes['b'] = '\b';
  escapes['f'] = '\f';
  escapes['n'] = '\n';
  escapes['r'] = '\r';
  escapes['t'] = '\t';
  return escapes;
}
constexpr std::array<char, 256> kEscapes = MakeEscapes();

// The number that four hexadecimal digits write; -1 if that is not what they are.
int32_t Hex4(std::string_view digits) {
  if (digits.size() < 4) return -1;
  int32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    const char c = digits[i];
    const char lower = static_cast<char>(c | 0x20);
    if (IsDigit(c)) {
      number = number * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      number = number * 16 + (lower - 'a' + 10);
    } else {
      return -1;
    }
  }
  return number;
}

char* EncodeUtf8(uint32_t code_point, char* to) {
  const auto last6 = [](uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code_point < 0x80) {
    *to++ = static_cast<char>(code_point);
    return to;
  }
  if (code_point < 0x800) {
    *to++ = static_cast<char>(0xC0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      *to++ = static_cast<char>(0xE0 | code_point >> 12);
    } else {
      *to++ = static_cast<char>(0xF0 | code_point >> 18);
      *to++ = last6(code_point >> 12);
    }
    *to++ = last6(code_point >> 6);
  }
  *to++ = last6(code_point);
  return to;
}

// Copies [from, until) to `to`, which has room for kCopyBytes more. Runs between escapes are short:
// a block too much is quicker than a length that varies.
constexpr size_t kCopyBytes = 32;
char* CopyRun(const char* from, const char* until, const char* source_end, char* to) {
  while (from < until && static_cast<size_t>(source_end - from) >= kCopyBytes) {
    std::memcpy(to, from, kCopyBytes);
    const size_t copied = std::min<size_t>(kCopyBytes, static_cast<size_t>(until - from));
    from += copied;
    to += copied;
  }
  const size_t left = static_cast<size_t>(until - from);
  if (left != 0) std::memcpy(to, from, left);
  return to + left;
}

// A number below 256; that of equal keys is equal.
size_t KeyMark(std::string_view key) {
  if (key.empty()) return 0;
  const uint32_t mixed = static_cast<unsigned char>(key.front()) |
                         static_cast<uint32_t>(static_cast<unsigned char>(key.back())) << 8 |
                         static_cast<uint32_t>(key.size()) << 16;
  return mixed * 0x9E3779B1u >> 24;
}

// Every step reads from an offset on and returns the offset after; kFailed when it has failed.
class Parser {
 public:
  Parser(std::string_view source, const ParseOptions& options, RecycledVector<Node>* nodes,
         DecodedStrings* decoded, ParseError* error)
      : text_(source.data()),
        size_(source.size()),
        options_(options),
        nodes_(*nodes),
        decoded_(*decoded),
        error_(*error),
        stops_(source) {}

  bool Run();

 private:
  static constexpr size_t kFailed = std::string_view::npos;

  struct Open {
    uint32_t node;
    uint32_t count;
    bool is_object;
    bool compare_keys;  // two of them have the same mark
    std::array<uint64_t, 4> key_marks;
  };

  // The end of the source reads as a NUL: neither is part of any JSON text.
  char Peek(size_t at) const { return at < size_ ? text_[at] : '\0'; }

  // Behind blanks, and comments where these are allowed.
  size_t SkipBlanks(size_t at) {
    constexpr uint64_t kBlankOrSlash = uint64_t{1} << ' ' | uint64_t{1} << '\n' |
                                       uint64_t{1} << '\r' | uint64_t{1} << '\t' |
                                       uint64_t{1} << '/';
    const auto c = static_cast<unsigned char>(Peek(at));
    return c < 64 && (kBlankOrSlash >> c & 1) != 0 ? SkipManyBlanks(at) : at;
  }
  size_t SkipManyBlanks(size_t at);
  size_t SkipComment(size_t at);

  size_t ReadItem(size_t at);    // of the innermost array or object, or its end
  size_t ReadMember(size_t at);  // from its key on
  size_t ReadValue(size_t at);
  size_t ReadLiteral(size_t at, std::string_view word);
  size_t ReadNumber(size_t at);
  // The text, decoded, goes to *text.
  size_t ReadString(size_t begin, std::string_view* text) {
    const size_t stop = stops_.Next(begin + 1);
    if (Peek(stop) != '"') return DecodeString(begin, stop, text);
    *text = {text_ + begin + 1, stop - begin - 1};
    Append(begin, text->size(), 0, stop + 1 - begin);
    return stop + 1;
  }
  size_t DecodeString(size_t begin, size_t stop, std::string_view* text);
  size_t DecodeUnicode(size_t at, char** to);
  char* RoomFor(size_t bytes);

  size_t OpenNested(size_t at);
  size_t CloseNested(size_t at);
  bool KeysAreUnique(uint32_t object);

  void Append(size_t begin, size_t size, size_t link, size_t extent) {
    nodes_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(size),
                      static_cast<uint32_t>(link), static_cast<uint32_t>(extent)});
  }
  [[gnu::noinline, gnu::cold]] size_t Fail(std::string_view message, size_t offset) {
    error_ = {offset, std::string(message)};
    return kFailed;
  }

  const char* const text_;
  const size_t size_;
  const ParseOptions options_;
  RecycledVector<Node>& nodes_;
  DecodedStrings& decoded_;
  ParseError& error_;
  Stops stops_;
  size_t decoded_size_ = 0;
  uint32_t depth_ = 0;
  std::array<Open, kMaxDepth> open_;
};

bool Parser::Run() {
  size_t at = SkipBlanks(0);
  if (at == kFailed) return false;
  constexpr std::string_view kNothing("\0]},:", 5);
  if (kNothing.find(Peek(at)) != std::string_view::npos) {
    Fail("the document is empty", at);
    return false;
  }
  at = ReadValue(at);
  while (at != kFailed && depth_ != 0) at = ReadItem(at);
  if (at != kFailed) at = SkipBlanks(at);
  if (at == size_) return true;
  if (at != kFailed) Fail("there is more after the end of the document", at);
  return false;
}

size_t Parser::SkipManyBlanks(size_t at) {
  while (true) {
    while (at < size_ && IsBlank(text_[at])) ++at;
    if (Peek(at) != '/' || !options_.relaxed) return at;
    at = SkipComment(at);
    if (at == kFailed) return kFailed;
  }
}

size_t Parser::SkipComment(size_t at) {
  const char second = Peek(at + 1);
  at += 2;
  if (second == '/') {
    while (Peek(at) != '\0' && text_[at] != '\n') ++at;
    return at;
  }
  if (second != '*') return Fail("expected a comment after '/'", at - 1);
  while (Peek(at) != '\0' && (text_[at] != '*' || Peek(at + 1) != '/')) ++at;
  return Peek(at) == '\0' ? Fail("the comment has no end", at) : at + 2;
}

size_t Parser::ReadItem(size_t at) {
  at = SkipBlanks(at);
  if (at == kFailed) return kFailed;
  Open& open = open_[depth_ - 1];
  const char close = open.is_object ? '}' : ']';
  if (Peek(at) == close) return CloseNested(at);
  if (open.count != 0) {
    if (Peek(at) != ',') {
      return Fail(open.is_object ? "expected ',' or '}' after a member"
                                 : "expected ',' or ']' after an element",
                  at);
    }
    at = SkipBlanks(at + 1);
    if (at == kFailed) return kFailed;
    if (options_.relaxed && Peek(at) == close) return CloseNested(at);
  }
  ++open.count;
  return open.is_object ? ReadMember(at) : ReadValue(at);
}

size_t Parser::ReadMember(size_t at) {
  if (Peek(at) != '"') return Fail("expected a key in double quotes", at);
  std::string_view key;
  at = ReadString(at, &key);
  if (at == kFailed) return kFailed;
  const size_t mark = KeyMark(key);
  Open& open = open_[depth_ - 1];
  uint64_t& marks = open.key_marks[mark / 64];
  open.compare_keys |= (marks >> mark % 64 & 1) != 0;
  marks |= uint64_t{1} << mark % 64;
  at = SkipBlanks(at);
  if (at == kFailed) return kFailed;
  if (Peek(at) != ':') return Fail("expected ':' after the key", at);
  at = SkipBlanks(at + 1);
  return at == kFailed ? kFailed : ReadValue(at);
}

size_t Parser::ReadValue(size_t at) {
  switch (Peek(at)) {
    case '"': {
      std::string_view text;
      return ReadString(at, &text);
    }
    case '{':
    case '[':
      return OpenNested(at);
    case 't':
      return ReadLiteral(at, "true");
    case 'f':
      return ReadLiteral(at, "false");
    case 'n':
      return ReadLiteral(at, "null");
    default:
      return ReadNumber(at);
  }
}

size_t Parser::ReadLiteral(size_t at, std::string_view word) {
  for (size_t i = 1; i < word.size(); ++i) {
    if (Peek(at + i) != word[i]) return Fail(kNoValue, at + i);
  }
  Append(at, word.size(), 0, 0);
  return at + word.size();
}

size_t Parser::ReadNumber(size_t begin) {
  size_t at = begin;
  const auto skip_digits = [&] {
    const size_t first = at;
    while (IsDigit(Peek(at))) ++at;
    return at != first;
  };
  if (Peek(at) == '-') ++at;
  if (Peek(at) == '0') {
    ++at;
  } else if (!skip_digits()) {
    return Fail(kNoValue, at);
  }
  if (Peek(at) == '.') {
    ++at;
    if (!skip_digits()) return Fail("expected a digit after the decimal point", at);
  }
  if (Peek(at) == 'e' || Peek(at) == 'E') {
    ++at;
    if (Peek(at) == '+' || Peek(at) == '-') ++at;
    if (!skip_digits()) return Fail("expected a digit in the exponent", at);
  }
  Append(begin, at - begin, 0, 0);
  return at;
}

size_t Parser::DecodeString(size_t begin, size_t stop, std::string_view* text) {
  char* const decoded = RoomFor(size_ - begin);
  const char* const source = text_;  // what is written could be the parser's, as far as one can see
  const size_t size = size_;
  char* to = decoded;
  size_t at = begin + 1;  // everything before is decoded
  while (true) {
    to = CopyRun(source + at, source + stop, source + size, to);
    at = stop;
    const char c = at < size ? source[at] : '\0';
    const char escape = at + 1 < size ? source[at + 1] : '\0';
    const char plain = kEscapes[static_cast<unsigned char>(escape)];
    if (c == '\\' && plain != 0) {
      *to++ = plain;
      at += 2;
    } else if (c == '"') {
      break;
    } else if (c == '\0') {
      return Fail("the string has no closing quote", at);
    } else if (c != '\\') {
      return Fail("a control character in a string", at);
    } else if (escape != 'u') {
      return Fail("the escape is none that JSON has", at);
    } else {
      at = DecodeUnicode(at, &to);
      if (at == kFailed) return kFailed;
    }
    stop = stops_.Next(at);
  }
  *text = {decoded, static_cast<size_t>(to - decoded)};
  Append(begin, text->size(), decoded_size_, at + 1 - begin);
  decoded_size_ += text->size();
  return at + 1;
}

size_t Parser::DecodeUnicode(size_t at, char** to) {
  const std::string_view source(text_ + at, size_ - at);
  constexpr std::string_view kNoDigits = "\\u needs four hexadecimal digits";
  const int32_t first = Hex4(source.substr(2));
  if (first < 0) return Fail(kNoDigits, at);
  if (first < 0xD800 || first > 0xDFFF) {
    *to = EncodeUtf8(static_cast<uint32_t>(first), *to);
    return at + 6;
  }
  constexpr std::string_view kHalf = "half of a surrogate pair";
  if (first > 0xDBFF || source.substr(6, 2) != "\\u") return Fail(kHalf, at);
  const int32_t second = Hex4(source.substr(8));
  if (second < 0) return Fail(kNoDigits, at);
  if (second < 0xDC00 || second > 0xDFFF) return Fail(kHalf, at);
  *to = EncodeUtf8(static_cast<uint32_t>(0x10000 + (first - 0xD800) * 0x400 + (second - 0xDC00)),
                   *to);
  return at + 12;
}

// Where the next string is decoded to. The first time there is room for all that may follow.
char* Parser::RoomFor(size_t bytes) {
  if (decoded_size_ == 0) return decoded_.Room(bytes + kCopyBytes);
  return decoded_.bytes() + decoded_size_;
}

size_t Parser::OpenNested(size_t at) {
  if (depth_ == kMaxDepth) return Fail("nested more than 64 deep", at);
  open_[depth_++] = {static_cast<uint32_t>(nodes_.size()), 0, text_[at] == '{', false, {}};
  Append(at, 0, 0, 0);
  return at + 1;
}

size_t Parser::CloseNested(size_t at) {
  const Open& open = open_[--depth_];
  Node& node = nodes_[open.node];
  node.size = static_cast<uint32_t>(at + 1 - node.begin);
  node.link = static_cast<uint32_t>(nodes_.size());
  node.extent = open.count;
  if (open.compare_keys && !options_.allow_duplicate_keys && !KeysAreUnique(open.node)) {
    return kFailed;
  }
  return at + 1;
}

bool Parser::KeysAreUnique(uint32_t object) {
  constexpr uint32_t kFewKeys = 16;
  RecycledVector<std::pair<std::string_view, uint32_t>> keys;  // with their nodes
  keys.reserve(nodes_[object].extent);
  for (uint32_t i = object + 1; i < nodes_[object].link;) {
    const Node& key = nodes_[i];
    const char* const text =
        key.extent == key.size + 2 ? text_ + key.begin + 1 : decoded_.bytes() + key.link;
    keys.emplace_back(std::string_view(text, key.size), i);
    const Node& value = nodes_[i + 1];
    const bool nested = text_[value.begin] == '{' || text_[value.begin] == '[';
    i = nested ? value.link : i + 2;
  }
  const auto fail = [&](const std::pair<std::string_view, uint32_t>& key) {
    Fail(Concat({"the key \"", key.first, "\" appears twice"}), nodes_[key.second].begin);
    return false;
  };
  if (keys.size() <= kFewKeys) {
    for (size_t i = 1; i < keys.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (keys[i].first == keys[j].first) return fail(keys[i]);
      }
    }
    return true;
  }
  // Sorted, so that no choice of keys makes it slow.
  std::sort(keys.begin(), keys.end());
  for (size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].first == keys[i - 1].first) return fail(keys[i]);
  }
  return true;
}

}  // namespace

bool Document::Parse(std::string_view source, const ParseOptions& options, ParseError* error) {
  if (source.size() >= kMostBytes) return ParseBorrowed(source, options, error);  // refused
  copy_.assign(source.begin(), source.end());
  return ParseBorrowed({copy_.data(), copy_.size()}, options, error);
}

bool Document::ParseBorrowed(std::string_view source, const ParseOptions& options,
                             ParseError* error) {
  // A guess at the values of an ordinary body; a larger one grows as it is filled.
  constexpr size_t kBytesPerNode = 16, kLeastGuessed = 40, kMostGuessed = 4096;

  nodes_.clear();
  source_ = source;
  *error = {};
  if (source.size() >= kMostBytes) {
    *error = {0, "the document is too large"};
  } else if (!IsUtf8(source)) {
    *error = {FindInvalidUtf8(source), "the bytes are not UTF-8"};
  } else {
    nodes_.reserve(std::min(source.size() / kBytesPerNode + kLeastGuessed, kMostGuessed));
    if (Parser(source, options, &nodes_, &decoded_, error).Run()) return true;
  }
  nodes_.clear();
  return false;
}

}  // namespace weir::json
