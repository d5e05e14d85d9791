// What transcripts cannot say: the end of a transaction in every state, secrets, order of calls.

#include "tests/engine/support.h"

#include <thread>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "weir/stream_meter.h"

namespace weir::engine::testing {
namespace {

const char kStreamStart[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi there\"}}]}\n\n";

// Brings a transaction into the n-th state of its life; false when there is no n-th.
bool BringTo(int state, Transaction& txn, Now now) {
  if (state == 0) return true;  // admitted and forwarded
  if (state <= 2) return txn.ResponseHead(state == 1 ? 200 : 500).ok();
  if (state == 3) return txn.ResponseFailed(Failure::kReset).ok();
  Answer(txn, 200, state < 8 ? "text/event-stream" : "application/json");
  Decide(txn, now);
  if (state == 4) return true;
  if (state < 8) {
    REQUIRE(txn.ResponseBody(kStreamStart).ok());
    if (state == 5) return true;  // fed and not decided
    Decide(txn, now);
    return state == 6 || txn.ResponseFailed(Failure::kReset).ok();
  }
  REQUIRE(txn.ResponseBody(JsonAnswer(10, 5).substr(0, 60)).ok());
  return state == 8;
}

TEST_CASE("whatever state it is freed in, nothing stays reserved, and what was used is charged") {
  // Per state: what red is charged. The reservation was 10 + 100.
  const std::vector<uint64_t> charged = {10, 10, 0, 0, 10, 12, 12, 12, 10};
  for (int state = 0; state < 9; ++state) {
    INFO("state " << state);
    auto engine = MakeEngine();
    {
      auto txn = Ask(*engine, "vk-red");
      REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
      REQUIRE(BringTo(state, *txn, At(10)));
    }
    CHECK(Remaining(*engine, "vk-red", At(20)) == 1000 - charged[static_cast<size_t>(state)]);
  }
}

TEST_CASE("a client that left is settled once, and explained") {
  auto engine = MakeEngine();
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(0));
  Answer(*txn, 200, "text/event-stream");
  Decide(*txn, At(1));
  REQUIRE(txn->ResponseBody(kStreamStart).ok());
  txn->ClientLeft(At(2));
  const std::string explained = txn->Explain();
  CHECK(explained.find(R"("status":499)") != std::string::npos);
  CHECK(explained.find(R"("outcome":"abandoned")") != std::string::npos);
  CHECK(explained.find(R"("usage":{"prompt":10,"completion":2,)") != std::string::npos);
  txn->ClientLeft(At(3));
  CHECK_FALSE(txn->Next(At(3)).ok());
  txn.reset();
  CHECK(Remaining(*engine, "vk-red", At(4)) == 1000 - 12);
}

TEST_CASE("freed before it was decided upon, it never happened") {
  auto engine = MakeEngine();
  { auto txn = engine->Begin(); }
  { auto txn = Ask(*engine, "vk-red"); }
  CHECK(engine->MetricsText().find("weir_requests_total{") == std::string::npos);
  CHECK(Remaining(*engine, "vk-red", At(0)) == 1000);
}

TEST_CASE("an answer is charged what the provider stated") {
  auto engine = MakeEngine();
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(0));
  Answer(*txn, 200);
  CHECK(Decide(*txn, At(1)).status == 200);
  REQUIRE(txn->ResponseBody(JsonAnswer(11, 7)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  const Action done = Decide(*txn, At(2));
  CHECK(done.kind == ActionKind::kDone);
  CHECK(done.relay == Relay::kInput);
  CHECK(FindEdit(*txn, "x-weir-tokens-consumed")->value == "18");
  CHECK(Remaining(*engine, "vk-red", At(3)) == 1000 - 18);
  CHECK(txn->Next(At(4)).status().code() == absl::StatusCode::kFailedPrecondition);
}

// {"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18},"choices":[{"index":0,
// "message":{"content":"hi"},"finish_reason":"stop"}]}, through gzip.
const std::string_view kGzippedAnswer(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x45\x8c\x41\x0a\xc3\x30\x0c\x04\xff\xb2\x67\x1f\x9a"
    "\x53\x8b\xbf\x52\x42\x30\xae\x1a\x8b\x26\x92\x89\x54\x28\x18\xff\x3d\xbe\xb4\x3d\xee\x30\xb3"
    "\x0d\x6f\x4b\x2b\x21\x36\xd4\x43\xf7\xea\x8b\xeb\x8b\xc4\x10\xa7\x29\x20\x0f\xb2\x91\xb3\xca"
    "\x0f\x5f\x03\x5c\x3d\x6d\x7f\xef\xd6\x87\x58\x94\x33\x8d\x75\x6f\x60\x79\xd0\x07\xf1\x12\xb0"
    "\x93\x7d\xcf\xb3\x8a\x93\x38\x22\x0a\x63\x04\x4f\x16\xb6\xb2\x1c\x94\x4c\x65\x50\x73\xad\xe8"
    "\x73\x3f\x01\x23\x2d\x53\x73\x90\x00\x00\x00",
    126);

TEST_CASE("an encoded answer is read, and passed on as it came") {
  metering::StreamMeterOptions gzip;
  gzip.content_encoding = "gzip";
  if (metering::StreamMeter::Create(gzip)->reader() == nullptr) return;  // a build without zlib
  auto engine = MakeEngine();
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(0));
  Answer(*txn, 200);
  REQUIRE(txn->ResponseHeader("Content-Encoding", "gzip").ok());
  Decide(*txn, At(1));
  REQUIRE(txn->ResponseBody(kGzippedAnswer).ok());
  CHECK(Decide(*txn, At(2)).relay == Relay::kInput);
  REQUIRE(txn->ResponseEnd().ok());
  CHECK(Decide(*txn, At(2)).kind == ActionKind::kDone);
  CHECK(FindEdit(*txn, "x-weir-tokens-consumed")->value == "18");
  CHECK(Remaining(*engine, "vk-red", At(3)) == 1000 - 18);
}

TEST_CASE("an answer that cannot be read is estimated, but not above what it was allowed") {
  for (const bool stated : {false, true}) {
    auto engine = MakeEngine();
    std::string body = Body();
    if (stated) body.insert(1, R"("max_tokens":30,)");
    auto txn = Ask(*engine, "vk-red", body);
    Decide(*txn, At(0));
    Answer(*txn, 200);
    REQUIRE(txn->ResponseHeader("Content-Encoding", "x-unheard-of").ok());
    Decide(*txn, At(1));
    REQUIRE(txn->ResponseBody(std::string(120, '\x8b')).ok());
    CHECK(Decide(*txn, At(2)).relay == Relay::kInput);
    REQUIRE(txn->ResponseEnd().ok());
    Decide(*txn, At(2));
    CHECK(txn->Explain().find(R"("unread":"unknown_encoding")") != std::string::npos);
    txn.reset();
    CHECK(Remaining(*engine, "vk-red", At(3)) == 1000 - 10 - (stated ? 30 : 60));
  }
}

TEST_CASE("a retry charges the consumer once and each backend's own capacity") {
  auto engine = MakeEngine();
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(0));
  CHECK(txn->url() == "http://a.test");
  Answer(*txn, 503);
  const Action second = Decide(*txn, At(1));
  CHECK(second.kind == ActionKind::kForward);
  CHECK(second.attempt == 2);
  CHECK(txn->url() == "http://b.test");
  CHECK(txn->target() == "/base/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21");
  Answer(*txn, 200);
  Decide(*txn, At(2));
  REQUIRE(txn->ResponseBody(JsonAnswer(10, 5)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, At(3));
  txn.reset();
  CHECK(Remaining(*engine, "vk-red", At(4)) == 1000 - 15);
}

TEST_CASE("each attempt's body is made from the original") {
  auto engine = MakeEngine();
  const std::string body = R"({ "stream" : true, "messages":[{"role":"user","content":"x"}] })";
  auto txn = Ask(*engine, "vk-red", body, "/openai/deployments/gpt-4o/chat/completions");
  Decide(*txn, At(0));
  json::Document first;
  REQUIRE(first.Parse(txn->body()));
  CHECK(first.root()["model"].text() == "gpt-4o");  // the path's model, for a backend that wants it
  CHECK(first.root()["stream_options"]["include_usage"].boolean());
  Answer(*txn, 429);
  Decide(*txn, At(1));
  json::Document second;
  REQUIRE(second.Parse(txn->body()));
  CHECK_FALSE(second.root()["model"]);
}

TEST_CASE("credentials of the client never reach a backend, nor a backend's anybody else") {
  auto engine = MakeEngine();
  auto txn = engine->Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "").ok());
  REQUIRE(txn->RequestHeader("API-Key", "vk-red").ok());
  REQUIRE(txn->RequestHeader("x-weir-debug", "1").ok());
  REQUIRE(txn->RequestBody(Body()).ok());
  REQUIRE(txn->RequestEnd().ok());
  Decide(*txn, At(0));
  CHECK(FindEdit(*txn, "api-key")->operation == HeaderEdit::Operation::kRemove);
  CHECK(FindEdit(*txn, "x-weir-debug")->operation == HeaderEdit::Operation::kRemove);
  CHECK(FindEdit(*txn, "authorization")->value == "Bearer backend-secret-a");
  Answer(*txn, 200);
  Decide(*txn, At(1));
  std::string shown = txn->Explain() + engine->MetricsText() + engine->StatusJson(At(1));
  for (const HeaderEdit& edit : txn->headers()) shown += Concat({edit.name, edit.value});
  for (const char* secret : {"vk-red", "backend-secret", "Hello, world"}) {
    CHECK(shown.find(secret) == std::string::npos);
  }
}

TEST_CASE("calls out of order are refused and change nothing") {
  auto engine = MakeEngine();
  auto txn = engine->Begin();
  CHECK_FALSE(txn->Next(At(0)).ok());
  CHECK_FALSE(txn->RequestHeader("a", "b").ok());
  CHECK_FALSE(txn->RequestBody("x").ok());
  CHECK_FALSE(txn->ResponseHead(200).ok());
  CHECK_FALSE(txn->CallResult(1, 200, "").ok());
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "").ok());
  CHECK_FALSE(txn->RequestHead("POST", "/v1/chat/completions", "").ok());
  REQUIRE(txn->RequestHeader("authorization", "Bearer vk-red").ok());
  CHECK(Decide(*txn, At(0)).kind == ActionKind::kContinue);
  CHECK_FALSE(txn->Attribute("late", "x").ok());
  REQUIRE(txn->RequestBody(Body()).ok());
  REQUIRE(txn->RequestEnd().ok());
  CHECK_FALSE(txn->RequestEnd().ok());
  CHECK_FALSE(txn->RequestBody("x").ok());
  CHECK(Decide(*txn, At(0)).kind == ActionKind::kForward);
  CHECK_FALSE(txn->Next(At(0)).ok());
  CHECK_FALSE(txn->ResponseBody("x").ok());
  CHECK_FALSE(txn->ResponseHead(7).ok());
  CHECK(txn->ResponseHead(200).ok());
}

TEST_CASE("bounds have answers") {
  auto engine = MakeEngine();
  const auto status_of = [&](auto feed) {
    auto txn = engine->Begin();
    feed(*txn);
    return Decide(*txn, At(0)).status;
  };
  CHECK(status_of([](Transaction& txn) {
          REQUIRE(txn.RequestHead("POST", "/" + std::string(kMaxTargetBytes, 'x'), "").ok());
        }) == 414);
  CHECK(status_of([](Transaction& txn) {
          REQUIRE(txn.RequestHead("POST", "/v1/chat/completions", "").ok());
          for (size_t i = 0; i <= kMaxHeaders; ++i) REQUIRE(txn.RequestHeader("x", "y").ok());
        }) == 431);
  CHECK(status_of([](Transaction& txn) {
          REQUIRE(txn.RequestHead("POST", "/v1/chat/completions", "").ok());
          REQUIRE(txn.RequestHeader("authorization", "Bearer vk-red").ok());
          const std::string piece(1 << 20, ' ');
          for (int i = 0; i < 17; ++i) REQUIRE(txn.RequestBody(piece).ok());
        }) == 413);
}

TEST_CASE("what is not an inference books nothing") {
  auto engine = MakeEngine();
  auto txn = engine->Begin();
  REQUIRE(txn->RequestHead("GET", "/v1/models?limit=3", "").ok());
  REQUIRE(txn->RequestEnd().ok());
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  CHECK(txn->target() == "/v1/models?limit=3");
  Answer(*txn, 200);
  Decide(*txn, At(1));
  REQUIRE(txn->ResponseBody("{\"data\":[]}").ok());
  REQUIRE(txn->ResponseEnd().ok());
  CHECK(Decide(*txn, At(2)).kind == ActionKind::kDone);
  CHECK(engine->MetricsText().find("gen_ai_client_token_usage_count") == std::string::npos);
}

// Random hosts: any order of calls, any bytes, clocks that jump. Whatever they do, at the end
// everything that was held has been given back: after a window red has all of its limit.
TEST_CASE("no order of events leaks a reservation") {
  auto engine = MakeEngine();
  Random random(5);
  int64_t ms = 0;
  for (int round = 0; round < 4000; ++round) {
    auto txn =
        random.Below(4) == 0 ? engine->Begin() : Ask(*engine, "vk-red", Body(random.Below(2)));
    for (int step = 0; step < 14; ++step) {
      ms += static_cast<int64_t>(random.Below(40));
      const Now now = At(random.Below(50) == 0 ? ms - 5000 : ms);
      absl::Status ignored;
      switch (random.Below(9)) {
        case 0:
          ignored = txn->RequestHead("POST", "/v1/chat/completions", "");
          break;
        case 1:
          ignored = txn->RequestBody("{");
          break;
        case 2:
          ignored = txn->ResponseHead(random.Below(3) == 0 ? 500 : 200);
          break;
        case 3:
          ignored = txn->ResponseHeader("content-type", "text/event-stream");
          break;
        case 4:
          ignored = txn->ResponseBody(random.Below(2) ? kStreamStart : "garbage\n\n");
          break;
        case 5:
          ignored = random.Below(3) == 0 ? txn->ResponseEnd() : absl::OkStatus();
          break;
        case 6:
          ignored = txn->ResponseFailed(static_cast<Failure>(1 + random.Below(3)));
          break;
        default:
          ignored = txn->Next(now).status();
      }
      REQUIRE(ignored.code() != absl::StatusCode::kInternal);
    }
  }
  CHECK(Remaining(*engine, "vk-red", At(ms + 200000)) == 1000);
}

TEST_CASE("threads share one limit, through reloads, and never pass it") {
  Setup setup;
  setup.limit = R"("key": "'all'", "unit": "requests", "amount": 500, "per": "60s")";
  auto engine = MakeEngine(setup);
  std::atomic<int> admitted{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 400; ++i) {
        auto txn = engine->Begin();
        bool sound = txn->RequestHead("POST", "/v1/chat/completions", "").ok();
        sound = sound && txn->RequestHeader("authorization", "Bearer vk-blue").ok();
        sound = sound && txn->RequestBody(Body()).ok() && txn->RequestEnd().ok();
        const auto action = txn->Next(At(0));
        if (!sound || !action.ok() || action->kind != ActionKind::kForward) continue;
        ++admitted;
        if (txn->ResponseHead(200).ok() && txn->Next(At(0)).ok() && txn->ResponseEnd().ok()) {
          sound = txn->Next(At(0)).ok();
        }
      }
    });
  }
  std::thread reloader([&] {
    while (!stop) {
      CHECK(engine->Reload(ParsePolicy(PolicyText(setup))).ok());
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reloader.join();
  CHECK(admitted == 500);
}

TEST_CASE("a reload that cannot be leaves the old policy and its counters") {
  auto engine = MakeEngine();
  {
    auto txn = Ask(*engine, "vk-red");
    Decide(*txn, At(0));
  }
  std::string text = PolicyText({});
  text.replace(text.find("\"Bearer backend-secret-a\""), 25, R"({"env": "NOT_GIVEN"})");
  const absl::Status refused = engine->Reload(ParsePolicy(text));
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("NOT_GIVEN") != std::string::npos);
  auto broken = ParsePolicy(text);
  broken->set_secret(0, "key\nx-admin: yes");
  CHECK(std::string(engine->Reload(broken).message()).find("line break") != std::string::npos);
  Setup changed;
  changed.attempts = 1;
  CHECK(engine->Reload(ParsePolicy(PolicyText(changed))).ok());
  CHECK(Remaining(*engine, "vk-red", At(1)) == 1000 - 10);
}

}  // namespace
}  // namespace weir::engine::testing
