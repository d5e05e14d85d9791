// Which route a request takes.

#include "base/text.h"
#include "weir/policy.h"

namespace weir::policy {
namespace {

// Compares segment by segment, so that an escaped slash inside a parameter stays inside it.
bool MatchPath(const PathPattern& pattern, std::string_view path, Parameters* parameters) {
  parameters->clear();
  if (path.empty() || path[0] != '/') return false;
  std::string_view rest = path.substr(1);
  for (size_t i = 0; i < pattern.segments.size(); ++i) {
    const PathPattern::Segment& segment = pattern.segments[i];
    const bool last = i + 1 == pattern.segments.size();
    const size_t slash = rest.find('/');
    if (last != (slash == std::string_view::npos)) return false;
    const std::string_view text = rest.substr(0, slash);
    if (segment.parameter) {
      const size_t suffix = segment.suffix.size();
      if (text.size() <= suffix || text.substr(text.size() - suffix) != segment.suffix)
        return false;
      std::string decoded;
      if (!PercentDecode(text.substr(0, text.size() - suffix), &decoded)) return false;
      parameters->emplace_back(segment.text, std::move(decoded));
    } else if (text != segment.text) {
      return false;
    }
    if (!last) rest.remove_prefix(slash + 1);
  }
  return true;
}

}  // namespace

const Route* Plan::Match(std::string_view method, std::string_view path, Parameters* parameters,
                         bool* other_method) const {
  *other_method = false;
  for (const Route& route : routes) {
    if (!MatchPath(route.path, path, parameters)) continue;
    if (route.method.empty() || route.method == method) return &route;
    *other_method = true;
  }
  parameters->clear();
  return nullptr;
}

}  // namespace weir::policy
