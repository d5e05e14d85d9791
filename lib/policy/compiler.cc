// The document as a whole, and the scalars that several sections have.

#include "policy/compiler.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weir::policy {
namespace {

constexpr uint64_t kDefaultBodyBytes = uint64_t{16} << 20;

}  // namespace

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  for (char c : name) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && kSymbols.find(c) == std::string_view::npos) return false;
  }
  return !name.empty();
}

void Compiler::Compile(const Place& document) {
  Place bounds, models, consumers, credentials, backends, pools, limits, caches, meters, headers,
      routes;
  const auto into = [](Place* place) { return [place](const Place& found) { *place = found; }; };
  plan_.body_bytes_max = kDefaultBodyBytes;
  plan_.pepper.literal = "weir virtual key";
  reader_.Object(document,
                 {{"weir",
                   [this](const Place& place) {
                     uint64_t version = 0;
                     reader_.Integer(place, 1, 1, &version);
                   },
                   true},
                  {"pepper", [this](const Place& place) { ReadText(place, &plan_.pepper); }},
                  {"bounds", into(&bounds)},
                  {"models", into(&models)},
                  {"consumers", into(&consumers)},
                  {"credentials", into(&credentials)},
                  {"backends", into(&backends), true},
                  {"pools", into(&pools), true},
                  {"limits", into(&limits)},
                  {"caches", into(&caches)},
                  {"meters", into(&meters)},
                  {"ledger", [this](const Place& place) { ReadLedger(place); }},
                  {"headers", into(&headers)},
                  {"routes", into(&routes), true}});

  const auto map = [this](const Place& place,
                          void (Compiler::*read)(std::string_view, const Place&)) {
    if (!place.value) return;
    reader_.Map(place, [this, read](std::string_view name, const Place& entry) {
      (this->*read)(name, entry);
    });
  };
  std::copy(kClientHeaders.begin(), kClientHeaders.end(), plan_.client_headers.begin());
  plan_.client_headers[static_cast<size_t>(ClientHeader::kExplain)].clear();
  map(headers, &Compiler::ReadClientHeader);
  if (bounds.value) ReadBounds(bounds);
  map(models, &Compiler::ReadModel);
  map(consumers, &Compiler::ReadConsumer);
  map(credentials, &Compiler::ReadCredential);
  map(limits, &Compiler::ReadLimit);
  map(backends, &Compiler::ReadBackend);
  map(pools, &Compiler::ReadPool);
  ReadFallbacks();
  map(caches, &Compiler::ReadCache);
  map(meters, &Compiler::ReadMeter);
  if (routes.value) {
    reader_.Array(routes, [this](const Place& place) { ReadRoute(place); });
    if (routes.value.Is(json::Type::kArray) && routes.value.size() == 0) {
      reader_.Complain(routes, "there must be at least one route");
    }
  }
}

void Compiler::ReadBounds(const Place& place) {
  reader_.Object(place, {{"body", [this](const Place& at) {
                            reader_.Bytes(at, 1024, uint64_t{1} << 30, &plan_.body_bytes_max);
                          }}});
}

void Compiler::ReadLedger(const Place& place) {
  reader_.Object(
      place, {{"explain", [this](const Place& at) { reader_.Bool(at, &plan_.ledger_explains); }}});
}

// "retry-after-ms": "x-wait-ms", or false to send none, or true to send what is not by itself.
void Compiler::ReadClientHeader(std::string_view name, const Place& place) {
  const auto found = std::find(kClientHeaders.begin(), kClientHeaders.end(), name);
  if (found == kClientHeaders.end()) {
    return reader_.ComplainUnknown(place, "header", name, kClientHeaders);
  }
  std::string& header = plan_.client_headers[static_cast<size_t>(found - kClientHeaders.begin())];
  if (place.value.Is(json::Type::kString)) return ReadHeaderName(place, &header);
  bool is_sent = true;
  reader_.Bool(place, &is_sent);
  header = is_sent ? std::string(name) : std::string();
}

void Compiler::ReadText(const Place& place, Text* text) {
  if (place.value.Is(json::Type::kObject)) return ReadSecret(place, text);
  reader_.String(place, &text->literal);
}

void Compiler::ReadSecret(const Place& place, Text* text) {
  const auto add = [this, text](Secret::Kind kind) {
    return [this, text, kind](const Place& at) {
      Secret secret;
      secret.kind = kind;
      reader_.String(at, &secret.name);
      if (secret.name.empty()) return reader_.Complain(at, "the name is empty");
      text->literal.clear();
      text->secret = static_cast<int>(plan_.secrets.size());
      plan_.secrets.push_back(std::move(secret));
    };
  };
  if (place.value.size() != 1) {
    return reader_.Complain(place, R"(expected text, {"env": "NAME"} or {"file": "PATH"})");
  }
  reader_.Object(place, {{"env", add(Secret::Kind::kEnv)}, {"file", add(Secret::Kind::kFile)}});
}

void Compiler::ReadHeaderName(const Place& place, std::string* name) {
  reader_.String(place, name);
  if (place.value.Is(json::Type::kString) && !IsHeaderName(*name)) {
    reader_.Complain(place, Concat({"\"", *name, "\" cannot be a header's name"}));
  }
}

void Compiler::ReadStatuses(const Place& place, std::vector<breaker::StatusRange>* statuses) {
  reader_.Array(place, [&](const Place& at) { ReadStatus(at, statuses); });
}

// "429", "5xx" or "500-503".
void Compiler::ReadStatus(const Place& place, std::vector<breaker::StatusRange>* statuses) {
  std::string text;
  reader_.String(place, &text);
  if (!place.value.Is(json::Type::kString)) return;
  uint64_t first = 0;
  uint64_t last = 0;
  const size_t dash = text.find('-');
  if (text.size() == 3 && text.substr(1) == "xx" && ParseUint64(text.substr(0, 1), &first)) {
    first *= 100;
    last = first + 99;
  } else if (dash != std::string::npos) {
    if (!ParseUint64(text.substr(0, dash), &first) || !ParseUint64(text.substr(dash + 1), &last)) {
      first = last = 0;
    }
  } else if (ParseUint64(text, &first)) {
    last = first;
  }
  if (first < 100 || last > 599 || first > last) {
    return reader_.Complain(place, Concat({"expected a status such as \"429\", \"5xx\" or "
                                           "\"500-503\", found \"",
                                           text, "\""}));
  }
  statuses->push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
}

std::unique_ptr<expr::Program> Compiler::ReadExpression(const Place& place,
                                                        absl::Span<const expr::Name> names) {
  std::string source;
  reader_.String(place, &source);
  if (!place.value.Is(json::Type::kString)) return nullptr;
  auto program = expr::Program::Compile(source, names);
  if (!program.ok()) {
    reader_.Complain(place, Concat({"expression: ", StdView(program.status().message())}));
    return nullptr;
  }
  const absl::Span<const uint32_t> used = (*program)->names_used();
  const auto body = static_cast<uint32_t>(Name::kBody);
  plan_.reads_bodies =
      plan_.reads_bodies || std::find(used.begin(), used.end(), body) != used.end();
  return *std::move(program);
}

std::optional<uint32_t> Compiler::Reference(const Place& place, std::string_view what,
                                            const std::vector<std::string_view>& names) {
  std::string name;
  reader_.String(place, &name);
  if (!place.value.Is(json::Type::kString)) return std::nullopt;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<uint32_t>(i);
  }
  reader_.ComplainUnknown(place, what, name, names);
  return std::nullopt;
}

void Compiler::Names(const Place& place, std::vector<std::string>* names) {
  reader_.Array(place, [&](const Place& at) {
    std::string name;
    reader_.String(at, &name);
    if (name.empty()) {
      if (at.value.Is(json::Type::kString)) reader_.Complain(at, "the text is empty");
      return;
    }
    names->push_back(std::move(name));
  });
}

}  // namespace weir::policy
