// Long and hostile input: exact counts, work in proportion, little stack.

#include <pthread.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/tokens/oracle.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

constexpr size_t kMillion = 1000000;

std::string Repeat(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() + unit.size() <= bytes) text += unit;
  return text;
}

TEST_CASE("a megabyte of one thing has the known count") {
  const std::string spaces_x = std::string(kMillion - 1, ' ') + "x";
  const std::string family = "\U0001F469\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466";
  std::string marks;
  for (int i = 0; i < 500000; ++i) marks += i == 0 ? "e\u0301" : "\u0301";
  struct {
    std::string text;
    size_t cl100k, o200k;
  } const cases[] = {
      {std::string(kMillion, 'a'), 125000, 125000},
      {std::string(kMillion, ' '), 7813, 7813},
      {spaces_x, 7814, 7814},
      {std::string(kMillion, '\n'), 31250, 62500},
      {std::string(kMillion, '\t'), 62500, 62500},
      {Repeat("\r\n", kMillion), 125000, 125000},
      {Repeat(" \n", kMillion), 250000, 250000},
      {std::string(kMillion, '0'), 333334, 333334},
      {std::string(kMillion, '^'), 250000, 125000},
      {std::string(kMillion, 'A'), 125000, 125000},
      {Repeat("ab", kMillion), 500000, 250000},
      {Repeat("aB", kMillion), 500001, 500001},
      {Repeat("'s'S'll", kMillion), 428571, 428571},
      {Repeat("\u00A0", kMillion), 62500, 62500},
      {Repeat("\u4E2D", kMillion), 333333, 333333},
      {Repeat("\U0001F600", kMillion), 500000, 250000},
      {Repeat("\uFFFD", kMillion), 83334, 41668},
      {marks, 500001, 500001},
      {Repeat(family, family.size() * 40000), 720000, 440000},
  };
  for (const auto& test : cases) {
    INFO(testing::EncodeUtf8(testing::DecodeLossy(test.text.substr(0, 12))));
    CHECK(Find("cl100k_base")->Count(test.text) == test.cl100k);
    CHECK(Find("o200k_base")->Count(test.text) == test.o200k);
  }
}

TEST_CASE("an ill-formed megabyte counts as so many U+FFFD") {
  CHECK(Find("cl100k_base")->Count(std::string(333333, '\xFF')) == 83334);
  CHECK(Find("o200k_base")->Count(std::string(333333, '\x80')) == 41668);
}

std::string Hostile(int kind, size_t bytes) {
  Random random(static_cast<uint64_t>(kind));
  std::string text;
  switch (kind) {
    case 0:
      return std::string(bytes, 'a');
    case 1:
      return std::string(bytes, ' ') + "x";
    case 2:
      return Repeat("\u4E2D", bytes);
    case 3:  // one piece of random letters: the most different pairs
      while (text.size() < bytes) text += static_cast<char>('a' + random.Below(26));
      return text;
    case 4:  // capital runs that the o200k rules back off from
      return Repeat("\u02B0ABCDEFGHIJKLMNOPQRSTUVWXYZ", bytes);
    case 5:  // whitespace runs that end in a newline far back
      return Repeat("\n                                                                ", bytes);
    case 6:
      while (text.size() < bytes) text += "!#$%&*+,-.:;<=>?@^_`{|}~"[random.Below(24)];
      return text;
    default:
      while (text.size() < bytes) text += static_cast<char>(random.Below(256));
      return text;
  }
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr size_t kHostileBytes = size_t{4} << 20;
#else
constexpr size_t kHostileBytes = size_t{1} << 19;
#endif

struct Task {
  std::vector<size_t> counts;
};

void* CountAll(void* argument) {
  auto* task = static_cast<Task*>(argument);
  for (int kind = 0; kind < 8; ++kind) {
    const std::string text = Hostile(kind, kHostileBytes);
    task->counts.push_back(Find("o200k_base")->Count(text));
    task->counts.push_back(Find("cl100k_base")->Count(text));
  }
  return nullptr;
}

TEST_CASE("hostile text of some MiB on a stack of 64 KiB") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const size_t stack_bytes = size_t{1} << 20;  // the sanitizers need some for themselves
#else
  const size_t stack_bytes = size_t{64} << 10;
#endif
  Task task;
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, CountAll, &task) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
  REQUIRE(task.counts.size() == 16);
  for (const size_t count : task.counts) CHECK(count > 0);
}

TEST_CASE("cutting at a newline before a letter changes nothing") {
  // Pieces do not cross such a place, so whole and parts must agree, however long the text.
  Random random(7);
  std::string whole;
  size_t parts[2] = {0, 0};
  for (int i = 0; i < 400; ++i) {
    std::string part;
    for (uint64_t n = 1 + random.Below(60); n > 0; --n) {
      part += "etaoin shrdlu,.'S0/\t"[random.Below(20)];
    }
    part = "word" + part + "x\n";
    parts[0] += Find("cl100k_base")->Count(part);
    parts[1] += Find("o200k_base")->Count(part);
    whole += part;
  }
  CHECK(Find("cl100k_base")->Count(whole) == parts[0]);
  CHECK(Find("o200k_base")->Count(whole) == parts[1]);
}

TEST_CASE("threads share a tokenizer") {
  const std::string text = Hostile(3, 3000) + " the quick brown fox \xFF " + Hostile(6, 500);
  const size_t expected = Find("o200k_base")->Count(text);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::vector<uint32_t> ids;
        wrong += Find("o200k_base")->Encode(text, &ids) != expected || ids.size() != expected;
        wrong += Find("o200k_base")->Count(text) != expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace weir::tokens
