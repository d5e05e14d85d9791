// What tests with several processes share: a file for all of them, and memory that all see.

#ifndef WEIR_TESTS_SUPPORT_PROCESSES_H_
#define WEIR_TESTS_SUPPORT_PROCESSES_H_

#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <new>
#include <string>

#include "tests/support/catch.h"

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

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_PROCESSES_H_
