#include "gateway/headers.h"

#include <algorithm>
#include <array>

namespace gateway {
namespace {

constexpr std::array<std::string_view, 12> kHopByHop = {"connection",
                                                        "keep-alive",
                                                        "proxy-connection",
                                                        "proxy-authenticate",
                                                        "proxy-authorization",
                                                        "te",
                                                        "trailer",
                                                        "transfer-encoding",
                                                        "upgrade",
                                                        "host",
                                                        "content-length",
                                                        "expect"};

constexpr std::array<std::string_view, 4> kAddedByHttplib = {"REMOTE_ADDR", "REMOTE_PORT",
                                                             "LOCAL_ADDR", "LOCAL_PORT"};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Is `name` one of the comma-separated names of `list`?
bool ListNames(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (SameName(item, name)) return true;
  }
  return false;
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view FindHeader(const HeaderList& headers, std::string_view name) {
  for (const auto& [known, value] : headers) {
    if (SameName(known, name)) return value;
  }
  return {};
}

void RemoveHeader(HeaderList* headers, std::string_view name) {
  std::erase_if(*headers, [&](const auto& header) { return SameName(header.first, name); });
}

void SetHeader(HeaderList* headers, std::string_view name, std::string_view value) {
  RemoveHeader(headers, name);
  headers->emplace_back(name, value);
}

HeaderList ClientHeaders(const httplib::Request& request) {
  HeaderList headers;
  for (const auto& [name, value] : request.headers) {
    // The library's own entries are spelt exactly so; a client's header of that name is dropped
    // with them.
    if (std::find(kAddedByHttplib.begin(), kAddedByHttplib.end(), name) == kAddedByHttplib.end()) {
      headers.emplace_back(name, value);
    }
  }
  return headers;
}

HeaderList EndToEnd(const HeaderList& headers) {
  HeaderList kept;
  for (const auto& header : headers) {
    const auto is_this = [&](std::string_view name) { return SameName(name, header.first); };
    if (std::any_of(kHopByHop.begin(), kHopByHop.end(), is_this)) continue;
    const bool is_named = std::any_of(headers.begin(), headers.end(), [&](const auto& other) {
      return SameName(other.first, "connection") && ListNames(other.second, header.first);
    });
    if (!is_named) kept.push_back(header);
  }
  return kept;
}

void ApplyEdits(const weir_txn* txn, uint32_t count, HeaderList* headers) {
  for (uint32_t i = 0; i < count; ++i) {
    int32_t operation = 0;
    const char* name = nullptr;
    const char* value = nullptr;
    size_t name_size = 0;
    size_t value_size = 0;
    if (weir_txn_header(txn, i, &operation, &name, &name_size, &value, &value_size) != WEIR_OK) {
      return;
    }
    if (operation == WEIR_HEADER_SET) SetHeader(headers, {name, name_size}, {value, value_size});
    if (operation == WEIR_HEADER_ADD)
      headers->emplace_back(std::string(name, name_size), std::string(value, value_size));
    if (operation == WEIR_HEADER_REMOVE) RemoveHeader(headers, {name, name_size});
  }
}

}  // namespace gateway
