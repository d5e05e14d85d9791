#include "gateway/policy_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace gateway {
namespace {

std::optional<std::string> ReadFile(const std::string& file, std::string* error) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  if (stream) text.assign(std::istreambuf_iterator<char>(stream), {});
  if (!stream || stream.bad()) {
    *error = file + ": cannot be read: " + std::strerror(errno);
    return std::nullopt;
  }
  return text;
}

// Files of secrets usually end with a line end that is no part of them.
std::string WithoutLineEnd(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::optional<std::string> ResolveSecret(int32_t kind, const std::string& name,
                                         std::string* error) {
  if (kind == WEIR_SECRET_ENV) {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) return value;
    *error = "the environment variable " + name + " is not set: export it and start again";
    return std::nullopt;
  }
  if (kind == WEIR_SECRET_FILE) {
    std::optional<std::string> text = ReadFile(name, error);
    if (!text.has_value()) return std::nullopt;
    return WithoutLineEnd(*std::move(text));
  }
  *error = "the secret " + name + " is of a kind that this gateway does not know";
  return std::nullopt;
}

bool ResolveSecrets(weir_policy* policy, std::string* error) {
  const uint32_t count = weir_policy_secret_count(policy);
  for (uint32_t i = 0; i < count; ++i) {
    int32_t kind = 0;
    const char* name = nullptr;
    size_t name_size = 0;
    if (weir_policy_secret(policy, i, &kind, &name, &name_size) != WEIR_OK) continue;
    const std::optional<std::string> value =
        ResolveSecret(kind, std::string(name, name_size), error);
    if (!value.has_value()) return false;
    if (weir_policy_set_secret(policy, i, value->data(), value->size()) != WEIR_OK) {
      *error = "the secret " + std::string(name, name_size) + " cannot be set";
      return false;
    }
  }
  return true;
}

std::string WithFile(const std::string& file, const std::string& faults) {
  std::istringstream lines(faults);
  std::string line, result;
  while (std::getline(lines, line)) {
    result.append(file).append(1, ':').append(line).append(1, '\n');
  }
  return result;
}

// All faults of a policy's text, one per line.
std::string Faults(const std::string& text) {
  weir_error error = NewError();
  const std::optional<std::string> faults =
      FetchText([&](char* buffer, size_t capacity, size_t* needed) {
        return weir_policy_check(text.data(), text.size(), buffer, capacity, needed, &error);
      });
  return faults.value_or("1:1: " + std::string(error.message) + "\n");
}

}  // namespace

PolicyHandle LoadPolicy(const std::string& file, std::string* error) {
  const std::optional<std::string> text = ReadFile(file, error);
  if (!text.has_value()) return nullptr;
  weir_policy* parsed = nullptr;
  weir_error parse_error = NewError();
  if (weir_policy_parse(text->data(), text->size(), &parsed, &parse_error) != WEIR_OK) {
    const std::string faults = Faults(*text);
    *error = WithoutLineEnd(WithFile(file, faults.empty() ? parse_error.message : faults));
    return nullptr;
  }
  PolicyHandle policy(parsed);
  if (!ResolveSecrets(policy.get(), error)) {
    *error = file + ": " + *error;
    return nullptr;
  }
  return policy;
}

std::string CheckPolicy(const std::string& file) {
  std::string error;
  const std::optional<std::string> text = ReadFile(file, &error);
  if (!text.has_value()) return error + "\n";
  return WithFile(file, Faults(*text));
}

}  // namespace gateway
