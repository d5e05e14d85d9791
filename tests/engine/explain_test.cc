// The explanation where a policy asks for it: in a header to the client, and in the ledger's line.

#include <array>
#include <string>

#include "base/json.h"
#include "tests/engine/support.h"
#include "weir/ledger.h"

namespace weir::engine::testing {
namespace {

constexpr std::string_view kHeader = "x-weir-explain";

std::unique_ptr<Engine> EngineWith(const std::string& sections) {
  std::string text = PolicyText({});
  text.insert(1, sections);
  return EngineOf(text);
}

std::unique_ptr<Engine> Telling() { return EngineWith(R"("headers":{"x-weir-explain":true},)"); }

json::Document Parsed(std::string_view text) {
  json::Document document;
  INFO(std::string(text));
  REQUIRE(document.Parse(text));
  return document;
}

std::string Told(const Transaction& txn) {
  const HeaderEdit* edit = FindEdit(txn, kHeader);
  REQUIRE(edit != nullptr);
  return std::string(edit->value);
}

std::string LineOf(Transaction& txn) {
  static std::array<char, ledger::kMaxLineBytes> line;
  const auto size = txn.LedgerLine(absl::MakeSpan(line));
  REQUIRE(size.ok());
  return {line.data(), *size};
}

TEST_CASE("a refusal's header says all that the explanation does") {
  auto engine = Telling();
  auto txn = Ask(*engine, "vk-nobody");
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kReply);
  CHECK(Told(*txn) == txn->Explain());
  CHECK(Told(*txn).find(R"("status":401)") != std::string::npos);
}

TEST_CASE("the header of an answer: with its head, and complete at its end") {
  auto engine = Telling();
  auto txn = Ask(*engine, "vk-red");
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  CHECK(FindEdit(*txn, kHeader) == nullptr);  // no backend's business
  Answer(*txn, 200);
  REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kContinue);
  CHECK(Told(*txn).find(R"("usage")") == std::string::npos);
  REQUIRE(txn->ResponseBody(JsonAnswer(12, 3)).ok());
  REQUIRE(Decide(*txn, At(2)).kind == ActionKind::kContinue);
  CHECK(FindEdit(*txn, kHeader) == nullptr);
  REQUIRE(txn->ResponseEnd().ok());
  REQUIRE(Decide(*txn, At(3)).kind == ActionKind::kDone);
  CHECK(Told(*txn) == txn->Explain());
  CHECK(Told(*txn).find(R"("completion":3)") != std::string::npos);
}

TEST_CASE("nobody is told who has not asked") {
  auto engine = MakeEngine();
  for (const char* key : {"vk-red", "vk-nobody"}) {
    auto txn = Ask(*engine, key);
    if (Decide(*txn, At(0)).kind == ActionKind::kForward) {
      Answer(*txn, 200);
      REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kContinue);
      CHECK(FindEdit(*txn, kHeader) == nullptr);
      REQUIRE(txn->ResponseEnd().ok());
      REQUIRE(Decide(*txn, At(2)).kind == ActionKind::kDone);
    }
    CHECK(FindEdit(*txn, kHeader) == nullptr);
    CHECK(LineOf(*txn).find(R"("explain")") == std::string::npos);
  }
}

// A model's name is the client's text.
std::string Asking(const std::string& model) {
  return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Say hello."}]})";
}

TEST_CASE("explanations are printable ASCII, whatever a client calls a model") {
  auto engine = EngineWith(R"("headers":{"x-weir-explain":true},"ledger":{"explain":true},)");
  const std::string model =
      "gr\u00fc\u00df \u4f60\U0001f600\u202e\u2028\x7f\u0085 {\\\"weir\\\":1,";
  auto txn = Ask(*engine, "vk-red", Asking(model));
  if (Decide(*txn, At(0)).kind == ActionKind::kForward) txn->ClientLeft(At(1));
  const std::string line = LineOf(*txn);
  const size_t at = line.find(R"(,"explain":)");
  REQUIRE(at != std::string::npos);
  const std::string told = line.substr(at + 11, line.size() - at - 13);
  for (const char c : told) REQUIRE((c >= 0x20 && c < 0x7f));
  CHECK(Parsed(told).root()["model"].text() == Parsed(txn->Explain()).root()["model"].text());
  ledger::LineReader reader;
  ledger::Exchange exchange;
  CHECK(reader.Read(line, &exchange));
  CHECK(Parsed(line.substr(0, line.size() - 1)).root()["explain"]["route"].text() == "chat");
}

TEST_CASE("what is too long for a header is not sent") {
  auto engine = Telling();
  auto txn = Ask(*engine, "vk-red", Asking(std::string(6000, 'm')));
  const Action action = Decide(*txn, At(0));
  if (action.kind == ActionKind::kForward) {
    Answer(*txn, 200);
    REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kContinue);
  }
  CHECK(txn->Explain().size() > 4096);
  CHECK(FindEdit(*txn, kHeader) == nullptr);
}

TEST_CASE("what is too long for a line is left out, and the line stays whole") {
  auto engine = EngineWith(R"("ledger":{"explain":true},)");
  auto txn = Ask(*engine, "vk-red", Asking(std::string(40000, 'm')));
  if (Decide(*txn, At(0)).kind == ActionKind::kForward) txn->ClientLeft(At(1));
  const std::string line = LineOf(*txn);
  CHECK(line.find(R"("explain")") == std::string::npos);
  ledger::LineReader reader;
  ledger::Exchange exchange;
  CHECK(reader.Read(line, &exchange));
}

TEST_CASE("who rests is told, and why") {
  auto engine = MakeEngine();
  auto refused = Ask(*engine, "vk-nobody");
  REQUIRE(Decide(*refused, At(0)).kind == ActionKind::kReply);
  CHECK(refused->Explain().find("resting") == std::string::npos);
  auto first = Ask(*engine, "vk-red");
  REQUIRE(Decide(*first, At(0)).kind == ActionKind::kForward);
  CHECK(first->Explain().find(R"("resting":[])") != std::string::npos);
  REQUIRE(Fail(*first, At(1), 429, "7").kind == ActionKind::kForward);
  CHECK(first->Explain().find(R"("resting":[{"backend":"a","why":"throttled","for_ms":7000}])") !=
        std::string::npos);
  Fail(*first, At(2), 429, "9");
  auto second = Ask(*engine, "vk-red");
  REQUIRE(Decide(*second, At(1002)).status == 503);
  INFO(second->Explain());
  CHECK(second->Explain().find(R"({"backend":"a","why":"throttled","for_ms":5999},)"
                               R"({"backend":"b","why":"throttled","for_ms":8000}])") !=
        std::string::npos);
}

TEST_CASE("a limit in the shadow is told as one") {
  Setup setup;
  setup.more_limits =
      R"(, "trial": {"key": "consumer.id", "unit": "tokens", "amount": 1, "per": "1m",
          "shadow": true})";
  setup.route_limits = R"(["tokens", "trial"])";
  auto engine = MakeEngine(setup);
  auto txn = Ask(*engine, "vk-red");
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  CHECK(txn->Explain().find(R"({"limit":"trial","shadow":true,"admitted":false)") !=
        std::string::npos);
  CHECK(txn->Explain().find(R"({"limit":"tokens","admitted":true)") != std::string::npos);
}

}  // namespace
}  // namespace weir::engine::testing
