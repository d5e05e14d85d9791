// What several processes do to one file without a lock between them. Each line is one write to a
// descriptor opened with O_APPEND, which the system does as a whole; what dies or fails in the
// middle of it leaves a torn line, and whoever notices begins the next one with a line feed.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "ledger/disk.h"
#include "ledger/instant.h"
#include "ledger/spool.h"

namespace weir::ledger {
namespace {

constexpr size_t kMaxSpoolBytes = size_t{1} << 30;
constexpr size_t kBatchBytes = size_t{64} << 10;
constexpr int64_t kLookEveryNs = kSecond;              // whether the path is still this file's
constexpr int64_t kRetryEveryNs = 100 * kMillisecond;  // a disk that failed
constexpr mode_t kMode = 0640;

// strerror keeps its text in memory that threads share; the number says it all.
absl::Status SystemError(std::string_view what, const std::string& path, int error) {
  const std::string why = Concat({what, " ", path, ": error ", std::to_string(error)});
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(why);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(why);
  if (error == ENOSPC || error == EFBIG || error == EDQUOT) {
    return absl::ResourceExhaustedError(why);
  }
  return absl::InternalError(why);
}

// Never over a file that is there: descriptors that a fork copied share their lock, so two may
// rename at once.
bool RenameToFree(const std::string& from, const std::string& to) {
#ifdef RENAME_NOREPLACE
  const int renamed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (renamed == 0 || (errno != EINVAL && errno != ENOSYS)) return renamed == 0;
#endif
  return rename(from.c_str(), to.c_str()) == 0;
}

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int number() const { return number_; }

 private:
  int number_;
};

class AppendedFile final : public File {
 public:
  AppendedFile(Disk* disk, std::string path, const FileOptions& options)
      : disk_(disk),
        path_(std::move(path)),
        options_(options),
        process_(getpid()),
        spool_(options.spool_bytes) {}
  ~AppendedFile() override {
    MutexLock lock(&mutex_);
    Drain(last_now_, /*patient=*/false);
  }
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  absl::Status Start(Now now) {
    MutexLock lock(&mutex_);
    absl::Status opened = Open(now);
    if (opened.ok()) LookAt(now, /*just_opened=*/true);
    return opened;
  }

  absl::StatusOr<Appended> Append(std::string_view line, Now now) override {
    if (line.size() < 2 || line.size() > kMaxLineBytes || line.find('\n') != line.size() - 1) {
      return absl::InvalidArgumentError("not a line");
    }
    MutexLock lock(&mutex_);
    KeepUp(now);
    const bool keeps_order = Drain(now, /*patient=*/true);
    if (keeps_order && !torn_ && WriteLine(line, now)) return Appended::kWritten;
    LeaveToParent();
    if (spool_.Add(line)) {
      // Behind a torn line the spool writes, for it knows how to begin with a line feed.
      const bool is_worth_it = keeps_order && !has_failed_;
      return is_worth_it && Drain(now, /*patient=*/false) ? Appended::kWritten : Appended::kSpooled;
    }
    ++status_.dropped_lines;
    if (options_.on_full == OnFull::kDropAndCount) return Appended::kDropped;
    return absl::ResourceExhaustedError("the disk takes no line, and the spool is full");
  }

  bool Accepts(Now now) override {
    if (options_.on_full == OnFull::kDropAndCount) return true;
    MutexLock lock(&mutex_);
    return Drain(now, /*patient=*/true) || spool_.size() <= spool_.capacity() / 2;
  }

  absl::Status Flush(Now now) override {
    MutexLock lock(&mutex_);
    return FlushLocked(now);
  }

  absl::Status Sync(Now now) override {
    MutexLock lock(&mutex_);
    absl::Status flushed = FlushLocked(now);
    if (disk_->Sync(file_.number()) == 0) return flushed;
    const int error = errno;
    Rotate(now);
    return SystemError("cannot sync", path_, error == 0 ? EIO : error);
  }

  FileStatus status() const override {
    MutexLock lock(&mutex_);
    FileStatus status = status_;
    status.spooled_lines = spool_.lines();
    status.spooled_bytes = spool_.size();
    return status;
  }

 private:
  absl::Status Open(Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Descriptor opened(
        open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, kMode));
    if (opened.number() < 0) return SystemError("cannot open", path_, errno);
    struct stat found;
    if (fstat(opened.number(), &found) != 0) return SystemError("cannot look at", path_, errno);
    if (!S_ISREG(found.st_mode)) {
      return absl::FailedPreconditionError(Concat({path_, ": not a regular file"}));
    }
    file_ = std::move(opened);
    size_ = static_cast<uint64_t>(found.st_size);
    period_ = PeriodOf(now.unix_ns);
    looked_mono_ns_ = now.mono_ns;
    char last = '\n';
    // Somebody may be writing just now; the blank line that this leads to then harms nobody.
    torn_ = found.st_size > 0 && pread(file_.number(), &last, 1, found.st_size - 1) == 1 &&
            last != '\n';
    if (torn_) ++status_.torn_tails;
    return absl::OkStatus();
  }

  int64_t PeriodOf(int64_t unix_ns) const {
    return options_.rotate_every_ns > 0 ? unix_ns / options_.rotate_every_ns : 0;
  }

  // Is it time for another file?
  void KeepUp(Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    last_now_ = now;
    const bool is_large = options_.rotate_bytes != 0 && size_ >= options_.rotate_bytes;
    if (!is_large && PeriodOf(now.unix_ns) == period_ &&
        ElapsedNs(looked_mono_ns_, now.mono_ns) < kLookEveryNs) {
      return;
    }
    LookAt(now, /*just_opened=*/false);
  }

  void LookAt(Now now, bool just_opened) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    looked_mono_ns_ = now.mono_ns;
    if (!just_opened && !HasPath()) {
      // Somebody renamed it. If there is no other file to be had, this one still takes lines.
      if (!Open(now).ok()) return;
    }
    struct stat found;
    if (fstat(file_.number(), &found) != 0) return;
    size_ = static_cast<uint64_t>(found.st_size);
    // Whose time has ended: a file that was last written in another period.
    const int64_t written_ns = SaturatingMul<int64_t>(found.st_mtime, kSecond);
    const bool is_old =
        options_.rotate_every_ns > 0 && size_ != 0 && PeriodOf(written_ns) < PeriodOf(now.unix_ns);
    period_ = PeriodOf(now.unix_ns);
    if (is_old || (options_.rotate_bytes != 0 && size_ >= options_.rotate_bytes)) Rotate(now);
  }

  bool HasPath() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    struct stat there, here;
    return stat(path_.c_str(), &there) == 0 && fstat(file_.number(), &here) == 0 &&
           there.st_dev == here.st_dev && there.st_ino == here.st_ino;
  }

  // One process renames; the lock is on the file that is renamed, and goes with its descriptor.
  void Rotate(Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (flock(file_.number(), LOCK_EX | LOCK_NB) != 0) return;
    if (HasPath() && RenameToFree(path_, FreeName(now))) ++status_.rotations;
    flock(file_.number(), LOCK_UN);
    if (!HasPath()) Open(now).IgnoreError();  // of no effect when it fails
  }

  // "FILE.20261123T074227Z", and a number behind it where there is such a file.
  std::string FreeName(Now now) const {
    char instant[kInstantBytes];
    PutInstant(now.unix_ns, instant);
    std::string name = path_ + ".";
    for (const char c : std::string_view(instant, 19)) {
      if (c != '-' && c != ':') name += c;
    }
    name += "Z";
    std::string free = name;
    for (int i = 1; access(free.c_str(), F_OK) == 0; ++i)
      free = Concat({name, "-", std::to_string(i)});
    return free;
  }

  // True when all of the line, but perhaps for its line feed, is in the file.
  bool WriteLine(std::string_view line, Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t written = Write(line, now);
    if (written + 1 < line.size()) return false;
    ++status_.written_lines;
    return true;
  }

  // How much of `bytes` is in the file; keeps note of how it ends.
  size_t Write(std::string_view bytes, Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ssize_t result = 0;
    do {
      errno = 0;
      result = disk_->Write(file_.number(), bytes.data(), bytes.size());
    } while (result < 0 && errno == EINTR);
    const auto written = static_cast<size_t>(result < 0 ? 0 : result);
    if (written != 0) torn_ = bytes[written - 1] != '\n';
    size_ += written;
    status_.written_bytes += written;
    if (written != bytes.size()) {
      ++status_.failed_writes;
      status_.last_error = errno != 0 ? errno : ENOSPC;  // a short write says no more than that
      failed_mono_ns_ = now.mono_ns;
      has_failed_ = true;
    }
    return written;
  }

  // In a child that was forked, what the spool held is its parent's to write; from here on what it
  // holds is the child's own.
  void LeaveToParent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (getpid() == process_) return;
    process_ = getpid();
    spool_.Clear();
  }

  // True when the spool is empty. Patient: a disk that failed just now is left alone.
  bool Drain(Now now, bool patient) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (spool_.empty()) return true;
    LeaveToParent();
    if (spool_.empty()) return true;
    if (patient && has_failed_ && ElapsedNs(failed_mono_ns_, now.mono_ns) < kRetryEveryNs) {
      return false;
    }
    while (!spool_.empty()) {
      const bool after_torn = torn_;
      const std::string_view front = spool_.Front(kBatchBytes, after_torn);
      const size_t wanted = front.size();
      const size_t written = Write(front, now);
      const size_t of_lines = written - (after_torn && written != 0 ? 1 : 0);
      status_.written_lines += spool_.Remove(of_lines);
      if (written != wanted) return spool_.empty();
    }
    has_failed_ = false;
    return true;
  }

  absl::Status FlushLocked(Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (Drain(now, /*patient=*/false)) return absl::OkStatus();
    return SystemError("cannot write", path_, status_.last_error);
  }

  Disk* const disk_;
  const std::string path_;
  const FileOptions options_;
  mutable Mutex mutex_;
  pid_t process_ ABSL_GUARDED_BY(mutex_);
  Descriptor file_ ABSL_GUARDED_BY(mutex_);
  uint64_t size_ ABSL_GUARDED_BY(mutex_) = 0;  // as far as this process knows
  int64_t period_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t looked_mono_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  bool torn_ ABSL_GUARDED_BY(mutex_) = false;  // the file ends without a line feed
  bool has_failed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t failed_mono_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  Now last_now_ ABSL_GUARDED_BY(mutex_);
  Spool spool_ ABSL_GUARDED_BY(mutex_);
  FileStatus status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

ssize_t Disk::Write(int descriptor, const char* bytes, size_t size) {
  return write(descriptor, bytes, size);
}
int Disk::Sync(int descriptor) { return fdatasync(descriptor); }

absl::StatusOr<std::unique_ptr<File>> OpenOn(Disk* disk, const std::string& path,
                                             const FileOptions& options, Now now) {
  if (options.spool_bytes < kMaxLineBytes || options.spool_bytes > kMaxSpoolBytes) {
    return absl::InvalidArgumentError("spool_bytes must be 32 KiB to 1 GiB");
  }
  if (options.rotate_every_ns < 0) return absl::InvalidArgumentError("rotate_every_ns is negative");
  auto file = std::make_unique<AppendedFile>(disk, path, options);
  if (absl::Status started = file->Start(now); !started.ok()) return started;
  return file;
}

absl::StatusOr<std::unique_ptr<File>> File::Open(const std::string& path,
                                                 const FileOptions& options, Now now) {
  static Disk disk;
  return OpenOn(&disk, path, options, now);
}

}  // namespace weir::ledger
