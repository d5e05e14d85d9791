// weir count of texts, files and standard input, and back.

#include <sys/stat.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <memory>

#include "console.h"
#include "count.h"
#include "input.h"
#include "json.h"

namespace weir::cli {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;

struct Source {
  bool is_file = false;
  std::string value;  // a path, or the text itself
};

struct Counted {
  uint64_t tokens = 0;
  uint64_t bytes = 0;
  bool fits = true;  // else `tokens` says only that it is more than the limit
  std::vector<uint32_t> ids;
};

bool IsFile(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::vector<Source> SourcesOf(const CountJob& job) {
  std::vector<Source> sources;
  std::string guessed;
  for (const Argument& argument : job.line.arguments()) {
    if (argument.option == "--file") {
      sources.push_back({true, argument.value});
    } else if (argument.option == "--text" || argument.is_literal) {
      sources.push_back({false, argument.value});
    } else if (argument.option.empty()) {
      const bool is_file = argument.value != "-" && IsFile(argument.value);
      if (is_file) guessed += Concat({guessed.empty() ? "" : ", ", argument.value});
      sources.push_back({is_file || argument.value == "-", argument.value});
    }
  }
  if (sources.empty()) sources.push_back({true, "-"});
  if (!guessed.empty()) {
    Complain({"count: read as a file: ", guessed, " (--text counts an argument as it stands)"});
  }
  return sources;
}

// What a source is called in a table and in complaints.
std::string Label(const Source& source) {
  if (source.is_file) return source.value;
  constexpr size_t kMostBytes = 40;
  std::string label;
  size_t cut = std::min(source.value.size(), kMostBytes);
  while (cut < source.value.size() && cut > 0 && (source.value[cut] & 0xC0) == 0x80) --cut;
  AppendJsonString(&label, std::string_view(source.value).substr(0, cut));
  return cut == source.value.size() ? label : Concat({label, "..."});
}

class RunningCount {
 public:
  explicit RunningCount(const CountJob& job) : limit_(job.limit) {
    weir_token_counter* counter = nullptr;
    if (weir_token_counter_new(job.tokenizer.get(), &counter, &error_) == WEIR_OK) {
      counter_.reset(counter);
    }
  }

  // False when that fails, and when it is known that the text does not fit.
  bool Append(std::string_view bytes) {
    bytes_ += bytes.size();
    if (counter_ == nullptr ||
        weir_token_counter_append(counter_.get(), bytes.data(), bytes.size(), &error_) != WEIR_OK) {
      failed_ = true;
      return false;
    }
    // To ask may take as long as to count it all, so it is asked less and less often.
    if (!limit_ || bytes_ < ask_at_) return true;
    ask_at_ = 2 * bytes_;
    return Ask() && tokens_ <= *limit_;
  }

  bool Finish(Counted* counted) {
    if (failed_ || !Ask()) return false;
    counted->tokens = tokens_;
    counted->bytes = bytes_;
    counted->fits = !limit_ || tokens_ <= *limit_;
    return true;
  }

  const char* message() const { return error_.message; }

 private:
  bool Ask() {
    failed_ = failed_ || weir_token_counter_total(counter_.get(), &tokens_, &error_) != WEIR_OK;
    return !failed_;
  }

  struct Free {
    void operator()(weir_token_counter* counter) const { weir_token_counter_free(counter); }
  };
  const std::optional<uint64_t> limit_;
  Error error_;
  std::unique_ptr<weir_token_counter, Free> counter_;
  uint64_t tokens_ = 0, bytes_ = 0, ask_at_ = 0;
  bool failed_ = false;
};

bool CountPieces(const CountJob& job, const Source& source, Counted* counted) {
  RunningCount running(job);
  if (!source.is_file) {
    running.Append(source.value);
  } else {
    std::optional<Input> input = Input::Open(source.value);
    if (!input) return false;
    std::string buffer(kReadBytes, '\0');
    for (;;) {
      const std::optional<size_t> got = input->Read(buffer.data(), buffer.size());
      if (!got) return false;
      if (*got == 0 || !running.Append(std::string_view(buffer).substr(0, *got))) break;
    }
  }
  if (running.Finish(counted)) return true;
  Complain({"count: ", Label(source), ": ", running.message()});
  return false;
}

bool CountSource(const CountJob& job, const Source& source, Counted* counted) {
  if (!job.line.Has("--ids") && !job.line.Has("--special")) {
    return CountPieces(job, source, counted);
  }
  std::optional<std::string> text = source.value;
  if (source.is_file) text = ReadWhole(source.value);
  if (!text || !EncodeText(job, job.tokenizer.get(), Label(source), *text, &counted->ids)) {
    return false;
  }
  counted->tokens = counted->ids.size();
  counted->bytes = text->size();
  counted->fits = !job.limit || counted->tokens <= *job.limit;
  return true;
}

void AppendJson(const CountJob& job, const Source& source, const Counted& counted,
                std::string* out) {
  out->append(source.is_file ? R"({"file":)" : R"({"text":)");
  AppendJsonString(out, source.value);
  if (counted.fits) {
    *out += Concat({",\"bytes\":", std::to_string(counted.bytes)});
    *out += Concat({",\"count\":", std::to_string(counted.tokens)});
    if (job.line.Has("--ids")) *out += Concat({",\"ids\":[", Joined(counted.ids, ","), "]"});
  }
  if (job.limit) *out += counted.fits ? ",\"fits\":true" : ",\"fits\":false";
  out->push_back('}');
}

// `total`: nullopt when something is left out of it.
void WriteJson(const CountJob& job, std::optional<uint64_t> total, bool all_fit,
               const std::string& inputs) {
  std::string out = "{";
  if (total) out += Concat({"\"count\":", std::to_string(*total), ","});
  if (job.limit) {
    out += Concat({"\"limit\":", std::to_string(*job.limit), ","});
    out += all_fit ? "\"fits\":true," : "\"fits\":false,";
  }
  out += "\"encoding\":";
  AppendJsonString(&out, job.tokenizer.name());
  std::cout << out << ",\"inputs\":[" << inputs << "]}\n";
}

void WriteLine(const CountJob& job, const Source& source, const Counted& counted, bool several) {
  if (!counted.fits) {
    Complain({"count: ", Label(source), ": more than ",
              std::to_string(*job.limit) + " tokens: over --limit"});
  } else if (job.line.Has("--ids")) {
    std::cout << Joined(counted.ids, " ") << "\n";
  } else if (several) {
    std::cout << std::setw(9) << counted.tokens << "  " << Label(source) << "\n";
  } else {
    std::cout << counted.tokens << "\n";
  }
}

bool IsIdSeparator(char c) { return std::string_view(" \t\r\n,[]").find(c) != std::string::npos; }

// Ids as people write them: between blanks, commas, or in an array.
bool ReadIds(std::string_view text, std::vector<uint32_t>* ids) {
  for (size_t at = 0; at < text.size();) {
    if (IsIdSeparator(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !IsIdSeparator(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    const std::optional<uint64_t> id = ParseNumber(word);
    if (!id || *id > UINT32_MAX) {
      std::string quoted;
      AppendJsonString(&quoted, word.substr(0, 40));
      Complain({"count: --decode: ", quoted, " is not a token id; ids are numbers like 13225"});
      return false;
    }
    ids->push_back(static_cast<uint32_t>(*id));
    at = end;
  }
  return true;
}

}  // namespace

int CountTexts(const CountJob& job) {
  const std::vector<Source> sources = SourcesOf(job);
  uint64_t total = 0;
  bool all_read = true, all_fit = true;
  std::string inputs;
  for (const Source& source : sources) {
    Counted counted;
    if (!CountSource(job, source, &counted)) {
      all_read = false;
      continue;
    }
    total += counted.tokens;
    all_fit = all_fit && counted.fits;
    if (job.json) {
      if (!inputs.empty()) inputs.push_back(',');
      AppendJson(job, source, counted, &inputs);
    } else {
      WriteLine(job, source, counted, sources.size() > 1);
    }
  }
  if (job.json && (all_read || sources.size() > 1))
    WriteJson(job, all_read && all_fit ? std::optional(total) : std::nullopt, all_fit, inputs);
  if (!job.json && sources.size() > 1 && all_read && all_fit && !job.line.Has("--ids")) {
    std::cout << std::setw(9) << total << "  total\n";
  }
  if (!all_read) return kFaulty;
  return all_fit ? kDone : kOverLimit;
}

int DecodeIds(const CountJob& job) {
  std::string written;
  for (const Argument& argument : job.line.arguments()) {
    if (argument.option.empty() && argument.value != "-") written += Concat({argument.value, " "});
  }
  if (written.empty()) {
    const std::optional<std::string> read = ReadWhole("-");
    if (!read) return kFaulty;
    written = *read;
  }
  std::vector<uint32_t> ids;
  if (!ReadIds(written, &ids)) return kFaulty;
  Error error;
  std::string text;
  const weir_status status = Fetch(&text, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_tokenizer_decode(job.tokenizer.get(), ids.data(), ids.size(), buffer, capacity,
                                 needed, &error);
  });
  if (status != WEIR_OK) {
    Complain({"count: --decode: ", error.message});
    return kFaulty;
  }
  if (job.json) {
    std::string out = "{\"text\":";
    AppendJsonString(&out, text);
    std::cout << out << ",\"bytes\":" << text.size() << ",\"count\":" << ids.size() << "}\n";
    return kDone;
  }
  std::cout << text;
  // The bytes themselves; only a terminal needs an end to the line.
  if (isatty(STDOUT_FILENO) == 1) std::cout << "\n";
  return kDone;
}

}  // namespace weir::cli
