#include <weir/limits.h>
#include <weir/tokens.h>

#include <iostream>

int main() {
  const uint64_t prompt = weir::tokens::Find("o200k_base")->Count("How do I say hello?");
  auto state = weir::state::Segment::CreatePrivate({});
  weir::limits::Rule rule{.name = "per-team", .amount = 1000, .window_ns = weir::kMinute};
  auto limiter = weir::limits::Limiter::Create(state->get(), {rule}, {});
  weir::limits::Charge charge{.rule = 0, .key = "red", .cost = prompt};
  const auto decision = (*limiter)->Take({charge}, weir::Now{});
  std::cout << (decision.admitted ? "pass, " : "wait, ") << decision.verdicts[0].remaining
            << " tokens left\n";
}
