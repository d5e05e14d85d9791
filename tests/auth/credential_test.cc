// FindCredential and IsCredentialHeader: every form a client sends, and every form that is no key.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/auth.h"

namespace weir::auth {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): NULs in text

struct Row {
  std::vector<Header> headers;
  Denial denial;
  std::string_view value;
};

void CheckRows(const std::vector<Row>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    INFO("row " << i);
    const Credential credential = FindCredential(rows[i].headers);
    CHECK(credential.denial == rows[i].denial);
    CHECK(credential.value == rows[i].value);
  }
}

TEST_CASE("every form that clients send is read") {
  CheckRows({
      {{{"Authorization", "Bearer sk-1"}}, Denial::kNone, "sk-1"},
      {{{"authorization", "bearer sk-1"}}, Denial::kNone, "sk-1"},
      {{{"AUTHORIZATION", "BEARER sk-1"}}, Denial::kNone, "sk-1"},
      {{{"Authorization", "bEaReR   sk-1"}}, Denial::kNone, "sk-1"},
      {{{"Authorization", "Bearer\tsk-1"}}, Denial::kNone, "sk-1"},
      {{{"Authorization", " \tBearer \t sk-1 \t"}}, Denial::kNone, "sk-1"},
      {{{"Authorization", "Bearer a/b+c=.~-_"}}, Denial::kNone, "a/b+c=.~-_"},
      {{{"api-key", "sk-1"}}, Denial::kNone, "sk-1"},
      {{{"Api-Key", "  sk-1 "}}, Denial::kNone, "sk-1"},
      {{{"x-api-key", "sk-1"}}, Denial::kNone, "sk-1"},
      {{{"X-Api-Key", "sk-1"}}, Denial::kNone, "sk-1"},
      {{{"x-goog-api-key", "sk-1"}}, Denial::kNone, "sk-1"},
      {{{"X-Goog-Api-Key", "!~"}}, Denial::kNone, "!~"},
      {{{"accept", "*/*"}, {"api-key", "sk-1"}, {"host", "a"}}, Denial::kNone, "sk-1"},
      {{{"Authorization", "Bearer sk-1"}, {"x-api-key", "sk-1"}}, Denial::kNone, "sk-1"},
      {{{"api-key", "sk-1"}, {"API-KEY", "sk-1"}}, Denial::kNone, "sk-1"},
  });
}

TEST_CASE("no credential header is missing, not malformed") {
  CheckRows({
      {{}, Denial::kMissing, ""},
      {{{"host", "localhost:4000/#@x"}}, Denial::kMissing, ""},
      {{{"proxy-authorization", "Bearer sk-1"}}, Denial::kMissing, ""},
      {{{"", "Bearer sk-1"}}, Denial::kMissing, ""},
      {{{"authorization ", "Bearer sk-1"}}, Denial::kMissing, ""},
      {{{"authorization\0"sv, "Bearer sk-1"}}, Denial::kMissing, ""},
      {{{"x_api_key", "sk-1"}}, Denial::kMissing, ""},
      {{{"cookie", "api-key=sk-1"}}, Denial::kMissing, ""},
  });
}

TEST_CASE("malformed credentials are refused before any look-up") {
  const std::string fits(kMaxCredentialBytes, 'k');
  const std::string too_long(kMaxCredentialBytes + 1, 'k');
  const std::string bearer_fits = "Bearer " + fits;
  const std::string bearer_long = "Bearer " + too_long;
  const std::string huge(1 << 20, 'k');
  const std::string huge_bearer = "Bearer " + huge;
  const std::string huge_blanks = "Bearer" + std::string(1 << 20, ' ');
  CheckRows({
      {{{"Authorization", bearer_fits}}, Denial::kNone, fits},
      {{{"x-api-key", fits}}, Denial::kNone, fits},
      {{{"Authorization", bearer_long}}, Denial::kMalformed, ""},
      {{{"x-api-key", too_long}}, Denial::kMalformed, ""},
      {{{"Authorization", huge}}, Denial::kMalformed, ""},
      {{{"Authorization", huge_bearer}}, Denial::kMalformed, ""},
      {{{"Authorization", huge_blanks}}, Denial::kMalformed, ""},
      {{{"Authorization", ""}}, Denial::kMalformed, ""},
      {{{"Authorization", {}}}, Denial::kMalformed, ""},
      {{{"Authorization", " "}}, Denial::kMalformed, ""},
      {{{"Authorization", "B"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer "}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer\t"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearersk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer:sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer\nsk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Basic c2s6MQ=="}}, Denial::kMalformed, ""},
      {{{"Authorization", "Token sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer Bearer sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer sk 1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer sk-1, Bearer sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer sk-1\0x"sv}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer\0sk-1"sv}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-1\0"sv}}, Denial::kMalformed, ""},
      {{{"api-key", "\0sk-1"sv}}, Denial::kMalformed, ""},
      {{{"api-key", ""}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-1\r\n"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-\x7f"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-\x80"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-\xc3\xa9"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-\xff"}}, Denial::kMalformed, ""},
      // Headers that disagree, in either order, and a good one that does not excuse a bad one.
      {{{"Authorization", "Bearer sk-1"}, {"x-api-key", "sk-2"}}, Denial::kMalformed, ""},
      {{{"x-api-key", "sk-2"}, {"Authorization", "Bearer sk-1"}}, Denial::kMalformed, ""},
      {{{"Authorization", "Bearer sk-1"}, {"Authorization", "Bearer sk-2"}},
       Denial::kMalformed,
       ""},
      {{{"api-key", "sk-1"}, {"api-key", "SK-1"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-1"}, {"api-key", "sk-1x"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-1"}, {"Authorization", "Basic eA=="}}, Denial::kMalformed, ""},
      {{{"Authorization", "Basic eA=="}, {"api-key", "sk-1"}}, Denial::kMalformed, ""},
      {{{"api-key", "sk-1"}, {"x-api-key", ""}}, Denial::kMalformed, ""},
  });
}

TEST_CASE("exactly the bytes of visible ASCII may stand in a key") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string key = std::string("a") + static_cast<char>(byte) + "b";
    const std::string bearer = "Bearer " + key;
    const Denial expected = byte >= 0x21 && byte <= 0x7E ? Denial::kNone : Denial::kMalformed;
    INFO("byte " << byte);
    CHECK(FindCredential({Header{"x-api-key", key}}).denial == expected);
    CHECK(FindCredential({Header{"authorization", bearer}}).denial == expected);
  }
}

// A second reading of the rules, written without the first: it lowers, splits and trims copies.
Denial NaiveDenial(const std::vector<Header>& headers, std::string* value) {
  std::vector<std::string> keys;
  for (const Header& header : headers) {
    const std::string name = AsciiLower(header.name);
    std::string text(header.value);
    const auto trim = [&text] {
      while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
      while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.erase(0, 1);
    };
    trim();
    if (name == "authorization") {
      const bool bearer =
          AsciiLower(text).rfind("bearer ", 0) == 0 || AsciiLower(text).rfind("bearer\t", 0) == 0;
      text = bearer ? text.substr(7) : "";
      trim();
    } else if (name != "api-key" && name != "x-api-key" && name != "x-goog-api-key") {
      continue;
    }
    keys.push_back(text);
  }
  if (keys.empty()) return Denial::kMissing;
  for (const std::string& key : keys) {
    if (key.empty() || key.size() > 512 || key != keys[0]) return Denial::kMalformed;
    for (unsigned char c : key) {
      if (c < 0x21 || c > 0x7E) return Denial::kMalformed;
    }
  }
  *value = keys[0];
  return Denial::kNone;
}

TEST_CASE("random headers are read as a naive twin reads them") {
  const std::vector<std::string> names = {"Authorization", "authorization",  "API-Key",
                                          "x-api-key",     "X-Goog-Api-Key", "host"};
  const std::vector<std::string> pieces = {"Bearer", "bearer", " ",  "\t",   "k",
                                           "key",    "Basic",  "\n", "\x80", "Bearer k"};
  Random random(11);
  int found = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::vector<std::string> values(random.Below(4));
    std::vector<Header> headers;
    for (std::string& value : values) {
      for (uint64_t left = random.Below(5); left > 0; --left) {
        value += pieces[random.Below(pieces.size())];
      }
      headers.push_back({names[random.Below(names.size())], value});
    }
    std::string value;
    const Denial denial = NaiveDenial(headers, &value);
    const Credential credential = FindCredential(headers);
    REQUIRE(credential.denial == denial);
    REQUIRE(credential.value == value);
    found += denial == Denial::kNone ? 1 : 0;
  }
  CHECK(found > 5'000);
}

TEST_CASE("credential headers are known by name in any case") {
  for (const auto name : {"authorization", "Authorization", "API-KEY", "X-Api-Key",
                          "x-goog-api-key", "X-GOOG-API-KEY"}) {
    CHECK(IsCredentialHeader(name));
  }
  for (const auto name : {"", "authorizatio", "authorization2", "apikey", "x-goog", "cookie",
                          "proxy-authorization", "x-api-key "}) {
    CHECK_FALSE(IsCredentialHeader(name));
  }
}

}  // namespace
}  // namespace weir::auth
