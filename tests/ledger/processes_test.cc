// Several processes append to one file while some of them are killed: what was acknowledged is
// there exactly once.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/ledger/ledgers.h"
#include "tests/support/sanitizers.h"

namespace weir::ledger {
namespace {

using testing::LedgerFolder;
using testing::LineOf;
using testing::TimeNow;

constexpr int kWriters = 4;

struct Progress {
  std::atomic<uint64_t> acknowledged[kWriters];  // numbers below it are
};

// Goes on where its predecessor was killed. The number that it died in may be in the file.
void WriteOn(const LedgerFolder& folder, const FileOptions& options, uint64_t writer,
             uint64_t until, Progress* progress, uint64_t begin) {
  auto file = File::Open(folder.file(), options, TimeNow());
  if (!file.ok()) _exit(2);
  for (uint64_t number = begin; number < until; ++number) {
    const auto appended = (*file)->Append(LineOf(writer, number), TimeNow());
    if (!appended.ok() || *appended != Appended::kWritten) _exit(3);
    progress->acknowledged[writer].store(number + 1);
  }
}

void KillLoop(const FileOptions& options, int kills, size_t files_at_least) {
  const LedgerFolder folder;
  auto* progress = testing::Shared<Progress>();
  Random random(7);
  pid_t children[kWriters];
  std::set<std::pair<uint64_t, uint64_t>> unsure;
  const auto start = [&](uint64_t writer, uint64_t begin, uint64_t until) {
    children[writer] = testing::Start(
        [&, writer, begin, until] { WriteOn(folder, options, writer, until, progress, begin); });
  };
  for (uint64_t writer = 0; writer < kWriters; ++writer) start(writer, 0, UINT64_MAX);
  for (int i = 0; i < kills; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(4000)));
    const uint64_t writer = random.Below(kWriters);
    kill(children[writer], SIGKILL);
    waitpid(children[writer], nullptr, 0);
    // Never two lines of one number: the one it died in is passed over.
    const uint64_t next = progress->acknowledged[writer].load();
    unsure.insert({writer, next});
    progress->acknowledged[writer].store(next + 1);
    start(writer, next + 1, UINT64_MAX);
  }
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    kill(children[writer], SIGKILL);
    waitpid(children[writer], nullptr, 0);
    unsure.insert({writer, progress->acknowledged[writer].load()});
  }
  ReadCounts counts;
  auto found = folder.Read(&counts);
  uint64_t wanted = 0;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    const uint64_t until = progress->acknowledged[writer].load();
    REQUIRE(until > 100);
    for (uint64_t number = 0; number < until; ++number) {
      const auto id = std::make_pair(writer, number);
      if (unsure.count(id) != 0) continue;
      ++wanted;
      REQUIRE(found[id] == 1);
    }
  }
  for (const auto& id : unsure) REQUIRE(found[id] <= 1);
  CHECK(counts.lines >= wanted);
  CHECK(counts.lines <= wanted + unsure.size());
  CHECK(counts.poison <= unsure.size());
  CHECK(folder.Files() >= files_at_least);
}

int Kills() {
  if (std::getenv("WEIR_LONG") != nullptr) return 3000;
  return testing::kUnderSanitizer ? 30 : 80;
}

TEST_CASE("writers are killed at any instant") { KillLoop({}, Kills(), 1); }

TEST_CASE("writers are killed at any instant, and files change their names") {
  KillLoop({.rotate_bytes = 200'000}, Kills(), 3);
}

TEST_CASE("threads of one file") {
  const LedgerFolder folder;
  auto file = *File::Open(folder.file(), {.rotate_bytes = 100'000}, TimeNow());
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (uint64_t number = 0; number < 500; ++number) {
        const auto appended = file->Append(LineOf(writer, number), TimeNow());
        failures += !appended.ok() || *appended != Appended::kWritten ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 500 * kWriters);
  CHECK(counts.poison == 0);
}

}  // namespace
}  // namespace weir::ledger
