#include "ledger_record.h"

#include <cstring>

#include "json.h"

namespace weir::cli {
namespace {

constexpr size_t kIdBytes = 32, kTimeBytes = 27;
constexpr std::string_view kBeginning = R"({"weir":1,)";

class Scanner {
 public:
  explicit Scanner(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool AtEnd() const { return at_ == end_; }
  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool Take(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size()) return false;
    if (std::memcmp(at_, text.data(), text.size()) != 0) return false;
    at_ += text.size();
    return true;
  }
  bool Text(std::string_view* text) {
    if (!Take('"')) return false;
    const char* const begin = at_;
    for (; at_ != end_; ++at_) {
      if (*at_ == '"') {
        *text = {begin, static_cast<size_t>(at_ - begin)};
        ++at_;
        return true;
      }
      if (*at_ == '\\' && ++at_ == end_) return false;
    }
    return false;
  }
  bool Number(uint64_t* number) {
    const char* const begin = at_;
    *number = 0;
    for (; at_ != end_ && *at_ >= '0' && *at_ <= '9'; ++at_) {
      *number = *number * 10 + static_cast<uint64_t>(*at_ - '0');
    }
    // 19 digits always fit; of 20, let the full parser say what it is.
    return at_ != begin && at_ - begin < 20;
  }
  bool Number(std::optional<uint64_t>* number) {
    if (Take("null")) return true;
    uint64_t value = 0;
    if (!Number(&value)) return false;
    *number = value;
    return true;
  }
  // Any value; what is inside of brackets is not looked at closely.
  bool Skip() {
    if (at_ == end_) return false;
    std::string_view ignored;
    if (*at_ == '"') return Text(&ignored);
    if (*at_ != '{' && *at_ != '[') {
      const char* const begin = at_;
      while (at_ != end_ && *at_ != ',' && *at_ != '}' && *at_ != ']' && *at_ != '"') ++at_;
      return at_ != begin;
    }
    int depth = 0;
    do {
      if (at_ == end_) return false;
      if (*at_ == '"') {
        if (!Text(&ignored)) return false;
        continue;
      }
      if (*at_ == '{' || *at_ == '[') ++depth;
      if (*at_ == '}' || *at_ == ']') --depth;
      ++at_;
    } while (depth > 0);
    return true;
  }
  // The members of an object: member(key) reads each one's value.
  template <typename Member>
  bool Object(Member&& member) {
    if (!Take('{')) return false;
    if (Take('}')) return true;
    do {
      std::string_view key;
      if (!Text(&key) || !Take(':') || !member(key)) return false;
    } while (Take(','));
    return Take('}');
  }
  template <typename Element>
  bool Array(Element&& element) {
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      if (!element()) return false;
    } while (Take(','));
    return Take(']');
  }

 private:
  const char* at_;
  const char* const end_;
};

bool ReadUsage(Scanner* scanner, LedgerRecord* record) {
  return scanner->Object([&](std::string_view key) {
    if (key == "prompt") return scanner->Number(&record->prompt);
    if (key == "completion") return scanner->Number(&record->completion);
    if (key == "cached") return scanner->Number(&record->cached);
    if (key == "cache_write") return scanner->Number(&record->cache_write);
    if (key == "reasoning") return scanner->Number(&record->reasoning);
    return scanner->Skip();
  });
}

bool ReadCost(Scanner* scanner, LedgerRecord* record) {
  record->has_cost = true;
  return scanner->Object([&](std::string_view key) {
    if (key == "micro_usd") return scanner->Number(&record->micro_usd);
    if (key != "price") return scanner->Skip();
    return scanner->Object([&](std::string_view part) {
      if (part == "model") return scanner->Text(&record->price_model);
      if (part == "source") return scanner->Text(&record->price_source);
      return scanner->Skip();
    });
  });
}

bool ReadCache(Scanner* scanner, LedgerRecord* record) {
  return scanner->Object([&](std::string_view key) {
    if (key == "result") return scanner->Text(&record->cache_result);
    if (key == "saved_prompt") return scanner->Number(&record->saved_prompt);
    if (key == "saved_completion") return scanner->Number(&record->saved_completion);
    if (key == "saved_micro_usd") return scanner->Number(&record->saved_micro_usd);
    return scanner->Skip();
  });
}

bool ReadLatency(Scanner* scanner, LedgerRecord* record) {
  return scanner->Object([&](std::string_view key) {
    if (key == "total_us") return scanner->Number(&record->total_us);
    if (key == "wait_us") return scanner->Number(&record->wait_us);
    if (key == "first_byte_us") return scanner->Number(&record->first_byte_us);
    return scanner->Skip();
  });
}

bool ReadAttempts(Scanner* scanner, LedgerRecord* record) {
  return scanner->Array([&] {
    ++record->attempts;
    LedgerRecord::Utilization told;
    std::optional<uint64_t> percent;
    const bool sound = scanner->Object([&](std::string_view key) {
      if (key == "backend") return scanner->Text(&told.backend);
      if (key == "utilization") return scanner->Number(&percent);
      return scanner->Skip();
    });
    if (percent) {
      told.percent = *percent;
      record->utilizations.push_back(told);
    }
    return sound;
  });
}

bool ReadLimits(Scanner* scanner, LedgerRecord* record) {
  return scanner->Array([&] {
    std::string_view limit;
    bool admitted = true, shadow = false;
    const bool sound = scanner->Object([&](std::string_view key) {
      if (key == "limit") return scanner->Text(&limit);
      if (key == "admitted" && scanner->Take("false")) {
        admitted = false;
        return true;
      }
      if (key == "shadow" && scanner->Take("true")) {
        shadow = true;
        return true;
      }
      return scanner->Skip();
    });
    if (!admitted && !shadow && record->refusing_limit.empty()) record->refusing_limit = limit;
    return sound;
  });
}

bool ReadMember(std::string_view key, Scanner* scanner, LedgerRecord* record) {
  if (key == "consumer") return scanner->Text(&record->consumer);
  if (key == "route") return scanner->Text(&record->route);
  if (key == "operation") return scanner->Text(&record->operation);
  if (key == "model") return scanner->Text(&record->model);
  if (key == "served") return scanner->Text(&record->served);
  if (key == "backend") return scanner->Text(&record->backend);
  if (key == "status") return scanner->Number(&record->status);
  if (key == "outcome") return scanner->Text(&record->outcome);
  if (key == "usage") return ReadUsage(scanner, record);
  if (key == "cost") return ReadCost(scanner, record);
  if (key == "cache") return ReadCache(scanner, record);
  if (key == "latency") return ReadLatency(scanner, record);
  if (key == "attempts") return ReadAttempts(scanner, record);
  if (key == "limits") return ReadLimits(scanner, record);
  if (key == "dimensions") {
    return scanner->Object([&](std::string_view name) {
      LedgerRecord::Dimension dimension{name, {}};
      if (!scanner->Text(&dimension.value)) return false;
      record->dimensions.push_back(dimension);
      return true;
    });
  }
  if (key == "id") return scanner->Text(&record->id);
  if (key == "time") return scanner->Text(&record->time);
  return scanner->Skip();
}

void Reset(LedgerRecord* record) {
  std::vector<LedgerRecord::Utilization> utilizations = std::move(record->utilizations);
  std::vector<LedgerRecord::Dimension> dimensions = std::move(record->dimensions);
  utilizations.clear();
  dimensions.clear();
  *record = LedgerRecord();
  record->utilizations = std::move(utilizations);
  record->dimensions = std::move(dimensions);
}

}  // namespace

bool ReadRecord(std::string_view line, LedgerRecord* record) {
  Reset(record);
  Scanner scanner(line);
  if (line.substr(0, kBeginning.size()) != kBeginning) return false;
  const bool sound =
      scanner.Object([&](std::string_view key) { return ReadMember(key, &scanner, record); });
  return sound && scanner.AtEnd() && record->id.size() == kIdBytes &&
         record->time.size() == kTimeBytes;
}

std::string Compacted(std::string_view line) {
  std::vector<JsonMember> members;
  JsonFault fault;
  if (!ScanJson(line, '{', &members, &fault)) return {};
  std::string compact;
  bool in_text = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!in_text && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) continue;
    compact += c;
    if (in_text && c == '\\' && i + 1 < line.size()) {
      compact += line[++i];
    } else if (c == '"') {
      in_text = !in_text;
    }
  }
  return compact;
}

size_t FindLedgerLine(std::string_view line, size_t from) { return line.find(kBeginning, from); }

}  // namespace weir::cli
