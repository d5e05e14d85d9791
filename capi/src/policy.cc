// weir_policy_* and weir_key_hash.

#include "handles.h"
#include "weir/auth.h"

namespace {

using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::FailAt;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;

std::string AllFaults(const std::vector<weir::policy::Fault>& faults) {
  std::string text;
  for (const weir::policy::Fault& fault : faults) text += FaultText(fault) + "\n";
  return text;
}

}  // namespace

weir_status weir_policy_parse(const char* text, size_t text_size, weir_policy** policy,
                              weir_error* error) {
  if (!IsText(text, text_size) || policy == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    std::vector<weir::policy::Fault> faults;
    auto parsed = weir::policy::Policy::Parse(View(text, text_size), &faults);
    if (parsed == nullptr) {
      const weir::policy::Fault& first = faults.front();
      return FailAt(error, WEIR_INVALID_ARGUMENT, AllFaults(faults), first.offset, first.line,
                    first.column);
    }
    auto handle = std::make_unique<weir_policy>();
    handle->policy = std::move(parsed);
    *policy = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_policy_check(const char* text, size_t text_size, char* buffer, size_t capacity,
                              size_t* needed, weir_error* error) {
  if (!IsText(text, text_size) || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::vector<weir::policy::Fault> faults;
    weir::policy::Policy::Parse(View(text, text_size), &faults);
    return CopyOut(AllFaults(faults), buffer, capacity, needed, error);
  });
}

weir_status weir_policy_warnings(const char* text, size_t text_size, char* buffer, size_t capacity,
                                 size_t* needed, weir_error* error) {
  if (!IsText(text, text_size) || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    return CopyOut(AllFaults(weir::policy::Policy::Warnings(View(text, text_size))), buffer,
                   capacity, needed, error);
  });
}

uint32_t weir_policy_secret_count(const weir_policy* policy) {
  return policy == nullptr ? 0 : static_cast<uint32_t>(policy->policy->secrets().size());
}

weir_status weir_policy_secret(const weir_policy* policy, uint32_t index, int32_t* kind,
                               const char** name, size_t* name_size) {
  if (policy == nullptr || kind == nullptr || name == nullptr || name_size == nullptr) {
    return WEIR_INVALID_ARGUMENT;
  }
  if (index >= policy->policy->secrets().size()) return WEIR_OUT_OF_RANGE;
  const weir::policy::Secret& secret = policy->policy->secrets()[index];
  *kind = static_cast<int32_t>(secret.kind);
  *name = secret.name.data();
  *name_size = secret.name.size();
  return WEIR_OK;
}

weir_status weir_policy_set_secret(weir_policy* policy, uint32_t index, const char* value,
                                   size_t value_size) {
  if (policy == nullptr || !IsText(value, value_size)) return WEIR_INVALID_ARGUMENT;
  return Guard(nullptr, [&]() -> weir_status {
    if (policy->frozen.load()) return WEIR_FAILED_PRECONDITION;
    if (index >= policy->policy->secrets().size()) return WEIR_OUT_OF_RANGE;
    policy->policy->set_secret(index, View(value, value_size));
    return WEIR_OK;
  });
}

void weir_policy_free(weir_policy* policy) { delete policy; }

weir_status weir_key_hash(const char* pepper, size_t pepper_size, const char* key, size_t key_size,
                          char* buffer, size_t capacity, size_t* needed, weir_error* error) {
  if (!IsText(pepper, pepper_size) || !IsText(key, key_size) || !IsText(buffer, capacity) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const std::string hash = weir::auth::HashKey(View(pepper, pepper_size), View(key, key_size));
    if (hash.empty()) return Fail(error, WEIR_INTERNAL, "the hash could not be computed");
    return CopyOut(hash, buffer, capacity, needed, error);
  });
}
