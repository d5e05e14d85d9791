#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

const std::string_view kTexts[] = {
    "",
    "a",
    "How do I pay $1,000 to \"Anna Meier\" on 5 March 2024, not 6 March?",
    "Explain `a == b` in ```js\na === b\n``` at https://a.example/x?y=1#z, please",
    "\xe6\x80\x8e\xe4\xb9\x88\xe4\xb8\x8d\xe9\x87\x8d\xe7\xbd\xae 12 \xe2\x80\x9cx\xe2\x80\x9d",
};

// Random text from pieces that mean something to the scanner, and some bytes that are no UTF-8.
std::string RandomText(std::mt19937_64* random) {
  static const std::string_view kPieces[] = {"not",
                                             " ",
                                             " ",
                                             " ",
                                             "\"",
                                             "'",
                                             "`",
                                             "```",
                                             "12",
                                             ".",
                                             ",",
                                             "5 pm",
                                             "\n",
                                             "-",
                                             "C++",
                                             "a_b",
                                             "://",
                                             "x@y.z",
                                             "/",
                                             "\\",
                                             "Paris",
                                             "from",
                                             "to",
                                             "\xe2\x80\x9c",
                                             "\xe2\x80\x99",
                                             "\xff",
                                             "\xc3",
                                             "\xe6\x80\x8e",
                                             "million",
                                             "on",
                                             "turn",
                                             "3/4/2020",
                                             "\xc2\xb0",
                                             "%",
                                             "\xf0\x9f\x98\x80",
                                             "than",
                                             "May",
                                             "v2.1",
                                             "\xc2\xa0",
                                             "()",
                                             "'s",
                                             "one",
                                             "two",
                                             "hundred",
                                             "\xe2\x82\xac"};
  std::string text;
  const size_t n = (*random)() % 60;
  for (size_t i = 0; i < n; ++i) text.append(kPieces[(*random)() % std::size(kPieces)]);
  return text;
}

TEST_CASE("features are the same bytes again, and parse to themselves") {
  std::mt19937_64 random(7);
  std::vector<std::string> texts(std::begin(kTexts), std::end(kTexts));
  for (int i = 0; i < 5000; ++i) texts.push_back(RandomText(&random));
  std::string before;
  for (const std::string& text : texts) {
    const Features x = Features::Of(text);
    CHECK(Features::Of(text).Serialize() == x.Serialize());
    CHECK(x.Serialize().size() <= kMaxFeatureBytes);
    CHECK(Compare(x, x).allowed);
    const auto parsed = Features::Parse(x.Serialize());
    REQUIRE(parsed.ok());
    CHECK(parsed->Serialize() == x.Serialize());
    const Features y = Features::Of(before);
    CHECK(Compare(x, y).allowed == Compare(y, x).allowed);
    before = text;
  }
}

TEST_CASE("hostile bytes are refused, or safe to compare") {
  std::mt19937_64 random(11);
  const Features good = Features::Of(kTexts[2]);
  int refused = 0, passed = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string bytes = Features::Of(kTexts[random() % std::size(kTexts)]).Serialize();
    if (i % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
    for (uint64_t k = random() % 4; k > 0 && !bytes.empty(); --k) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto view = FeaturesView::Parse(bytes);
    if (!view.ok()) {
      ++refused;
      continue;
    }
    ++passed;
    const Verdict v = Compare(*view, good);
    CHECK(v.asked.size() <= 255);
    Compare(good, *view);
  }
  CHECK(refused > 1000);
  CHECK(passed > 1000);
  CHECK_FALSE(FeaturesView::Parse("").ok());
  std::string other = good.Serialize();
  other[0] = 1;
  CHECK_FALSE(FeaturesView::Parse(other).ok());
  CHECK_FALSE(FeaturesView::Parse(good.Serialize() + "x").ok());
}

TEST_CASE("texts beyond the limits agree only as a whole") {
  std::string text;
  while (text.size() < kMaxTextBytes) text += "word ";
  const std::string longer = text + "tail", other = text + "tale";
  CHECK(Compare(Features::Of(longer), Features::Of(longer)).allowed);
  const Verdict v = Compare(Features::Of(longer), Features::Of(other));
  CHECK_FALSE(v.allowed);
  CHECK(v.guard == Guard::kLength);

  std::string many;
  for (int i = 0; i < 3000; ++i) many.append("n").append(std::to_string(i * 7919)).append("x ");
  const Features x = Features::Of(many), y = Features::Of(many + "another1 ");
  CHECK(x.Serialize().size() <= kMaxFeatureBytes);
  CHECK(Compare(x, x).allowed);
  CHECK_FALSE(Compare(x, y).allowed);
}

TEST_CASE("hard texts take linear time") {
  for (const std::string_view piece : {"\"", "`", "` ``", "'a ", "\xe2\x80\x9c", "a", "1,", "/a",
                                       "not ", "A.b", "one hundred ", "a-", "1-1-"}) {
    std::string text;
    while (text.size() < kMaxTextBytes) text += piece;
    CHECK(Features::Of(text).Serialize().size() <= kMaxFeatureBytes);
  }
}

}  // namespace
}  // namespace weir::meaning
