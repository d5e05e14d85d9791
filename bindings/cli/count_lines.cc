// weir count --jsonl: each line of a data set, as it is, with its count.

#include <algorithm>
#include <iostream>
#include <map>

#include "console.h"
#include "count.h"
#include "input.h"
#include "json.h"

namespace weir::cli {
namespace {

constexpr size_t kWriteBytes = size_t{256} << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Why a line is not counted; empty: it is.
using Reason = std::string;

// A piece of a line that is replaced, or put in where begin == end.
struct Edit {
  size_t begin = 0, end = 0;
  std::string text;
};

class LineCounter {
 public:
  explicit LineCounter(const CountJob& job) : job_(job) {}

  // Appends the line with its count to `out`.
  Reason Count(std::string_view line, std::string* out) {
    JsonFault fault;
    if (!ScanJson(line, '{', &members_, &fault)) {
      return Concat({"not a line of JSON: column ", std::to_string(fault.at + 1), ": ", fault.why});
    }
    for (const std::string_view key : {"text", "encoding", "model", "count", "ids"}) {
      const auto is_it = [&](const JsonMember& member) { return member.key == key; };
      if (std::count_if(members_.begin(), members_.end(), is_it) > 1) {
        return Concat({"\"", key, "\" stands there twice"});
      }
    }
    const JsonMember* text = FindMember(members_, "text");
    if (text == nullptr) {
      return R"("text" is missing; a line is {"encoding": "o200k_base", "text": "..."})";
    }
    if (line[text->begin] != '"') return "\"text\" is not a string";
    const weir_tokenizer* tokenizer = nullptr;
    if (Reason reason = Choose(line, &tokenizer); !reason.empty()) return reason;
    return Write(line, JsonText(text->In(line)), tokenizer, out);
  }

 private:
  Reason Choose(std::string_view line, const weir_tokenizer** tokenizer) {
    for (const std::string_view key : {"encoding", "model"}) {
      const JsonMember* member = FindMember(members_, key);
      if (member == nullptr || member->In(line) == "null") continue;
      if (line[member->begin] != '"') return Concat({"\"", key, "\" is not a string"});
      return Find(key, JsonText(member->In(line)), tokenizer);
    }
    *tokenizer = job_.tokenizer.get();
    if (*tokenizer != nullptr) return {};
    return "neither \"encoding\" nor \"model\"; add one, or name one for such lines with "
           "--encoding or --model";
  }

  Reason Find(std::string_view key, const std::string& name, const weir_tokenizer** tokenizer) {
    const auto [found, is_new] = known_.try_emplace(name, nullptr);
    Error error;
    if (is_new) weir_tokenizer_find(name.data(), name.size(), &found->second, &error);
    *tokenizer = found->second;
    if (*tokenizer != nullptr) return {};
    known_.erase(found);  // so that each line has its reason
    return Concat({"\"", key, "\": ", error.message,
                   key == "model" ? "; put the model's encoding into \"encoding\"" : ""});
  }

  Reason Write(std::string_view line, const std::string& text, const weir_tokenizer* tokenizer,
               std::string* out) {
    uint64_t count = 0;
    const bool with_ids = job_.line.Has("--ids");
    if (with_ids || job_.line.Has("--special")) {
      if (!EncodeText(job_, tokenizer, "count", text, &ids_)) return "it could not be encoded";
      count = ids_.size();
    } else {
      Error error;
      if (weir_tokenizer_count(tokenizer, text.data(), text.size(), &count, &error) != WEIR_OK) {
        return error.message;
      }
    }
    std::vector<Edit> edits = {Set("count", std::to_string(count))};
    if (with_ids) edits.push_back(Set("ids", Concat({"[", Joined(ids_, ","), "]"})));
    std::stable_sort(edits.begin(), edits.end(),
                     [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    size_t done = 0;
    for (const Edit& edit : edits) {
      out->append(line.substr(done, edit.begin - done)).append(edit.text);
      done = edit.end;
    }
    out->append(line.substr(done));
    return {};
  }

  // The member put where it is, or behind the last one.
  Edit Set(std::string_view key, std::string value) const {
    const JsonMember* member = FindMember(members_, key);
    if (member != nullptr) return {member->begin, member->end, std::move(value)};
    const size_t end = members_.back().end;
    return {end, end, Concat({",\"", key, "\":", value})};
  }

  const CountJob& job_;
  std::map<std::string, const weir_tokenizer*> known_;
  std::vector<JsonMember> members_;
  std::vector<uint32_t> ids_;
};

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

int CountFile(const CountJob& job, const std::string& path) {
  std::optional<Input> input = Input::Open(path);
  if (!input) return kFaulty;
  LineReader reader(std::move(*input));
  LineCounter counter(job);
  uint64_t number = 0, refused = 0;
  std::string out;
  std::string_view line;
  LineReader::Result result;
  while ((result = reader.Next(&line)) == LineReader::Result::kLine ||
         result == LineReader::Result::kTooLong) {
    ++number;
    Reason reason;
    if (number == 1 && line.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      out.append(kByteOrderMark);
      line.remove_prefix(kByteOrderMark.size());
    }
    if (result == LineReader::Result::kTooLong) {
      reason = "longer than 256 MiB, the most that a line may have";
    } else if (IsBlank(line)) {
      out.append(line);
    } else {
      const size_t end = line.find_last_not_of("\r\n") + 1;
      reason = counter.Count(line.substr(0, end), &out);
      if (reason.empty()) out.append(line.substr(end));
    }
    if (!reason.empty()) {
      ++refused;
      Complain({"count: ", path, ":", std::to_string(number), ": ", reason});
    }
    if (out.size() >= kWriteBytes) {
      std::cout << out;
      out.clear();
      if (!std::cout) return kFaulty;
    }
  }
  std::cout << out;
  if (refused != 0) {
    Complain({"count: ", path, ": ", std::to_string(refused), " of ",
              std::to_string(number) + " lines were not counted and are left out"});
  }
  return refused != 0 || result == LineReader::Result::kFailed ? kFaulty : kDone;
}

}  // namespace

int CountLines(const CountJob& job) {
  std::vector<std::string> paths;
  for (const Argument& argument : job.line.arguments()) {
    if (argument.option.empty()) paths.push_back(argument.value);
  }
  if (paths.empty()) paths.emplace_back("-");
  int code = kDone;
  for (const std::string& path : paths) code = std::max(code, CountFile(job, path));
  return code;
}

}  // namespace weir::cli
