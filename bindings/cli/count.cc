#include "count.h"

#include <iostream>

#include "console.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir count [OPTION]... [TEXT|FILE|-]...
       weir count --request FILE [--dialect D] [--operation O]
       weir count --jsonl [FILE]
       weir count --decode [ID]...
       weir count --list

How many tokens a text, a whole request or each line of a data set is. Without an argument, or
with "-", standard input is counted. An argument that names a file stands for its content (and
weir says so); --file, --text and what follows "--" leave nothing to guess.

Which tokenizer (o200k_base unless one is named):
  --model NAME         the one that a model uses: gpt-4o, gpt-35-turbo, ft:gpt-4o:acme, ...
  --encoding NAME      a built-in one: o200k_base, cl100k_base, ... (weir encodings lists them)
  --tokenizer FILE     the one in a tokenizer.json, a SentencePiece .model or a .tiktoken file
  --pattern PATTERN    how a .tiktoken file's texts are split: an encoding's name, or an expression

Texts:
  --file FILE          count a file, of any size (which with --tokenizer is held in memory);
                       repeat it for more, and a total
  --text TEXT          count this text
  --ids                write the token ids instead of their number (reads a file as a whole)
  --special            the text of special tokens ("<|endoftext|>") is that token (as a whole, too)
  --limit N            stop as soon as there are more than N tokens; exit status 3 if there are
  --decode [ID]...     the other way: the bytes of token ids (from standard input without any)

Requests:
  --request FILE       the prompt tokens of a request body: messages, tools, schemas, images
  --dialect D          openai, azure-openai, anthropic, gemini or bedrock
  --operation O        chat, responses, completions or embeddings
                       (both are told by the body's shape unless given, and weir says so)
  --parts              what each part adds, as a table; --json always has them
  With --model NAME for bodies that do not name theirs, and --limit N.

Lines:
  --jsonl [FILE]       lines {"encoding": "o200k_base", "text": "..."}, or with "model": the same
                       lines with "count" added (and "ids" with --ids), in order, byte for byte. A
                       line that cannot be counted is named on standard error and left out; then
                       the exit status is 1. --model, --encoding or --tokenizer is for lines that
                       name none.

  --list               the built-in encodings and models that use them (weir encodings)
  --json               answer in JSON
  --help               this text

Exit status: 0, 1 when something could not be counted, 2 when the command line is wrong, 3 when
--limit is exceeded.

Examples:
  weir count "Hello, world"                                 3
  git diff | weir count --model gpt-4o --limit 100000 && echo it fits
  weir count --json --request body.json                     {"prompt_tokens":57,...
  weir count --tokenizer llama/tokenizer.json --file a.txt --file b.txt
  weir count --jsonl set.jsonl | jq .count
  weir count --ids "Hello, world" | weir count --decode     Hello, world
)";

enum Mode : unsigned { kTexts = 1, kRequests = 2, kLines = 4, kDecode = 8, kList = 16 };

const std::vector<OptionSpec>& Specs() {
  static const std::vector<OptionSpec> specs = {
      {"--model", true, kTexts | kRequests | kLines | kDecode},
      {"--encoding", true, kTexts | kRequests | kLines | kDecode},
      {"--tokenizer", true, kTexts | kRequests | kLines | kDecode},
      {"--pattern", true, kTexts | kRequests | kLines | kDecode},
      {"--file", true, kTexts},
      {"--text", true, kTexts},
      {"--ids", false, kTexts | kLines},
      {"--special", false, kTexts | kLines},
      {"--limit", true, kTexts | kRequests},
      {"--decode", false, kDecode},
      {"--request", true, kRequests},
      {"--dialect", true, kRequests},
      {"--operation", true, kRequests},
      {"--parts", false, kRequests},
      {"--jsonl", false, kLines},
      {"--list", false, kList},
      {"--json", false},
      {"--help", false},
  };
  return specs;
}

int Refuse(std::initializer_list<std::string_view> parts) {
  Complain({"count: ", Concat(parts), " (weir count --help)"});
  return kUsage;
}

// The option that chooses the mode; kTexts and "" without one. 0 when there are two.
unsigned ChooseMode(const CommandLine& line, std::string_view* chosen) {
  unsigned mode = kTexts;
  for (const OptionSpec& spec : Specs()) {
    const bool chooses = spec.name == "--request" || spec.name == "--jsonl" ||
                         spec.name == "--decode" || spec.name == "--list";
    if (!chooses || !line.Has(spec.name)) continue;
    if (mode != kTexts) {
      Refuse({*chosen, " and ", spec.name, " do not go together"});
      return 0;
    }
    mode = spec.modes;
    *chosen = spec.name;
  }
  return mode;
}

// What else must not be said at the same time.
int CheckOptions(const CommandLine& line, unsigned mode, std::string_view chosen) {
  for (const OptionSpec& spec : Specs()) {
    if ((spec.modes & mode) != 0 || !line.Has(spec.name)) continue;
    const std::string other = chosen.empty() ? "the count of a text" : std::string(chosen);
    return Refuse({spec.name, " does not go with ", other});
  }
  if (line.Has("--encoding") && line.Has("--tokenizer")) {
    return Refuse({"--encoding and --tokenizer both name a tokenizer; give one"});
  }
  if (mode != kRequests && line.Has("--model") &&
      (line.Has("--encoding") || line.Has("--tokenizer"))) {
    return Refuse({"--model and another option both name a tokenizer; give one"});
  }
  if (line.Has("--pattern") && !line.Has("--tokenizer")) {
    return Refuse({"--pattern is for the .tiktoken file of a --tokenizer"});
  }
  return kDone;
}

}  // namespace

std::string Joined(const std::vector<uint32_t>& ids, std::string_view between) {
  std::string text;
  for (const uint32_t id : ids) {
    if (!text.empty()) text.append(between);
    text += std::to_string(id);
  }
  return text;
}

bool EncodeText(const CountJob& job, const weir_tokenizer* tokenizer, const std::string& name,
                std::string_view text, std::vector<uint32_t>* ids) {
  Error error;
  const auto encode =
      job.line.Has("--special") ? weir_tokenizer_encode_with_specials : weir_tokenizer_encode;
  ids->resize(text.size() / 2);  // what is usually enough
  const weir_status status = Fetch(ids, [&](uint32_t* buffer, size_t capacity, size_t* needed) {
    return encode(tokenizer, text.data(), text.size(), buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) Complain({name, ": ", error.message});
  return status == WEIR_OK;
}

int Count(const std::vector<std::string>& words) {
  CountJob job;
  if (!job.line.Parse("count", Specs(), words)) return kUsage;
  if (job.line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  std::string_view chosen;
  const unsigned mode = ChooseMode(job.line, &chosen);
  if (mode == 0) return kUsage;
  if (const int code = CheckOptions(job.line, mode, chosen); code != kDone) return code;
  job.json = job.line.Has("--json");
  if (mode == kList) {
    return Encodings(job.json ? std::vector<std::string>{"--json"} : std::vector<std::string>{});
  }
  if (const auto limit = job.line.Value("--limit")) {
    job.limit = ParseNumber(*limit);
    if (!job.limit) return Refuse({"--limit ", *limit, ": not a number of tokens"});
  }
  // A request's model need not be known: its prompt is estimated then.
  const bool only_named = mode == kRequests || mode == kLines;
  const bool no_choice =
      mode == kRequests && !job.line.Has("--encoding") && !job.line.Has("--tokenizer");
  if (!no_choice) {
    auto tokenizer = TokenizerChoice::Make(job.line, !only_named);
    if (!tokenizer) return kFaulty;
    job.tokenizer = std::move(*tokenizer);
  }
  const int code = mode == kRequests ? CountRequests(job)
                   : mode == kLines  ? CountLines(job)
                   : mode == kDecode ? DecodeIds(job)
                                     : CountTexts(job);
  return FlushOutput() ? code : kFaulty;
}

}  // namespace weir::cli
