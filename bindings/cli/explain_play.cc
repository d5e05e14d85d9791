// Plays a request to an engine, as a host would.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

#include "console.h"
#include "explain.h"

namespace weir::cli {
namespace {

template <auto kFree>
struct Free {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kFree(handle);
  }
};
using Policy = std::unique_ptr<weir_policy, Free<weir_policy_free>>;
using Engine = std::unique_ptr<weir_engine, Free<weir_engine_free>>;
using Transaction = std::unique_ptr<weir_txn, Free<weir_txn_free>>;

// No policy asks for more, and none is followed without end.
constexpr size_t kMaxActions = 64;

// The value of a secret of the policy; empty when this machine has none.
std::string SecretValue(int32_t kind, const std::string& name) {
  if (kind == WEIR_SECRET_ENV) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::string() : value;
  }
  std::ifstream file(name, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// What the machine lacks is stood in for: a policy may be explained where it is not at work.
void SetSecrets(weir_policy* policy, Story* story) {
  const uint32_t count = weir_policy_secret_count(policy);
  for (uint32_t i = 0; i < count; ++i) {
    int32_t kind = 0;
    const char* name = nullptr;
    size_t size = 0;
    if (weir_policy_secret(policy, i, &kind, &name, &size) != WEIR_OK) continue;
    const std::string called(name, size);
    std::string value = SecretValue(kind, called);
    if (value.empty()) {
      value = Concat({"(the value of ", called, ")"});
      story->notes.push_back(
          Concat({kind == WEIR_SECRET_ENV ? "the environment variable " : "the file ", called,
                  " has no value here: its name stands in for it"}));
    } else {
      story->secrets.push_back(value);
    }
    weir_policy_set_secret(policy, i, value.data(), value.size());
  }
}

// One transaction and its clock.
class Host {
 public:
  Host(weir_engine* engine, Story* story) : story_(*story), now_(Now()) {
    weir_txn* txn = nullptr;
    Try(weir_txn_new(engine, &txn, &error_));
    txn_.reset(txn);
  }

  void Request() {
    const HttpRequest& request = story_.request;
    constexpr std::string_view kClient = "127.0.0.1";
    Try(weir_txn_request_head(txn_.get(), request.method.data(), request.method.size(),
                              request.target.data(), request.target.size(), kClient.data(),
                              kClient.size(), &error_));
    for (const auto& [name, value] : request.headers) {
      Try(weir_txn_request_header(txn_.get(), name.data(), name.size(), value.data(), value.size(),
                                  &error_));
    }
    if (!Next() || Kind() != WEIR_ACTION_CONTINUE) return;
    Try(weir_txn_request_body(txn_.get(), request.body.data(), request.body.size(), &error_));
    Try(weir_txn_request_end(txn_.get(), &error_));
    Next();
  }

  void Answers(const std::vector<SupposedAnswer>& answers) {
    auto answer = answers.begin();
    while (!failed_ && story_.actions.size() < kMaxActions) {
      Action& last = story_.actions.back();
      if (Kind() == WEIR_ACTION_WAIT && last.action.deadline_mono_ns > now_.mono_ns) {
        const int64_t waited_ns = last.action.deadline_mono_ns - now_.mono_ns;
        now_.mono_ns += waited_ns;
        now_.unix_ns += waited_ns;
        Next();
      } else if (Kind() == WEIR_ACTION_FORWARD && answer != answers.end()) {
        last.answer = &*answer++;
        Feed(*last.answer);
      } else {
        return;
      }
    }
  }

  void Explain() {
    Fetch(&story_.explanation, [&](char* buffer, size_t capacity, size_t* needed) {
      return weir_txn_explain(txn_.get(), buffer, capacity, needed, &error_);
    });
  }

 private:
  int32_t Kind() const { return story_.actions.back().action.kind; }

  bool Try(weir_status status) {
    if (failed_ || status == WEIR_OK) return !failed_;
    failed_ = true;
    story_.notes.push_back(Concat({"the engine says: ", error_.message}));
    return false;
  }

  void Feed(const SupposedAnswer& answer) {
    if (answer.failure != 0) {
      Try(weir_txn_response_failed(txn_.get(), answer.failure, &error_));
      Next();
      return;
    }
    Try(weir_txn_response_head(txn_.get(), answer.status, &error_));
    for (const auto& [name, value] : answer.headers) {
      Try(weir_txn_response_header(txn_.get(), name.data(), name.size(), value.data(), value.size(),
                                   &error_));
    }
    if (!Next() || Kind() != WEIR_ACTION_CONTINUE) return;
    Try(weir_txn_response_end(txn_.get(), &error_));
    Next();
  }

  bool Next() {
    Action made;
    made.action.size = sizeof(made.action);
    if (!Try(weir_txn_next(txn_.get(), &now_, &made.action, &error_))) return false;
    made.url = View(weir_txn_url);
    made.target = View(weir_txn_target);
    made.body = View(weir_txn_body);
    for (uint32_t i = 0; i < made.action.header_count; ++i) made.headers.push_back(Header(i));
    if (made.action.deadline_mono_ns > now_.mono_ns) {
      made.wait_ms = (made.action.deadline_mono_ns - now_.mono_ns + 999'999) / 1'000'000;
    }
    story_.actions.push_back(std::move(made));
    return true;
  }

  template <typename Ask>
  std::string View(Ask ask) const {
    const char* text = nullptr;
    size_t size = 0;
    return ask(txn_.get(), &text, &size) == WEIR_OK ? std::string(text, size) : std::string();
  }

  HeaderEdit Header(uint32_t index) const {
    HeaderEdit edit;
    const char *name = nullptr, *value = nullptr;
    size_t name_size = 0, value_size = 0;
    if (weir_txn_header(txn_.get(), index, &edit.operation, &name, &name_size, &value,
                        &value_size) == WEIR_OK) {
      edit.name.assign(name, name_size);
      edit.value.assign(value, value_size);
    }
    return edit;
  }

  Story& story_;
  weir_now now_;
  Error error_;
  Transaction txn_;
  bool failed_ = false;
};

}  // namespace

bool Play(const std::string& policy_text, const std::vector<SupposedAnswer>& answers, Story* story,
          std::string* why) {
  Error error;
  weir_policy* parsed = nullptr;
  if (weir_policy_parse(policy_text.data(), policy_text.size(), &parsed, &error) != WEIR_OK) {
    *why = error.message;
    return false;
  }
  const Policy policy(parsed);
  SetSecrets(policy.get(), story);
  weir_engine* made = nullptr;
  if (weir_engine_new(policy.get(), nullptr, &made, &error) != WEIR_OK) {
    *why = error.message;
    return false;
  }
  const Engine engine(made);
  Host host(engine.get(), story);
  host.Request();
  if (!story->actions.empty()) host.Answers(answers);
  host.Explain();
  return true;
}

}  // namespace weir::cli
