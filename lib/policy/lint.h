// What a sound document says that silently does nothing.

#ifndef WEIR_LIB_POLICY_LINT_H_
#define WEIR_LIB_POLICY_LINT_H_

#include "policy/reader.h"
#include "weir/policy.h"

namespace weir::policy {

// Looks through a document that has been read without a fault; the reader gets what it finds.
class Linter {
 public:
  Linter(Reader* reader, const Plan* plan, const Place& document)
      : reader_(*reader), plan_(*plan), document_(document) {}

  void Lint();

 private:
  void LintIdentity();
  void LintUnused();
  void LintPools();
  void LintPool(const Pool& pool, const Place& place);
  void LintRetry(const Pool& pool, const Place& place);
  void LintBreakers();
  void LintLimits();
  void LintRoutes();
  void LintRoute(size_t index, const Place& place);

  // An entry of a section; a field of an entry. Without a value where there is none.
  Place Entry(std::string_view section, std::string_view name) const;
  static Place FieldOf(const Place& place, std::string_view name);
  // Warns at a field that is there.
  void Warn(const Place& place, std::string_view field, std::string message);
  void WarnOfEntry(std::string_view section, std::string_view name, std::string message);

  Reader& reader_;
  const Plan& plan_;
  const Place& document_;
};

}  // namespace weir::policy

#endif  // WEIR_LIB_POLICY_LINT_H_
