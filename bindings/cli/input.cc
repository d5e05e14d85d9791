#include "input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "console.h"

namespace weir::cli {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;

std::string Reason(int code) { return std::generic_category().message(code); }

}  // namespace

Input::Input(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {
  struct stat status = {};
  const bool sized = fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  progress_ = std::make_unique<Progress>(name_, sized ? static_cast<uint64_t>(status.st_size) : 0);
}

Input::Input(Input&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      progress_(std::move(other.progress_)) {}

Input::~Input() {
  if (descriptor_ > STDERR_FILENO) close(descriptor_);
}

std::optional<Input> Input::Open(const std::string& path) {
  if (path == "-") return Input(path, STDIN_FILENO);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) return Input(path, descriptor);
  Complain({"cannot read ", path, ": ", Reason(errno)});
  return std::nullopt;
}

std::optional<size_t> Input::Read(char* bytes, size_t capacity) {
  ssize_t got = 0;
  do {
    got = read(descriptor_, bytes, capacity);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    Complain({"cannot read ", name_, ": ", Reason(errno)});
    return std::nullopt;
  }
  progress_->Add(static_cast<uint64_t>(got));
  return static_cast<size_t>(got);
}

bool LineReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const std::optional<size_t> got = input_.Read(buffer_.data() + size, kReadBytes);
  buffer_.resize(size + got.value_or(0));
  failed_ = failed_ || !got;
  return got.value_or(0) != 0;
}

LineReader::Result LineReader::Next(std::string_view* line) {
  size_t searched = 0;  // bytes of the line that have no line end
  bool too_long = false;
  for (;;) {
    const size_t end = buffer_.find('\n', begin_ + searched);
    const bool found = end != std::string::npos;
    searched = buffer_.size() - begin_;
    if (!found && searched > kMaxWholeBytes) {
      too_long = true;
      begin_ = buffer_.size();
      searched = 0;
    }
    if (!found && Fill()) continue;
    if (failed_) return Result::kFailed;
    const size_t next = found ? end + 1 : buffer_.size();
    *line = std::string_view(buffer_).substr(begin_, next - begin_);
    begin_ = next;
    if (too_long) return Result::kTooLong;
    return line->empty() ? Result::kEnd : Result::kLine;
  }
}

}  // namespace weir::cli
