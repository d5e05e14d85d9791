// Turns the sections of a policy document into a Plan.

#ifndef WEIR_LIB_POLICY_COMPILER_H_
#define WEIR_LIB_POLICY_COMPILER_H_

#include <optional>
#include <string_view>
#include <vector>

#include "policy/reader.h"
#include "weir/policy.h"

namespace weir::policy {

// A word as HTTP has it: a header's name, a cookie's.
bool IsHeaderName(std::string_view name);

// Reads sections in the order in which they refer to each other, whatever their order in the
// document. After Compile the reader has every fault.
class Compiler {
 public:
  Compiler(Reader* reader, Plan* plan) : reader_(*reader), plan_(*plan) {}

  void Compile(const Place& document);

 private:
  void ReadBounds(const Place& place);
  void ReadLedger(const Place& place);
  void ReadClientHeader(std::string_view name, const Place& place);
  void ReadModel(std::string_view name, const Place& place);
  void ReadPrice(const Place& place, Model* model);
  void ReadConsumer(std::string_view id, const Place& place);
  void ReadCredential(std::string_view name, const Place& place);

  void ReadBackend(std::string_view name, const Place& place);
  void ReadUrl(const Place& place, Backend* backend);
  void ReadBreakerRule(const Place& place, breaker::RuleSet* set);
  void ReadTrigger(const Place& place, breaker::Rule* rule);
  void ReadCapacity(const Place& place, Backend* backend);
  void ReadPool(std::string_view name, const Place& place);
  void ReadMember(const Place& place, Pool* pool);
  void ReadRetry(const Place& place, Retry* retry);
  void ReadAffinity(const Place& place, SessionAffinity* affinity);
  void ReadHedge(const Place& place, Hedge* hedge);
  void ReadAllDown(const Place& place, Pool* pool);
  void ReadFallbacks();

  struct LimitDraft;  // a limit under way, with what its fields say of each other
  void ReadLimit(std::string_view name, const Place& place);
  void ReadLimitKind(const Place& place, LimitDraft* draft);
  void ReadAmount(const Place& place, LimitDraft* draft);
  void ReadPer(const Place& place, LimitDraft* draft);
  void ReadTimeZone(const Place& place, limits::Rule* rule);
  void ReadShare(const Place& place, LimitDraft* draft);
  void ReadReserve(const Place& place, Limit* limit);
  void ReadOnExceeded(const Place& place, LimitDraft* draft);
  void CheckLimit(const Place& place, const LimitDraft& draft);

  void ReadCache(std::string_view name, const Place& place);
  void ReadEmbedding(const Place& place, Embedding* embedding);
  void ReadPartition(const Place& place, Cache* cache);
  void ReadGuards(const Place& place, meaning::GuardSet* guards);
  void ReadVerifier(const Place& place, Verifier* verifier);
  void CheckLearning(const Place& place, const Cache& cache);
  void CheckCache(const Place& place, const Cache& cache);

  void ReadMeter(std::string_view name, const Place& place);
  void ReadRoute(const Place& place);
  void CheckDialects(const Route& route, const Place& pool_place);
  void ReadMatch(const Place& place, Route* route);
  void ReadPath(const Place& place, Route* route);

  // Scalars that several sections have.
  void ReadText(const Place& place, Text* text);
  void ReadSecret(const Place& place, Text* text);
  void ReadHeaderName(const Place& place, std::string* name);
  void ReadStatuses(const Place& place, std::vector<breaker::StatusRange>* statuses);
  void ReadStatus(const Place& place, std::vector<breaker::StatusRange>* statuses);
  std::unique_ptr<expr::Program> ReadExpression(const Place& place) {
    return ReadExpression(place, policy::Names());
  }
  std::unique_ptr<expr::Program> ReadExpression(const Place& place,
                                                absl::Span<const expr::Name> names);
  // The index of what `place` names, among `names`; complains when it names nothing.
  std::optional<uint32_t> Reference(const Place& place, std::string_view what,
                                    const std::vector<std::string_view>& names);
  void Names(const Place& place, std::vector<std::string>* names);

  template <typename T>
  static std::vector<std::string_view> NamesOf(const std::vector<T>& section) {
    std::vector<std::string_view> names;
    names.reserve(section.size());
    for (const T& entry : section) names.push_back(entry.name);
    return names;
  }

  Reader& reader_;
  Plan& plan_;
  std::vector<std::string_view> credential_names_;
  struct PoolPlace {
    uint32_t pool = 0;
    Place place;
  };
  std::vector<PoolPlace> fallbacks_;
};

}  // namespace weir::policy

#endif  // WEIR_LIB_POLICY_COMPILER_H_
