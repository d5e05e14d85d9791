// Who holds a lock in a segment, and whether that holder still lives.
//
// A lock word holds its owner's number, not a mere 1: whoever waits too long asks whether the owner
// is gone, and if so takes the lock over. Nothing else needs to be mended, because all that is kept
// in a segment is written so that the memory is sound after every single store; see
// limits/counter.h.
//
// In memory of one process an owner is gone when this process is a fork of it: the threads that
// held locks exist in the parent only. In a file, each process holds an open-file-description lock
// (F_OFD_SETLK) on one byte beyond the file's end. The kernel drops it when the process dies, at
// whatever instruction, and it knows no process numbers that could be re-used or belong to another
// container. A generation per byte tells a new process from the dead one whose byte it got.
//
// Threads: any thread. word() is one load; IsGone may be a system call, for those who wait anyway.

#ifndef WEIR_LIB_STATE_IDENTITY_H_
#define WEIR_LIB_STATE_IDENTITY_H_

#include <atomic>
#include <cstdint>

namespace weir::state {

class Identity {
 public:
  Identity();
  virtual ~Identity();
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  // What this process writes into the locks that it takes. Never 0.
  uint32_t word() const { return word_.load(std::memory_order_relaxed); }

  // Is the process that wrote `word` dead? False when in doubt.
  virtual bool IsGone(uint32_t word) const = 0;

  // Called in the child of a fork, when it has no other thread: becomes another owner.
  virtual void BecomeChild() = 0;

 protected:
  void set_word(uint32_t word) { word_.store(word, std::memory_order_relaxed); }
  // The last act of a constructor, the first of a destructor: forks reach this object in between.
  void StartFollowingForks();
  void StopFollowingForks();

 private:
  std::atomic<uint32_t> word_{1};
  Identity* next_ = nullptr;
};

// Of memory that only this process maps.
class PrivateIdentity final : public Identity {
 public:
  PrivateIdentity() { StartFollowingForks(); }
  ~PrivateIdentity() override { StopFollowingForks(); }
  bool IsGone(uint32_t word) const override { return word != this->word(); }
  void BecomeChild() override { set_word(word() + 1); }
};

// What a file keeps about the processes that map it.
inline constexpr uint32_t kMaxProcesses = 1024;
struct ProcessTable {
  std::atomic<uint32_t> generations[kMaxProcesses];
};

// Of a file. Borrows `table`, which lies in the mapped file, and owns `fd`.
class FileIdentity final : public Identity {
 public:
  FileIdentity(int fd, ProcessTable* table);
  ~FileIdentity() override;
  bool IsGone(uint32_t word) const override;
  void BecomeChild() override;

 private:
  // Takes a byte of its own. With all of them taken, or after a fork that could not open the file
  // anew, the process works under a number that nobody ever takes for dead.
  void Register();

  int fd_;
  char fd_path_[32] = {};  // names fd_, for the child of a fork
  ProcessTable* const table_;
};

// Waits for the only lock of `fd` that is about the file as a whole; dropped with `Unlock`, or when
// the process dies. For creating it: two processes may come at once.
bool LockWholeFile(int fd);
void UnlockWholeFile(int fd);

}  // namespace weir::state

#endif  // WEIR_LIB_STATE_IDENTITY_H_
