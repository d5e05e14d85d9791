#include "upstream/chat.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "upstream/json.h"

namespace upstream {
namespace {

constexpr int64_t kMaxChoices = 16;
constexpr int64_t kShortestAnswer = 24;
constexpr int64_t kLongestAnswer = 56;

// Lower-case words: with the blank before it each is a run of letters that both encodings cut apart
// from its neighbours.
constexpr std::array<std::string_view, 32> kWords = {
    "the",   "river",  "keeps", "its",   "level", "when",  "rain", "comes", "from", "far",  "hills",
    "and",   "every",  "gate",  "opens", "only",  "as",    "much", "water", "can",  "pass", "below",
    "while", "people", "who",   "live",  "near",  "watch", "each", "mark",  "on",   "stone"};

// FNV-1a, to draw answers from prompts; not for anything that must resist an attacker.
uint64_t Mix(uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

uint64_t Draw(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15ULL;
  uint64_t bits = *state;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
  return bits ^ (bits >> 31);
}

void CountText(std::string_view text, const TokenCounter& counter, ChatRequest* request) {
  request->prompt_tokens += counter.Count(text);
  request->prompt_hash = Mix(request->prompt_hash, text);
}

// Adds the text of a message's content: a string, or parts of type text.
std::string CountContent(const rapidjson::Value& content, const TokenCounter& counter,
                         ChatRequest* request) {
  if (content.IsString()) {
    CountText(TextOf(content), counter, request);
    return "";
  }
  if (!content.IsArray()) return "messages[].content must be a string or an array of parts";
  for (const rapidjson::Value& part : content.GetArray()) {
    const std::optional<std::string_view> text =
        part.IsObject() ? FindText(part, "text") : std::nullopt;
    if (!text.has_value()) return "this simulated provider reads parts of type text only";
    CountText(*text, counter, request);
  }
  return "";
}

// What OpenAI bills for a prompt: 3 to prime the answer, and for each message 3, its role, its
// content and, when it has a name, that and 1.
std::string CountMessages(const rapidjson::Value& messages, ChatRequest* request) {
  const TokenCounter counter(request->model);
  request->prompt_tokens = 3;
  for (const rapidjson::Value& message : messages.GetArray()) {
    if (!message.IsObject()) return "each of messages must be an object";
    const std::optional<std::string_view> role = FindText(message, "role");
    const rapidjson::Value* content = FindMember(message, "content");
    if (!role.has_value() || content == nullptr) {
      return "each of messages needs a role and a content";
    }
    request->prompt_tokens += 3 + counter.Count(*role);
    std::string error = CountContent(*content, counter, request);
    if (!error.empty()) return error;
    const std::optional<std::string_view> name = FindText(message, "name");
    if (name.has_value()) request->prompt_tokens += 1 + counter.Count(*name);
  }
  return "";
}

std::string ReadParameters(const rapidjson::Value& body, ChatRequest* request) {
  for (const char* name : {"tools", "functions"}) {
    if (FindMember(body, name) != nullptr) {
      return std::string(name) + ": not simulated by this provider";
    }
  }
  request->stream = IsTrue(body, "stream");
  const rapidjson::Value* options = FindMember(body, "stream_options");
  request->include_usage =
      options != nullptr && options->IsObject() && IsTrue(*options, "include_usage");
  if (const rapidjson::Value* n = FindMember(body, "n"); n != nullptr) {
    if (!n->IsInt64() || n->GetInt64() < 1 || n->GetInt64() > kMaxChoices) {
      return "n must be a whole number from 1 to " + std::to_string(kMaxChoices);
    }
    request->n = n->GetInt64();
  }
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    const rapidjson::Value* most = FindMember(body, name);
    if (most == nullptr) continue;
    if (!most->IsInt64() || most->GetInt64() < 1) {
      return std::string(name) + " must be a whole number from 1";
    }
    request->max_tokens = std::min<int64_t>(most->GetInt64(), 1'000'000);
  }
  return "";
}

}  // namespace

std::string ReadChatRequest(std::string_view body, std::string_view path_model,
                            ChatRequest* request) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (document.HasParseError() || !document.IsObject()) {
    return "the request body is not a JSON object";
  }
  const std::optional<std::string_view> model =
      path_model.empty() ? FindText(document, "model") : path_model;
  if (!model.has_value()) return "model is missing";
  request->model = *model;
  std::string error = ReadParameters(document, request);
  if (!error.empty()) return error;
  const rapidjson::Value* messages = FindMember(document, "messages");
  if (messages == nullptr || !messages->IsArray() || messages->Empty()) {
    return "messages must be a non-empty array";
  }
  return CountMessages(*messages, request);
}

std::string Choice::Text() const {
  return std::accumulate(pieces.begin(), pieces.end(), std::string());
}

int64_t Choice::Tokens() const {
  return std::accumulate(piece_tokens.begin(), piece_tokens.end(), int64_t{0});
}

Choice MakeChoice(const ChatRequest& request, int64_t seed, int64_t index, int64_t wanted_tokens,
                  const TokenCounter& counter) {
  uint64_t state = request.prompt_hash ^ (static_cast<uint64_t>(seed) * 0xff51afd7ed558ccdULL) ^
                   static_cast<uint64_t>(index);
  if (wanted_tokens == 0) {
    wanted_tokens = kShortestAnswer +
                    static_cast<int64_t>(Draw(&state) % (kLongestAnswer - kShortestAnswer + 1));
  }
  Choice choice;
  choice.cut_by_max_tokens = request.max_tokens > 0 && request.max_tokens < wanted_tokens;
  const int64_t tokens_max = choice.cut_by_max_tokens ? request.max_tokens : wanted_tokens;
  int64_t tokens = 0;
  while (tokens < tokens_max) {
    std::string piece(kWords[Draw(&state) % kWords.size()]);
    if (!choice.pieces.empty()) piece.insert(0, 1, ' ');
    const int64_t cost = counter.Count(piece);
    if (cost == 0 || tokens + cost > tokens_max) break;
    choice.pieces.push_back(std::move(piece));
    choice.piece_tokens.push_back(cost);
    tokens += cost;
  }
  return choice;
}

int64_t MaxCost(const ChatRequest& request, int64_t wanted_tokens) {
  const int64_t longest = wanted_tokens == 0 ? kLongestAnswer : wanted_tokens;
  const int64_t each = request.max_tokens > 0 ? request.max_tokens : longest;
  return request.prompt_tokens + request.n * each;
}

}  // namespace upstream
