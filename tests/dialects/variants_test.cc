// The framings that real clients were measured on (client_sse_variants.tsv names them): what the
// reader makes of each.

#include <sstream>

#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::dialects {
namespace {

using testing::Choice;
using testing::Chunk;
using testing::kDone;
using testing::Outcome;

struct Variant {
  std::string name;
  std::string body;
  std::string text = "H\xC3\xA9\xE6\x97\xA5";
  bool usage = true, done = true, finish = true, error = false;
  uint64_t unreadable = 0;
};

std::string Replace(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::vector<Variant> Framings() {
  const std::string text = Chunk(Choice(0, "\"content\":\"H\xC3\xA9\"")) +
                           Chunk(Choice(0, "\"content\":\"\xE6\x97\xA5\""));
  const std::string finish = Chunk(Choice(0, "", "\"stop\""));
  const std::string usage = Chunk("", testing::kUsageMember);
  const std::string plain = text + finish + usage + kDone;
  const std::string no_blank = plain.substr(0, plain.size() - 2);
  const std::string no_done = text + finish + usage;
  return {
      {.name = "plain", .body = plain},
      {.name = "crlf", .body = Replace(plain, "\n", "\r\n")},
      {.name = "cr_only", .body = Replace(plain, "\n", "\r")},
      {.name = "one_byte_chunks", .body = plain},
      {.name = "all_in_one", .body = plain},
      {.name = "comments", .body = ": hi\n\n" + Replace(plain, "data: ", ": keep-alive\ndata: ")},
      {.name = "bom", .body = "\xEF\xBB\xBF" + plain},
      {.name = "no_space_after_colon", .body = Replace(plain, "data: ", "data:")},
      {.name = "id_and_retry_fields",
       .body = Replace(plain, "data: ", "id: 7\nretry: 100\ndata: ")},
      {.name = "no_done", .body = no_done, .done = false},
      {.name = "no_final_blank", .body = no_blank},
      {.name = "no_final_blank_no_done",
       .body = no_done.substr(0, no_done.size() - 2),
       .done = false},
      {.name = "data_after_done",
       .body = plain + Chunk(Choice(0, "\"content\":\"LATE\"")),
       .text = "H\xC3\xA9\xE6\x97\xA5LATE"},
      {.name = "multi_line_data", .body = Replace(plain, ",\"created\"", ",\ndata: \"created\"")},
      {.name = "error_object_midstream",
       .body = text + "data: {\"error\":{\"message\":\"boom\"}}\n\n",
       .usage = false,
       .done = false,
       .finish = false,
       .error = true},
      {.name = "event_error_named",
       .body = text + "event: error\ndata: {\"error\":{\"message\":\"boom\"}}\n\n",
       .usage = false,
       .done = false,
       .finish = false,
       .error = true},
      {.name = "cut_mid_stream",
       .body = text + finish.substr(0, 40),
       .usage = false,
       .done = false,
       .finish = false,
       .unreadable = 1},
      {.name = "truncated_clean_eof", .body = text, .usage = false, .done = false, .finish = false},
      {.name = "empty_data_line",
       .body = text + "data:\n\n" + finish + usage + kDone,
       .unreadable = 1},
      {.name = "non_json_data",
       .body = text + "data: hello\n\n" + finish + usage + kDone,
       .unreadable = 1},
      {.name = "extra_unknown_event", .body = "event: ping\ndata: {\"a\":1}\n\n" + plain},
      {.name = "usage_on_finish_chunk_only",
       .body = text + Chunk(Choice(0, "", "\"stop\""), testing::kUsageMember) + kDone},
      {.name = "usage_null_everywhere",
       .body = Replace(text + finish, "]}\n", "],\"usage\":null}\n") + usage + kDone},
      {.name = "choice_without_delta",
       .body = text + Chunk(R"({"index":0,"finish_reason":"stop"})") + usage + kDone},
  };
}

TEST_CASE("every framing is understood and relayed") {
  for (const Variant& variant : Framings()) {
    INFO(variant.name);
    const Outcome outcome = testing::Run(variant.body, {});
    CHECK(outcome.relayed == variant.body);
    CHECK(outcome.Text() == variant.text);
    CHECK(outcome.usage == (variant.usage ? testing::kFixtureUsage : Usage{}));
    CHECK(outcome.done == variant.done);
    CHECK(outcome.finish == variant.finish);
    CHECK(outcome.error == variant.error);
    CHECK(outcome.unreadable == variant.unreadable);
    CHECK(testing::CutsDoNotMatter(variant.body, /*strip=*/false, 5));
    CHECK(testing::CutsDoNotMatter(variant.body, /*strip=*/true, 6));
  }
}

TEST_CASE("every framing that clients were measured on is among these") {
  const auto table = weir::testing::SharedData("client_sse_variants.tsv");
  if (!table) return;
  const std::vector<Variant> framings = Framings();
  std::istringstream lines(*table);
  std::string line;
  std::getline(lines, line);
  size_t rows = 0;
  while (std::getline(lines, line)) {
    const std::string name = line.substr(0, line.find('\t'));
    INFO(name);
    bool known = false;
    for (const Variant& variant : framings) known = known || variant.name == name;
    CHECK(known);
    ++rows;
  }
  CHECK(rows == framings.size());
}

}  // namespace
}  // namespace weir::dialects
