#include "gateway/access_log.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace gateway {
namespace {

// "2026-01-31T12:34:56.789Z"
std::string Timestamp(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  std::ostringstream text;
  text << std::put_time(&utc, "%Y-%m-%dT%H:%M:%S.") << std::setw(3) << std::setfill('0')
       << ms % 1000 << 'Z';
  return text.str();
}

// UTF-8 that a client may have broken is written with its odd bytes escaped as Latin-1: a log line
// must stay JSON whatever is asked for.
using LogWriter = rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>>;

void Text(LogWriter* json, std::string_view name, std::string_view value) {
  json->Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  std::string visible;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      visible.push_back(c);
    } else {
      visible.push_back(static_cast<char>(0xC0 | (byte >> 6)));
      visible.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
  json->String(visible.data(), static_cast<rapidjson::SizeType>(visible.size()));
}

}  // namespace

std::string ToJsonLine(const AccessRecord& record) {
  rapidjson::StringBuffer buffer;
  LogWriter json(buffer);
  json.StartObject();
  Text(&json, "time", Timestamp(record.begin));
  Text(&json, "client", record.client);
  Text(&json, "method", record.method);
  Text(&json, "path", record.path);
  json.Key("status");
  json.Int(record.status);
  json.Key("bytes");
  json.Uint64(record.bytes);
  json.Key("duration_ms");
  json.Double(static_cast<double>(record.duration.count()) / 1000.0);
  Text(&json, "ended", record.ended);
  json.Key("weir");
  std::string_view weir = "null";
  if (!record.weir.empty()) weir = record.weir;
  json.RawValue(weir.data(), weir.size(), rapidjson::kObjectType);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string AccessLog::Open(const std::string& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  file_ = file;
  if (file.empty() || file == "-") return "";
  stream_.close();
  stream_.clear();
  stream_.open(file, std::ios::app | std::ios::binary);
  if (stream_) return "";
  return file + ": cannot be opened for the access log: " + std::strerror(errno);
}

void AccessLog::Write(const AccessRecord& record) {
  const std::string line = ToJsonLine(record);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (file_.empty()) return;
  (file_ == "-" ? std::cout : static_cast<std::ostream&>(stream_)) << line << std::flush;
}

}  // namespace gateway
