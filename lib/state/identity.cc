#include "state/identity.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>

namespace weir::state {
namespace {

// A lock word of a file: the byte's number below, its generation above.
constexpr uint32_t kIndexBits = 10;
constexpr uint32_t kIndexMask = (uint32_t{1} << kIndexBits) - 1;
static_assert(kMaxProcesses == kIndexMask + 1);
constexpr uint32_t kAnonymous = kIndexMask;  // who has no byte; 0 is nobody, so words are never 0

// Far beyond any file's end, where a lock hinders nobody else's.
constexpr off_t kFirstByte = off_t{1} << 62;
constexpr off_t kWholeFileByte = kFirstByte + kMaxProcesses;

struct flock ByteLock(short type, off_t byte) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// All identities of this process: a list, because a fork must be able to walk it without asking for
// memory.
std::mutex& ListMutex() {
  static std::mutex mutex;
  return mutex;
}
Identity* list_head = nullptr;

}  // namespace

Identity::Identity() = default;
Identity::~Identity() = default;

void Identity::StartFollowingForks() {
  static const int installed =
      pthread_atfork([] { ListMutex().lock(); }, [] { ListMutex().unlock(); },
                     [] {
                       for (Identity* i = list_head; i != nullptr; i = i->next_) i->BecomeChild();
                       ListMutex().unlock();
                     });
  static_cast<void>(installed);  // without memory for it, children count as their parent
  const std::lock_guard<std::mutex> lock(ListMutex());
  next_ = list_head;
  list_head = this;
}

void Identity::StopFollowingForks() {
  const std::lock_guard<std::mutex> lock(ListMutex());
  Identity** link = &list_head;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

bool LockWholeFile(int fd) {
  struct flock lock = ByteLock(F_WRLCK, kWholeFileByte);
  int result = 0;
  do {
    result = fcntl(fd, F_OFD_SETLKW, &lock);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

void UnlockWholeFile(int fd) {
  struct flock lock = ByteLock(F_UNLCK, kWholeFileByte);
  static_cast<void>(fcntl(fd, F_OFD_SETLK, &lock));
}

FileIdentity::FileIdentity(int fd, ProcessTable* table) : fd_(fd), table_(table) {
  constexpr char kFolder[] = "/proc/self/fd/";
  std::memcpy(fd_path_, kFolder, sizeof(kFolder) - 1);
  *std::to_chars(fd_path_ + sizeof(kFolder) - 1, fd_path_ + sizeof(fd_path_) - 1, fd).ptr = '\0';
  Register();
  StartFollowingForks();
}

FileIdentity::~FileIdentity() {
  StopFollowingForks();
  if (fd_ >= 0) close(fd_);
}

void FileIdentity::Register() {
  for (uint32_t index = 1; index < kAnonymous; ++index) {
    struct flock lock = ByteLock(F_WRLCK, kFirstByte + index);
    if (fcntl(fd_, F_OFD_SETLK, &lock) != 0) continue;
    // The byte is ours: nobody else changes its generation.
    std::atomic<uint32_t>& generation = table_->generations[index];
    const uint32_t mine = generation.load(std::memory_order_relaxed) + 1;
    generation.store(mine, std::memory_order_release);
    set_word(mine << kIndexBits | index);
    return;
  }
  set_word(kAnonymous);
}

bool FileIdentity::IsGone(uint32_t word) const {
  const uint32_t index = word & kIndexMask;
  if (word == this->word() || index == kAnonymous || index == 0 || fd_ < 0) return false;
  const uint32_t generation = table_->generations[index].load(std::memory_order_acquire);
  if (generation << kIndexBits != (word & ~kIndexMask)) return true;
  struct flock lock = ByteLock(F_WRLCK, kFirstByte + index);
  return fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

void FileIdentity::BecomeChild() {
  // The inherited descriptor shares the parent's lock and would keep it when the parent dies.
  const int own = open(fd_path_, O_RDWR | O_CLOEXEC);
  if (own >= 0 && dup3(own, fd_, O_CLOEXEC) >= 0) {
    close(own);
    Register();
    return;
  }
  if (own >= 0) close(own);
  close(fd_);
  fd_ = -1;
  set_word(kAnonymous);
}

}  // namespace weir::state
