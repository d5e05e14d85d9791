// What a transaction knows of its client's request.

#ifndef WEIR_LIB_ENGINE_REQUEST_H_
#define WEIR_LIB_ENGINE_REQUEST_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/json.h"
#include "base/text_arena.h"
#include "weir/auth.h"
#include "weir/engine.h"
#include "weir/expr.h"
#include "weir/policy.h"
#include "weir/recycling.h"

namespace weir::engine {

// The headers of one message, in order, within Bounds.
class HeaderList {
 public:
  using Entry = auth::Header;  // its name is in lower case

  void Add(std::string_view name, std::string_view value);
  void Clear();
  // The first of that (lower-case) name; empty when there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  absl::Span<const Entry> entries() const { return entries_; }
  bool too_large() const { return too_large_; }

  // A copy that lasts as long as the entries.
  std::string_view Keep(std::string_view text) { return texts_.Keep(text); }

 private:
  TextArena texts_;
  RecycledVector<Entry> entries_;
  size_t bytes_ = 0;
  bool too_large_ = false;
};

struct Request {
  HeaderList headers;  // which keep these texts as well
  std::string_view method;
  std::string_view path;
  std::string_view query;  // without the '?'
  std::string_view client;
  RecycledVector<std::pair<std::string_view, std::string_view>> attributes;
  RecycledString body;
  bool target_too_large = false;
  bool body_too_large = false;

  // Found out about it.
  const policy::Route* route = nullptr;
  policy::Parameters parameters;
  const auth::Consumer* consumer = nullptr;
  std::string_view model;    // lasts: the body's, or a policy's
  std::string_view backend;  // of the attempt under way

  std::string QueryParameter(std::string_view name) const;
  std::string Target() const;  // path and query, as the client sent them
  // The text, number or bool at a path of members ("metadata.user"); null for anything else. Asked
  // for once the body is complete.
  expr::Value BodyMember(std::string_view path) const;

 private:
  mutable std::unique_ptr<json::Document> document_;  // of the body, once it was asked for
};

// What a request used, or is thought to use. The later ones are parts of the first two.
struct Usage {
  uint64_t prompt = 0, completion = 0, cached = 0, reasoning = 0, cache_write = 0;
};

// What a policy's expressions see of a request, and of its usage where there is one.
class RequestEnvironment : public expr::Environment {
 public:
  explicit RequestEnvironment(const Request& request, const Usage* usage = nullptr)
      : request_(request), usage_(usage) {}
  expr::Value Lookup(uint32_t name, std::string_view member) const override;

 private:
  expr::Value LookupUsage(std::string_view member) const;

  const Request& request_;
  const Usage* const usage_;
  mutable std::vector<std::unique_ptr<std::string>> decoded_;  // values made on look-up
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_REQUEST_H_
