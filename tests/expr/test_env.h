// The schema and environments that the expression tests share.

#ifndef WEIR_TESTS_EXPR_TEST_ENV_H_
#define WEIR_TESTS_EXPR_TEST_ENV_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/expr.h"

namespace weir::testing {

inline std::vector<expr::Name> TestSchema() {
  using Kind = expr::Name::Kind;
  using expr::Type;
  return {
      {"model", Kind::kScalar, Type::kString},
      {"consumer", Kind::kFixedMap, Type::kString, {"id", "team"}},
      {"usage", Kind::kFixedMap, Type::kInt, {"prompt", "completion"}},
      {"request", Kind::kFixedMap, Type::kString, {"method", "path"}},
      {"request.headers", Kind::kOpenMap, Type::kString},
      {"attr", Kind::kOpenMap, Type::kString},
      {"flags", Kind::kFixedMap, Type::kBool, {"beta", "admin"}},
      {"n", Kind::kScalar, Type::kInt},
      {"request.id", Kind::kScalar, Type::kString},
  };
}

// Values by "name" or "name/member"; everything else is null.
class MapEnvironment final : public expr::Environment {
 public:
  explicit MapEnvironment(std::map<std::string, expr::Value, std::less<>> values)
      : values_(std::move(values)), names_(TestSchema()) {}

  expr::Value Lookup(uint32_t name, std::string_view member) const override {
    std::string key = names_.at(name).name;
    if (!member.empty()) key.append("/").append(member);
    const auto found = values_.find(key);
    return found == values_.end() ? expr::Value::Null() : found->second;
  }

 private:
  std::map<std::string, expr::Value, std::less<>> values_;
  std::vector<expr::Name> names_;
};

inline MapEnvironment TestEnvironment() {
  using expr::Value;
  return MapEnvironment({{"model", Value::String("m-1")},
                         {"consumer/team", Value::String("red")},
                         {"usage/prompt", Value::Int(120)},
                         {"usage/completion", Value::Int(-5)},
                         {"request/method", Value::String("POST")},
                         {"request.headers/x-app", Value::String("app")},
                         {"request.headers/host", Value::String("h")},
                         {"attr/a.b", Value::String("nested")},
                         {"attr/odd", Value::Int(3)},
                         {"flags/beta", Value::Bool(true)},
                         {"n", Value::Int(7)},
                         {"request.id", Value::String("r1")}});
}

}  // namespace weir::testing

#endif  // WEIR_TESTS_EXPR_TEST_ENV_H_
