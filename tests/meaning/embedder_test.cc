#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

#include "meaning/letters.h"
#include "tests/support/catch.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

std::vector<float> Embed(std::string_view text, size_t n = LexicalEmbedder::kDefaultDimension) {
  std::vector<float> v(n);
  REQUIRE(LexicalEmbedder().Embed(text, absl::MakeSpan(v)));
  return v;
}
double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}
double Cosine(std::string_view a, std::string_view b) { return Dot(Embed(a), Embed(b)); }

TEST_CASE("vectors have length 1 and say what is alike") {
  for (const size_t n : {64, 100, 384, 512, 4096}) {
    const auto v = Embed("How do I reset my password?", n);
    CHECK(std::abs(Dot(v, v) - 1) < 1e-5);
  }
  CHECK(Cosine("How do I reset my password?", "how do i RESET my password") > 0.999);
  CHECK(Cosine("Stra\xc3\x9f"
               "e",
               "STRASSE") > 0.999);
  CHECK(Cosine("\xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0",
               "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0") > 0.999);
  CHECK(Cosine("How do I reset my password?", "How can I reset the password?") >
        Cosine("How do I reset my password?", "How can I bake a cake?") + 0.3);
  CHECK(std::abs(Cosine("reset the password", "bananas grow in Ecuador")) < 0.2);
}

TEST_CASE("there is no vector of nothing, nor of a wrong dimension") {
  std::vector<float> v(512, 7.0f), small(63), large(4097);
  const LexicalEmbedder embedder;
  CHECK_FALSE(embedder.Embed("", absl::MakeSpan(v)));
  CHECK_FALSE(embedder.Embed(" ?! \n", absl::MakeSpan(v)));
  CHECK(v[0] == 7.0f);
  CHECK_FALSE(embedder.Embed("text", absl::MakeSpan(small)));
  CHECK_FALSE(embedder.Embed("text", absl::MakeSpan(large)));
}

// The epoch has to grow when this changes.
TEST_CASE("vectors are the same in every build") {
  const auto v = Embed("How do I reset my password for caf\xc3\xa9-24?");
  uint64_t sum = 0;
  for (const float x : v) {
    uint32_t bits = 0;
    std::memcpy(&bits, &x, sizeof(bits));
    sum = sum * 31 + bits;
  }
  CHECK(sum == 0x57ae641bb327fa38u);
  CHECK(LexicalEmbedder::kEpoch == 1);
}

TEST_CASE("forms of a word have one stem") {
  char buffer[64];
  for (const std::string_view form : {"enable", "enables", "enabled", "enabling"}) {
    CHECK(Stem(form, buffer) == "enabl");
  }
  CHECK(Stem("denied", buffer) == "deni");
  CHECK(Stem("is", buffer) == "is");
  CHECK(Stem("", buffer).empty());
}

}  // namespace
}  // namespace weir::meaning
