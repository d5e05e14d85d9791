#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

namespace weir::cli {
namespace {

constexpr uint64_t kWorthShowingBytes = uint64_t{4} << 20;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr double kMegabyte = 1e6;
constexpr uint64_t kBarColumns = 30;

bool line_is_shown = false;

}  // namespace

Progress::Progress(std::string name, uint64_t total_bytes)
    : name_(std::move(name)),
      total_bytes_(total_bytes),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      begin_(std::chrono::steady_clock::now()),
      drawn_(begin_) {}

void Progress::Add(uint64_t bytes) {
  bytes_ += bytes;
  if (!is_terminal_ || std::max(bytes_, total_bytes_) < kWorthShowingBytes) return;
  const auto now = std::chrono::steady_clock::now();
  if (line_is_shown && now - drawn_ < kRedraw) return;
  drawn_ = now;
  Draw(now);
}

void Progress::Draw(std::chrono::steady_clock::time_point now) const {
  const double megabytes = static_cast<double>(bytes_) / kMegabyte;
  const double seconds = std::max(1e-3, std::chrono::duration<double>(now - begin_).count());
  std::ostringstream line;
  line << "\r\033[K" << name_ << "  ";
  if (total_bytes_ != 0) {
    const uint64_t done = std::min(bytes_, total_bytes_);
    const uint64_t filled = done * kBarColumns / total_bytes_;
    line << "[" << std::string(filled, '#') << std::string(kBarColumns - filled, '.') << "] "
         << done * 100 / total_bytes_ << " %  ";
  }
  line << std::fixed << std::setprecision(0) << megabytes << " MB  " << megabytes / seconds
       << " MB/s";
  std::cerr << line.str() << std::flush;
  line_is_shown = true;
}

void Progress::ClearLine() {
  if (line_is_shown) std::cerr << "\r\033[K" << std::flush;
  line_is_shown = false;
}

}  // namespace weir::cli
