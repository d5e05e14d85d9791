// Segments in files: shared, kept, refused, forked, killed.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "state/table.h"
#include "tests/support/catch.h"
#include "tests/support/processes.h"
#include "weir/state.h"

namespace weir::state {
namespace {

using testing::Shared;
using testing::TempPath;

std::unique_ptr<Segment> Open(const TempPath& path, const FileOptions& options = {}) {
  auto segment = Segment::OpenFile(path.str(), options);
  INFO(segment.status().ToString());
  REQUIRE(segment.ok());
  return *std::move(segment);
}

// The exit code of a child that runs `body`; -1 when it was killed.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("a file keeps its regions, size and seed") {
  const TempPath path;
  {
    auto segment = Open(path, {.bytes = size_t{1} << 20, .seed = 5});
    std::memcpy(*segment->Region("r", 100), "kept", 5);
  }
  auto again = Open(path, {.bytes = size_t{4} << 20, .seed = 6});
  CHECK(again->bytes() == size_t{1} << 20);
  CHECK(again->seed() == 5);
  CHECK(std::string(static_cast<const char*>(*again->Region("r", 100))) == "kept");
  CHECK(again->FindRegion("r", 100).ok());
  CHECK(again->FindRegion("none", 100).status().code() == absl::StatusCode::kNotFound);
  const auto mode = std::filesystem::status(path.str()).permissions();
  CHECK(mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("two openings of one file are one memory") {
  const TempPath path;
  auto a = Open(path);
  auto b = Open(path);
  CHECK(a->identity().word() != b->identity().word());
  auto* first = static_cast<std::atomic<int>*>(*a->Region("r", 64));
  auto* second = static_cast<std::atomic<int>*>(*b->Region("r", 64));
  CHECK(first != second);
  first->store(7);
  CHECK(second->load() == 7);
  CHECK_FALSE(a->identity().IsGone(b->identity().word()));
  const uint32_t word = b->identity().word();
  b.reset();
  CHECK(a->identity().IsGone(word));
}

TEST_CASE("files that are no segment of this build are refused, and replaced on demand") {
  const auto write = [](const TempPath& path, size_t at, const std::string& bytes) {
    std::fstream file(path.str(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  };
  const TempPath path;
  const auto refusal = [&] {
    const auto segment = Segment::OpenFile(path.str(), {});
    CHECK(segment.status().code() == absl::StatusCode::kFailedPrecondition);
    CHECK_FALSE(Segment::OpenReadOnly(path.str()).ok());
    return std::string(segment.status().message());
  };
  SECTION("another format") {
    Open(path);
    write(path, 8, std::string("\x63\0\0\0", 4));
    CHECK(refusal().find("has format 99, this build has ") != std::string::npos);
  }
  SECTION("a directory that points elsewhere") {
    { CHECK(Open(path)->Region("r", 64).ok()); }
    // Whatever word of the directory is changed, no region lies outside.
    std::fstream file(path.str(), std::ios::in | std::ios::out | std::ios::binary);
    std::string header(size_t{64} << 10, '\0');
    file.read(header.data(), static_cast<std::streamsize>(header.size()));
    const size_t entry = header.find(std::string("r\0\0\0\0\0\0\0", 8));
    REQUIRE(entry != std::string::npos);
    file.close();
    write(path, entry + 56, std::string("\x80\0\0\0\x7F\0\0\0", 8));  // its offset
    CHECK(refusal().find("is damaged") != std::string::npos);
  }
  SECTION("something else") {
    std::ofstream(path.str()) << std::string(size_t{1} << 20, 'x');
    CHECK(refusal().find("is not a weir segment") != std::string::npos);
  }
  SECTION("short") {
    std::ofstream(path.str()) << "text";
    CHECK(refusal().find("is not a weir segment") != std::string::npos);
  }
  SECTION("cut off") {
    Open(path);
    std::filesystem::resize_file(path.str(), size_t{8} << 20);
    CHECK(refusal().find("has 8388608 bytes, not the 16777216") != std::string::npos);
  }
  auto replaced = Open(path, {.replace = true});
  CHECK(replaced->Region("r", 64).ok());
}

TEST_CASE("what can not be opened has a status of its own") {
  CHECK(Segment::OpenFile("/nowhere/at/all", {}).status().code() == absl::StatusCode::kNotFound);
  CHECK(Segment::OpenReadOnly("/nowhere").status().code() == absl::StatusCode::kNotFound);
  CHECK_FALSE(Segment::OpenFile("/proc", {}).ok());
  const TempPath path;
  CHECK(Segment::OpenFile(path.str(), {.bytes = 1}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Segment::OpenFile(path.str(), {.bytes = size_t{1} << 60}).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("a maker that died before the end is made good") {
  const TempPath path;
  std::ofstream(path.str()) << std::string(size_t{1} << 20, '\0');
  auto segment = Open(path, {.seed = 9});
  CHECK(segment->seed() == 9);
  CHECK(segment->bytes() == size_t{1} << 20);
}

TEST_CASE("a read-only opening sees and makes nothing") {
  const TempPath path;
  auto segment = Open(path);
  std::memcpy(*segment->Region("r", 100), "seen", 5);
  auto reader = Segment::OpenReadOnly(path.str());
  REQUIRE(reader.ok());
  CHECK(std::string(static_cast<const char*>(*(*reader)->Region("r", 100))) == "seen");
  CHECK((*reader)->Region("new", 100).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("the lock of a dead process is taken over, that of a living one is not") {
  const TempPath path;
  auto segment = Open(path);
  auto* lock = static_cast<LockWord*>(*segment->Region("lock", sizeof(LockWord)));
  // A child dies with the lock; a fork of this process, and one with an opening of its own.
  for (const bool reopen : {false, true}) {
    InChild([&] {
      auto own = reopen ? *Segment::OpenFile(path.str(), {}) : std::move(segment);
      Lock(*static_cast<LockWord*>(*own->Region("lock", sizeof(LockWord))), own->identity());
      kill(getpid(), SIGKILL);
      return 0;
    });
    REQUIRE(lock->load() != 0);
    CHECK(segment->identity().IsGone(lock->load()));
    Lock(*lock, segment->identity());  // does not hang
    CHECK(lock->load() == segment->identity().word());
    Unlock(*lock);
  }
  Lock(*lock, segment->identity());
  CHECK(InChild([&] { return TryTakeOver(*lock, segment->identity()) ? 1 : 2; }) == 2);
  Unlock(*lock);
}

TEST_CASE("a child of a fork is another process, whoever dies first") {
  const TempPath path;
  auto segment = Open(path);
  const uint32_t word = segment->identity().word();
  struct Words {
    std::atomic<uint32_t> child{0};
    std::atomic<bool> parent_gone{false};
  };
  auto* shared = Shared<Words>();
  // Child and grandchild: the grandchild sees the child die.
  InChild([&]() -> int {
    shared->child = segment->identity().word();
    const pid_t parent = getpid();
    if (fork() != 0) _exit(0);
    while (getppid() == parent) usleep(100);
    for (int i = 0; i < 5000 && !shared->parent_gone; ++i) {
      shared->parent_gone = segment->identity().IsGone(shared->child);
      usleep(1000);
    }
    shared->child = 0;
    _exit(0);
  });
  for (int i = 0; i < 20000 && shared->child != 0; ++i) usleep(1000);
  CHECK(shared->child == 0);
  CHECK(shared->parent_gone);
  CHECK(segment->identity().word() == word);
}

TEST_CASE("a parent that died is gone, though a child of its fork lives and has its memory") {
  const TempPath path;
  auto* seen = Shared<std::atomic<bool>>();
  InChild([&] {
    auto own = *Segment::OpenFile(path.str(), {});
    Lock(*static_cast<LockWord*>(*own->Region("lock", sizeof(LockWord))), own->identity());
    if (fork() == 0) {
      for (int i = 0; i < 20000 && !*seen; ++i) usleep(1000);
      _exit(0);
    }
    kill(getpid(), SIGKILL);
    return 0;
  });
  auto segment = Open(path);
  auto* lock = static_cast<LockWord*>(*segment->Region("lock", sizeof(LockWord)));
  REQUIRE(lock->load() != 0);
  // The child gives up its copy of the mark as soon as it runs.
  for (int i = 0; i < 5000 && !segment->identity().IsGone(lock->load()); ++i) usleep(1000);
  CHECK(segment->identity().IsGone(lock->load()));
  *seen = true;
}

TEST_CASE("a private segment survives a fork with a lock held") {
  auto made = Segment::CreatePrivate({});
  REQUIRE(made.ok());
  auto* lock = static_cast<LockWord*>(*(*made)->Region("lock", sizeof(LockWord)));
  Lock(*lock, (*made)->identity());
  // The holder does not exist in the child.
  CHECK(InChild([&] {
          Lock(*lock, (*made)->identity());
          return 3;
        }) == 3);
  CHECK(lock->load() == (*made)->identity().word());
  Unlock(*lock);
}

TEST_CASE("a slot whose process died over it is claimed again") {
  struct Item {
    uint64_t value;
  };
  const TempPath path;
  auto segment = Open(path);
  auto table = Table<Item>::Open(segment.get(), "items", 1);
  REQUIRE(table.ok());
  const auto idle = [](const Item&) { return true; };
  InChild([&] {
    const auto slot = table->FindOrClaim({1, 1}, idle);
    if (!slot || !table->Lock(*slot, {1, 1})) return 1;
    kill(getpid(), SIGKILL);
    return 0;
  });
  const auto slot = table->FindOrClaim({2, 2}, idle);
  REQUIRE(slot);
  CHECK(table->Lock(*slot, {2, 2}));
  table->Unlock(*slot);
}

}  // namespace
}  // namespace weir::state
