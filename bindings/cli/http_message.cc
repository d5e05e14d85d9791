#include "http_message.h"

namespace weir::cli {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The next line, without its end; false at the end of the text.
bool NextLine(std::string_view* text, std::string_view* line) {
  if (text->empty()) return false;
  const size_t end = text->find('\n');
  *line = text->substr(0, end);
  if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
  text->remove_prefix(end == text->npos ? text->size() : end + 1);
  return true;
}

// "POST /v1/chat/completions HTTP/1.1"; the version may be left out.
bool ReadRequestLine(std::string_view line, HttpRequest* request) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0) return false;
  std::string_view target = Trimmed(line.substr(space + 1));
  target = target.substr(0, target.find(' '));
  if (target.empty() || target[0] != '/') return false;
  request->method = std::string(line.substr(0, space));
  request->target = std::string(target);
  return true;
}

}  // namespace

bool ReadHeaderLine(std::string_view line, HeaderLine* header) {
  const size_t colon = line.find(':');
  if (colon == line.npos) return false;
  *header = {std::string(Trimmed(line.substr(0, colon))),
             std::string(Trimmed(line.substr(colon + 1)))};
  return !header->first.empty();
}

bool ReadHttpRequest(std::string_view text, HttpRequest* request, std::string* why) {
  const std::string_view begin = Trimmed(text.substr(0, 1024));
  if (!begin.empty() && begin[0] == '{') {
    request->body = std::string(text);
    return true;
  }
  std::string_view line;
  if (!NextLine(&text, &line) || !ReadRequestLine(line, request)) {
    *why =
        "expected a JSON body, or an HTTP request that begins with a line such as "
        "\"POST /v1/chat/completions HTTP/1.1\"";
    return false;
  }
  while (NextLine(&text, &line) && !line.empty()) {
    HeaderLine header;
    if (!ReadHeaderLine(line, &header)) {
      *why = "expected \"NAME: VALUE\", found \"" + std::string(line.substr(0, 80)) + "\"";
      return false;
    }
    request->headers.push_back(std::move(header));
  }
  request->body = std::string(text);
  return true;
}

}  // namespace weir::cli
