// What tests with several processes share: a file for all of them, memory that all see, and
// children.

#ifndef WEIR_TESTS_SUPPORT_PROCESSES_H_
#define WEIR_TESTS_SUPPORT_PROCESSES_H_

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "tests/support/catch.h"
#include "weir/state.h"

namespace weir::testing {

// A path of its own for each test, gone afterwards.
class TempPath {
 public:
  TempPath()
      : path_((std::filesystem::temp_directory_path() /
               ("weir-test-" + std::to_string(getpid()) + "-" + std::to_string(++made)))
                  .string()) {
    std::filesystem::remove(path_);
  }
  ~TempPath() { std::filesystem::remove(path_); }
  TempPath(const TempPath&) = delete;
  TempPath& operator=(const TempPath&) = delete;
  const std::string& str() const { return path_; }

 private:
  static inline int made = 0;
  std::string path_;
};

// Something that all children see.
template <typename T>
T* Shared() {
  void* memory =
      mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  return new (memory) T();
}

// The file as every process opens it; a child that cannot ends with 99.
inline std::unique_ptr<state::Segment> OpenFile(const TempPath& path) {
  auto segment = state::Segment::OpenFile(path.str(), {.bytes = size_t{4} << 20, .seed = 7});
  if (!segment.ok()) _exit(99);
  return *std::move(segment);
}

// A child that does this and ends.
inline pid_t Start(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  return child;
}

inline bool EndsWell(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_PROCESSES_H_
