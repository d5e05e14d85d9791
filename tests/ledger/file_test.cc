// One process and its file: disks that fail, spools that fill, files that are renamed.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <string>

#include "base/random.h"
#include "ledger/disk.h"
#include "tests/ledger/ledgers.h"

namespace weir::ledger {
namespace {

using testing::LedgerFolder;
using testing::LineOf;
using testing::TimeNow;

std::unique_ptr<File> OpenLedger(const LedgerFolder& folder, const FileOptions& options = {}) {
  auto file = File::Open(folder.file(), options, TimeNow());
  REQUIRE(file.ok());
  return *std::move(file);
}

void Spit(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

TEST_CASE("appending") {
  const LedgerFolder folder;
  const auto file = OpenLedger(folder);
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto appended = file->Append(LineOf(1, i), TimeNow());
    REQUIRE(appended.ok());
    REQUIRE(*appended == Appended::kWritten);
  }
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 1000);
  CHECK(counts.poison == 0);
  CHECK(file->status().written_lines == 1000);
  CHECK(file->status().written_bytes == std::filesystem::file_size(folder.file()));
  CHECK(file->Accepts(TimeNow()));
  CHECK(file->Sync(TimeNow()).ok());
  for (const std::string& bad : {std::string(), std::string("\n"), std::string("a"),
                                 std::string("a\nb\n"), std::string(kMaxLineBytes, 'x') + "\n"}) {
    CHECK(absl::IsInvalidArgument(file->Append(bad, TimeNow()).status()));
  }
}

TEST_CASE("what is no place for a ledger") {
  const LedgerFolder folder;
  const auto code = [](const std::string& path) {
    return File::Open(path, {}, TimeNow()).status().code();
  };
  CHECK(code("/dev/full") == absl::StatusCode::kFailedPrecondition);
  CHECK(code(folder.file() + "/x/y") == absl::StatusCode::kNotFound);
  CHECK_FALSE(File::Open(std::filesystem::path(folder.file()).parent_path(), {}, TimeNow()).ok());
  CHECK(absl::IsInvalidArgument(
      File::Open(folder.file(), {.spool_bytes = kMaxLineBytes - 1}, TimeNow()).status()));
  CHECK(absl::IsInvalidArgument(
      File::Open(folder.file(), {.rotate_every_ns = -1}, TimeNow()).status()));
}

TEST_CASE("a torn tail costs itself, and only its line feed nothing") {
  const std::string line = LineOf(1, 1);
  for (const size_t cut : {size_t{1}, line.size() / 2, line.size() - 1}) {
    const LedgerFolder folder;
    Spit(folder.file(), LineOf(1, 0) + line.substr(0, cut));
    const auto file = OpenLedger(folder);
    CHECK(file->status().torn_tails == 1);
    CHECK(*file->Append(LineOf(1, 2), TimeNow()) == Appended::kWritten);
    CHECK(*file->Append(LineOf(1, 3), TimeNow()) == Appended::kWritten);
    ReadCounts counts;
    const bool whole = cut == line.size() - 1;
    CHECK(folder.Read(&counts).size() == (whole ? 4 : 3));
    CHECK(counts.poison == (whole ? 0 : 1));
  }
}

// Takes so many bytes, then fails; or fails by chance.
class BadDisk : public Disk {
 public:
  explicit BadDisk(uint64_t seed) : random_(seed) {}

  ssize_t Write(int descriptor, const char* bytes, size_t size) override {
    if (room_ == 0 && chance_ == 0) {
      errno = error_;
      return -1;
    }
    size_t take = std::min(size, room_);
    if (chance_ != 0) {
      const uint64_t drawn = random_.Below(100);
      if (drawn < chance_ / 2) {
        errno = drawn % 2 == 0 ? EIO : ENOSPC;
        return -1;
      }
      take = drawn < chance_ ? random_.Below(size) : size;
      if (drawn == 99) {
        errno = EINTR;
        return -1;
      }
    }
    room_ -= std::min(room_, take);
    return Disk::Write(descriptor, bytes, take);
  }
  int Sync(int descriptor) override {
    if (!sync_fails_) return Disk::Sync(descriptor);
    errno = EIO;
    return -1;
  }

  void set_room(size_t bytes) { room_ = bytes; }
  void set_error(int error) { error_ = error; }
  void set_chance(uint64_t percent) { chance_ = percent; }
  void set_sync_fails(bool fails) { sync_fails_ = fails; }

 private:
  Random random_;
  size_t room_ = SIZE_MAX;
  int error_ = ENOSPC;
  uint64_t chance_ = 0;
  bool sync_fails_ = false;
};

Now After(Now now, int64_t ns) { return {now.mono_ns + ns, now.unix_ns + ns}; }

TEST_CASE("a full disk, cut at every byte of a line") {
  const std::string line = LineOf(1, 1);
  for (size_t room = 0; room <= line.size(); ++room) {
    const LedgerFolder folder;
    BadDisk disk(1);
    Now now = TimeNow();
    auto file = *OpenOn(&disk, folder.file(), {}, now);
    REQUIRE(*file->Append(LineOf(1, 0), now) == Appended::kWritten);
    disk.set_room(room);
    const bool whole = room + 1 >= line.size();
    REQUIRE(*file->Append(line, now) == (whole ? Appended::kWritten : Appended::kSpooled));
    disk.set_room(0);
    REQUIRE(*file->Append(LineOf(1, 2), now) == Appended::kSpooled);
    REQUIRE(file->status().spooled_lines == (whole ? 1 : 2));
    CHECK(file->status().last_error == ENOSPC);
    CHECK(absl::IsResourceExhausted(file->Flush(now)));
    disk.set_room(SIZE_MAX);
    // A disk that failed just now is left alone for a while.
    REQUIRE(*file->Append(LineOf(1, 3), now) == Appended::kSpooled);
    now = After(now, kSecond);
    REQUIRE(*file->Append(LineOf(1, 4), now) == Appended::kWritten);
    CHECK(file->status().spooled_lines == 0);
    ReadCounts counts;
    const auto found = folder.Read(&counts);
    REQUIRE(found.size() == 5);
    for (const auto& [id, times] : found) REQUIRE(times == 1);
    REQUIRE(counts.poison == (room == 0 || whole ? 0 : 1));
  }
}

TEST_CASE("spools that fill: drop and count, or refuse") {
  for (const OnFull on_full : {OnFull::kDropAndCount, OnFull::kRefuse}) {
    const bool refuses = on_full == OnFull::kRefuse;
    const LedgerFolder folder;
    BadDisk disk(2);
    disk.set_error(EIO);
    Now now = TimeNow();
    auto file = *OpenOn(&disk, folder.file(), {.spool_bytes = 64 << 10, .on_full = on_full}, now);
    disk.set_room(0);
    uint64_t spooled = 0, dropped = 0;
    bool stopped_accepting = false;
    for (uint64_t i = 0; i < 1000; ++i) {
      const auto appended = file->Append(LineOf(1, i), now);
      if (appended.ok() && *appended == Appended::kSpooled) {
        ++spooled;
      } else {
        ++dropped;
        CHECK(refuses == absl::IsResourceExhausted(appended.status()));
        if (!refuses) CHECK(*appended == Appended::kDropped);
      }
      if (!file->Accepts(now) && !stopped_accepting) {
        stopped_accepting = true;
        CHECK(dropped == 0);  // while there is room for those under way
        CHECK(file->status().spooled_bytes > 32 << 10);
      }
    }
    CHECK(stopped_accepting == refuses);
    const FileStatus status = file->status();
    CHECK(status.dropped_lines == dropped);
    CHECK(status.spooled_lines == spooled);
    CHECK(status.spooled_bytes <= 64 << 10);
    CHECK(status.last_error == EIO);
    CHECK(absl::IsInternal(file->Flush(now)));
    disk.set_room(SIZE_MAX);
    now = After(now, kSecond);
    CHECK(file->Accepts(now));  // it tries, or nothing would end the refusing
    CHECK(file->Flush(now).ok());
    ReadCounts counts;
    CHECK(folder.Read(&counts).size() == spooled);
    CHECK(file->status().written_lines == spooled);
  }
}

// By chance: whatever was acknowledged or spooled is there once, whatever was dropped is not.
TEST_CASE("a disk that fails at random") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const LedgerFolder folder;
    BadDisk disk(seed);
    Random random(seed + 100);
    Now now = TimeNow();
    auto file = *OpenOn(&disk, folder.file(), {.spool_bytes = 40 << 10}, now);
    std::set<uint64_t> kept;
    for (uint64_t i = 0; i < 600; ++i) {
      disk.set_chance(i % 100 < 50 ? 60 : 2);
      now = After(now, static_cast<int64_t>(random.Below(80)) * kMillisecond);
      const auto appended = file->Append(LineOf(1, i), now);
      REQUIRE(appended.ok());
      if (*appended != Appended::kDropped) kept.insert(i);
      if (random.Below(50) == 0) file->Flush(now).IgnoreError();
    }
    disk.set_chance(0);
    REQUIRE(file->Flush(now).ok());
    ReadCounts counts;
    const auto found = folder.Read(&counts);
    REQUIRE(found.size() == kept.size());
    for (const auto& [id, times] : found) {
      REQUIRE(times == 1);
      REQUIRE(kept.count(id.second) == 1);
    }
    const FileStatus status = file->status();
    CHECK(status.written_lines == kept.size());
    CHECK(status.dropped_lines == 600 - kept.size());
    CHECK(status.written_bytes == std::filesystem::file_size(folder.file()));
    CHECK(counts.poison <= status.failed_writes);
  }
}

TEST_CASE("after a failed sync the file is left alone") {
  const LedgerFolder folder;
  BadDisk disk(3);
  const Now now = TimeNow();
  auto file = *OpenOn(&disk, folder.file(), {}, now);
  REQUIRE(file->Append(LineOf(1, 0), now).ok());
  disk.set_sync_fails(true);
  CHECK(absl::IsInternal(file->Sync(now)));
  CHECK(folder.Files() == 2);
  CHECK(std::filesystem::file_size(folder.file()) == 0);
  disk.set_sync_fails(false);
  CHECK(*file->Append(LineOf(1, 1), now) == Appended::kWritten);
  CHECK(file->Sync(now).ok());
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 2);
}

// A limit on the size of files is a disk that is full for this file.
TEST_CASE("a real end of space") {
  const LedgerFolder folder;
  const pid_t child = testing::Start([&folder] {
    std::signal(SIGXFSZ, SIG_IGN);
    Now now = TimeNow();
    auto file = File::Open(folder.file(), {}, now);
    if (!file.ok()) _exit(2);
    rlimit limit = {100'000, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(3);
    uint64_t spooled = 0;
    for (uint64_t i = 0; i < 500; ++i) {
      const auto appended = (*file)->Append(LineOf(1, i), now);
      if (!appended.ok() || *appended == Appended::kDropped) _exit(4);
      spooled += *appended == Appended::kSpooled ? 1 : 0;
    }
    if (spooled < 100 || (*file)->Flush(now).ok()) _exit(5);
    if ((*file)->status().last_error != EFBIG) _exit(8);
    limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(6);
    if (!(*file)->Flush(now).ok()) _exit(7);
  });
  REQUIRE(testing::EndsWell(child));
  ReadCounts counts;
  const auto found = folder.Read(&counts);
  CHECK(found.size() == 500);
  for (const auto& [id, times] : found) CHECK(times == 1);
  CHECK(counts.poison <= 1);
}

TEST_CASE("files of a size") {
  const LedgerFolder folder;
  const auto file = OpenLedger(folder, {.rotate_bytes = 50'000});
  for (uint64_t i = 0; i < 1000; ++i) REQUIRE(file->Append(LineOf(1, i), TimeNow()).ok());
  CHECK(folder.Files() > 10);
  CHECK(file->status().rotations + 1 == folder.Files());
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(folder.file()).parent_path())) {
    CHECK(entry.file_size() < 50'000 + kMaxLineBytes);
  }
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 1000);
  CHECK(counts.lines == 1000);
}

TEST_CASE("files of a day") {
  const LedgerFolder folder;
  const FileOptions daily = {.rotate_every_ns = kDay};
  const Now now = TimeNow();
  SECTION("yesterday's gives its name up when it is opened") {
    Spit(folder.file(), LineOf(1, 0));
    const timespec yesterday = {static_cast<time_t>(now.unix_ns / kSecond - 86'400), 0};
    const timespec times[] = {yesterday, yesterday};
    REQUIRE(utimensat(AT_FDCWD, folder.file().c_str(), times, 0) == 0);
    const auto file = OpenLedger(folder, daily);
    CHECK(folder.Files() == 2);
    REQUIRE(file->Append(LineOf(1, 1), now).ok());
    REQUIRE(file->Append(LineOf(1, 2), now).ok());
    CHECK(folder.Files() == 2);
  }
  SECTION("and at midnight while it is used") {
    const auto file = OpenLedger(folder, daily);
    REQUIRE(file->Append(LineOf(1, 0), now).ok());
    REQUIRE(file->Append(LineOf(1, 1), After(now, kDay)).ok());
    REQUIRE(file->Append(LineOf(1, 2), After(now, kDay)).ok());
    CHECK(folder.Files() == 2);
  }
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 3);
}

TEST_CASE("a file that somebody renames") {
  const LedgerFolder folder;
  Now now = TimeNow();
  auto file = *File::Open(folder.file(), {}, now);
  REQUIRE(file->Append(LineOf(1, 0), now).ok());
  std::filesystem::rename(folder.file(), folder.file() + ".1");
  now = After(now, 2 * kSecond);
  REQUIRE(file->Append(LineOf(1, 1), now).ok());
  CHECK(std::filesystem::exists(folder.file()));
  std::filesystem::remove(folder.file());
  now = After(now, 2 * kSecond);
  REQUIRE(file->Append(LineOf(1, 2), now).ok());
  CHECK(std::filesystem::exists(folder.file()));
}

TEST_CASE("what is in the spool stays the parent's") {
  const LedgerFolder folder;
  BadDisk disk(4);
  const Now now = TimeNow();
  auto file = *OpenOn(&disk, folder.file(), {}, now);
  disk.set_room(0);
  REQUIRE(*file->Append(LineOf(1, 0), now) == Appended::kSpooled);
  disk.set_room(SIZE_MAX);
  const pid_t child = testing::Start([&] {
    const auto appended = file->Append(LineOf(1, 1), After(now, kSecond));
    if (!appended.ok() || *appended != Appended::kWritten) _exit(2);
  });
  REQUIRE(testing::EndsWell(child));
  file = nullptr;  // tries once more
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 2);
  CHECK(counts.lines == 2);
}

TEST_CASE("what a child spools first is its own") {
  const LedgerFolder folder;
  BadDisk disk(4);
  const Now now = TimeNow();
  auto file = *OpenOn(&disk, folder.file(), {}, now);
  const pid_t child = testing::Start([&] {
    disk.set_room(0);
    const auto spooled = file->Append(LineOf(1, 0), now);
    if (!spooled.ok() || *spooled != Appended::kSpooled) _exit(2);
    disk.set_room(SIZE_MAX);
    const auto written = file->Append(LineOf(1, 1), After(now, kSecond));
    if (!written.ok() || *written != Appended::kWritten) _exit(3);
  });
  REQUIRE(testing::EndsWell(child));
  ReadCounts counts;
  CHECK(folder.Read(&counts).size() == 2);
}

}  // namespace
}  // namespace weir::ledger
