#include "explain.h"

#include <iostream>
#include <optional>
#include <string_view>

#include "console.h"
#include "options.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir explain POLICY --request FILE [OPTION]...

What a policy would do with a request, step by step: who it is, which route it takes, what it
counts, which limits it meets, which backend gets what, and what comes next when that backend
answers so. Nothing is sent to anybody; every counter begins empty.

  --request FILE   the request: an HTTP message ("POST /v1/chat/completions", header lines, an
                   empty line, a body), or its JSON body alone; "-" is standard input
  --target PATH    where a body alone was sent ("/v1/chat/completions" unless given)
  --method METHOD  how ("POST" unless given)
  --header LINE    one more header of the request, "NAME: VALUE"; as often as need be
  --key KEY        the client's key: --header "authorization: Bearer KEY"
  --answer ANSWER  what the next backend that is asked answers: a status, and headers after
                   semicolons ("429; retry-after: 30"), or connect, timeout or reset; as often as
                   need be, in turn
  --json           the explanation, every action and the notes as one JSON object
  --help           this text

Secrets that the policy names are taken from this environment or file, or stood in for. They are
not shown, and neither are headers that carry credentials.

Exit status: 0, 1 when the policy is at fault or a file cannot be read, 2 when the command line is
wrong.
)";

int Refuse(std::initializer_list<std::string_view> parts) {
  Complain({"explain: ", Concat(parts), " (weir explain --help)"});
  return kUsage;
}

bool ReadStatusOrFailure(const std::string& word, SupposedAnswer* answer) {
  constexpr std::pair<std::string_view, int32_t> kFailures[] = {{"connect", WEIR_FAILURE_CONNECT},
                                                                {"timeout", WEIR_FAILURE_TIMEOUT},
                                                                {"reset", WEIR_FAILURE_RESET}};
  for (const auto& [name, failure] : kFailures) {
    if (word == name) answer->failure = failure;
  }
  const std::optional<uint64_t> status = ParseNumber(word);
  if (status && *status >= 100 && *status <= 599) answer->status = static_cast<int32_t>(*status);
  return answer->failure != 0 || answer->status != 0;
}

// "429; retry-after: 30"
bool ReadAnswer(const std::string& text, SupposedAnswer* answer) {
  answer->said = text;
  size_t begin = 0, end = text.find(';');
  if (!ReadStatusOrFailure(text.substr(0, end), answer)) return false;
  while (end != text.npos) {
    begin = end + 1;
    end = text.find(';', begin);
    HeaderLine header;
    if (!ReadHeaderLine(std::string_view(text).substr(begin, end - begin), &header)) return false;
    answer->headers.push_back(std::move(header));
  }
  return true;
}

struct Job {
  std::string policy;  // path
  Story story;
  std::vector<SupposedAnswer> answers;
};

// 0, or the exit code of what is wrong.
int ReadJob(const CommandLine& line, Job* job) {
  HttpRequest& request = job->story.request;
  request.method = line.Value("--method").value_or(request.method);
  request.target = line.Value("--target").value_or(request.target);
  std::vector<HeaderLine> headers;
  for (const Argument& argument : line.arguments()) {
    if (argument.option == "--header") {
      HeaderLine header;
      if (!ReadHeaderLine(argument.value, &header)) {
        return Refuse({"--header \"", argument.value, "\": expected \"NAME: VALUE\""});
      }
      headers.push_back(std::move(header));
    } else if (argument.option == "--answer") {
      if (!ReadAnswer(argument.value, &job->answers.emplace_back())) {
        return Refuse({"--answer \"", argument.value,
                       "\": expected a status such as \"429; retry-after: 30\", or connect, "
                       "timeout or reset"});
      }
    } else if (argument.option.empty()) {
      if (!job->policy.empty()) return Refuse({"one policy is to be named"});
      job->policy = argument.value;
    }
  }
  const std::optional<std::string> path = line.Value("--request");
  if (job->policy.empty() || !path) return Refuse({"a policy and a --request are to be named"});
  const std::optional<std::string> text = ReadWhole(*path);
  if (!text) return kFaulty;
  std::string why;
  if (!ReadHttpRequest(*text, &request, &why)) {
    Complain({*path, ": ", why});
    return kFaulty;
  }
  request.headers.insert(request.headers.end(), headers.begin(), headers.end());
  if (const auto key = line.Value("--key")) {
    request.headers.emplace_back("authorization", "Bearer " + *key);
  }
  return kDone;
}

}  // namespace

int Explain(const std::vector<std::string>& words) {
  CommandLine line;
  const std::vector<OptionSpec> specs = {
      {"--request", true}, {"--target", true}, {"--method", true}, {"--header", true},
      {"--key", true},     {"--answer", true}, {"--json", false},  {"--help", false}};
  if (!line.Parse("explain", specs, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  Job job;
  if (const int wrong = ReadJob(line, &job); wrong != kDone) return wrong;
  const std::optional<std::string> policy = ReadWhole(job.policy);
  if (!policy) return kFaulty;
  std::string why;
  if (!Play(*policy, job.answers, &job.story, &why)) {
    Complain({"explain: ", job.policy, ": ", why});
    return kFaulty;
  }
  std::cout << (line.Has("--json") ? StoryJson(job.story) : StoryText(job.story));
  return FlushOutput() ? kDone : kFaulty;
}

}  // namespace weir::cli
