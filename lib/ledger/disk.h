// The two calls by which a disk can fail a ledger, so that tests can have it fail.

#ifndef WEIR_LIB_LEDGER_DISK_H_
#define WEIR_LIB_LEDGER_DISK_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "weir/ledger.h"

namespace weir::ledger {

class Disk {
 public:
  virtual ~Disk() = default;
  virtual ssize_t Write(int descriptor, const char* bytes, size_t size);  // as write()
  virtual int Sync(int descriptor);                                       // as fdatasync()
};

// File::Open over this disk, which must outlive the file.
absl::StatusOr<std::unique_ptr<File>> OpenOn(Disk* disk, const std::string& path,
                                             const FileOptions& options, Now now);

}  // namespace weir::ledger

#endif  // WEIR_LIB_LEDGER_DISK_H_
