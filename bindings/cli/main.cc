// weir: the library's small questions from a shell.

#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir.h"

namespace {

constexpr int kSound = 0;
constexpr int kFaulty = 1;
constexpr int kUsage = 2;

constexpr std::string_view kHelp = R"(Usage: weir COMMAND [ARGUMENT]...

  weir check FILE...           every fault of policy documents, as FILE:LINE:COLUMN: FIELD: MESSAGE;
                               exit status 1 when there is any
  weir count [--model NAME] [FILE]
                               the tokens of a text (standard input without FILE) for a model or
                               encoding; default o200k_base
  weir hash-key [--pepper TEXT]
                               the stored form ("sha256:...") of a virtual key, read from the first
                               line of standard input; TEXT is the policy's "pepper"
  weir version | --version     the release of the library
  weir help | --help           this text
)";

std::optional<std::string> Read(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::cerr << "weir: cannot read " << path << "\n";
    return std::nullopt;
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Runs `ask(buffer, capacity, &needed)`, which answers OUT_OF_RANGE while the buffer is too small.
template <typename Ask>
weir_status Fetch(std::string* text, Ask&& ask) {
  size_t needed = 0;
  weir_status status = WEIR_OUT_OF_RANGE;
  text->resize(256);
  while ((status = ask(text->data(), text->size(), &needed)) == WEIR_OUT_OF_RANGE) {
    text->resize(needed);
  }
  text->resize(status == WEIR_OK ? needed : 0);
  return status;
}

int Report(const weir_error& error) {
  std::cerr << "weir: " << error.message << "\n";
  return kFaulty;
}

// Puts "FILE:" before each "LINE:COLUMN: …".
bool CheckFile(const std::string& path) {
  const std::optional<std::string> text = Read(path);
  if (!text) return false;
  weir_error error = {};
  error.size = sizeof(error);
  std::string faults;
  const weir_status status = Fetch(&faults, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_policy_check(text->data(), text->size(), buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) return Report(error) == kSound;
  std::string_view rest = faults;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::cout << path << ":" << rest.substr(0, end) << "\n";
    rest.remove_prefix(end + 1);
  }
  return faults.empty();
}

int Check(const std::vector<std::string>& files) {
  if (files.empty()) {
    std::cerr << "weir check: no file is named\n";
    return kUsage;
  }
  bool sound = true;
  for (const std::string& file : files) sound = CheckFile(file) && sound;
  return sound ? kSound : kFaulty;
}

// Takes "--name VALUE" out of `arguments`.
std::string TakeOption(std::vector<std::string>* arguments, std::string_view name,
                       std::string value) {
  for (size_t i = 0; i + 1 < arguments->size(); ++i) {
    if ((*arguments)[i] != name) continue;
    value = (*arguments)[i + 1];
    const auto at = arguments->begin() + static_cast<std::ptrdiff_t>(i);
    arguments->erase(at, at + 2);
    break;
  }
  return value;
}

int Count(std::vector<std::string> arguments) {
  const std::string model = TakeOption(&arguments, "--model", "o200k_base");
  const std::optional<std::string> text = Read(arguments.empty() ? "-" : arguments[0]);
  if (!text) return kFaulty;
  weir_error error = {};
  error.size = sizeof(error);
  const weir_tokenizer* tokenizer = nullptr;
  uint64_t count = 0;
  if (weir_tokenizer_find(model.data(), model.size(), &tokenizer, &error) != WEIR_OK ||
      weir_tokenizer_count(tokenizer, text->data(), text->size(), &count, &error) != WEIR_OK) {
    return Report(error);
  }
  std::cout << count << "\n";
  return kSound;
}

int HashKey(std::vector<std::string> arguments) {
  const std::string pepper = TakeOption(&arguments, "--pepper", "weir virtual key");
  std::string key;
  if (!std::getline(std::cin, key) || key.empty()) {
    std::cerr << "weir hash-key: the first line of standard input is the key\n";
    return kUsage;
  }
  weir_error error = {};
  error.size = sizeof(error);
  std::string hash;
  const weir_status status = Fetch(&hash, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_key_hash(pepper.data(), pepper.size(), key.data(), key.size(), buffer, capacity,
                         needed, &error);
  });
  if (status != WEIR_OK) return Report(error);
  std::cout << hash << "\n";
  return kSound;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const std::vector<std::string> arguments(argv + (argc > 1 ? 2 : 1), argv + argc);
  if (command == "check") return Check(arguments);
  if (command == "count") return Count(arguments);
  if (command == "hash-key") return HashKey(arguments);
  if (command == "version" || command == "--version") {
    std::cout << "weir " << weir_version() << "\n";
    return kSound;
  }
  const bool asked = command == "help" || command == "--help" || command == "-h";
  (asked ? std::cout : std::cerr) << kHelp;
  return asked ? kSound : kUsage;
}
