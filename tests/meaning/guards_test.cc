#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

// The guard that refuses, or "": allowed. Symmetric, or "asymmetric".
std::string Refusal(std::string_view a, std::string_view b, GuardSet guards = kDefaultGuards) {
  const Features x = Features::Of(a), y = Features::Of(b);
  const Verdict forth = Compare(x, y, guards), back = Compare(y, x, guards);
  if (forth.allowed != back.allowed) return "asymmetric";
  if (!forth.allowed && forth.guard != back.guard) return "asymmetric";
  return forth.allowed ? "" : std::string(GuardName(forth.guard));
}

struct Row {
  std::string_view a, b, refusal;
};
void CheckRows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.a << " / " << row.b);
    CHECK(Refusal(row.a, row.b) == row.refusal);
    CHECK(Refusal(row.a, row.a) == "");
    CHECK(Refusal(row.b, row.b) == "");
  }
}

TEST_CASE("numbers agree however they are written") {
  CheckRows({
      {"a budget of 1,000 dollars", "a budget of $1000", ""},
      {"a list of 1000 items", "a list of 1,000 items", ""},
      {"a list of 1000 items", "a list of 1.000 items", ""},
      {"a list of 1'000 items", "a list of 1000 items", ""},
      {"a list of 1000 items", "a list of one thousand items", ""},
      {"a list of 25 items", "a list of twenty-five items", ""},
      {"250 guests", "two hundred and fifty guests", ""},
      {"2.5 million users", "2500000 users", ""},
      {"a delay of 90 minutes", "a delay of 1.5 hours", ""},
      {"run 5km", "run 5 kilometres", ""},
      {"run 5 km", "run 5000 m", "numbers"},  // m may be minutes or millions
      {"run 5 km", "run 5000 meters", ""},
      {"a 30-day trial", "a trial of 30 days", ""},
      {"20% off", "20 percent off", ""},
      {"10 mg", "100 mg", "numbers"},
      {"10 mg", "10 g", "numbers"},
      {"10 mg of it", "10 ml of it", "numbers"},
      {"5 GB of space", "5 GiB of space", "numbers"},
      {"what is 3.14", "what is 31.4", "numbers"},
      {"what is -5 plus 2", "what is 5 plus 2", "numbers"},
      {"give me one example", "give me an example", ""},
      {"give me one example", "give me two examples", "numbers"},
      {"version 2.10.0", "version 2.1.0", "numbers"},
      {"a 20$ voucher", "a 20\xe2\x82\xac voucher", "numbers"},
      {"between 5 and 10", "between 5 and 15", "numbers"},
      {"10k rows", "10,000 rows", ""},
      {"twelve eggs", "a dozen eggs", ""},
      {"12 eggs", "1 dozen eggs", ""},
  });
}

TEST_CASE("dates and times") {
  CheckRows({
      {"on March 5, 2024", "on 5 March 2024", ""},
      {"on March 5th, 2024", "on 2024-03-05", ""},
      {"on the 5th of March 2024", "on 5.3.2024", ""},
      {"on 3/25/2024", "on 25 March 2024", ""},
      {"on 5 March", "on 6 March", "dates"},
      {"on 5 March", "on 5 April", "dates"},
      {"at 5pm", "at 17:00", ""},
      {"at 5:30 p.m. today", "at 17:30 today", ""},
      {"at 5pm", "at 5am", "dates"},
      {"open on Monday", "open on Tuesday", "dates"},
      {"weather today", "weather tomorrow", "dates"},
      {"events next week", "events last week", "dates"},
      {"elections in 2020", "elections in 2024", "numbers"},
  });
}

TEST_CASE("negations and opposites") {
  CheckRows({
      {"Is it safe to eat?", "Is it not safe to eat?", "negation"},
      {"Why is my printer not working?", "Why isn't my printer working?", ""},
      {"Foods allowed on keto", "Foods not allowed on keto", "negation"},
      {"Are drones not allowed here?", "Are drones forbidden here?", ""},
      {"Are drones allowed here?", "Are drones forbidden here?", "opposites"},
      {"How do I enable it?", "How do I disable it?", "opposites"},
      {"How do I turn on the light?", "How do I turn the light off?", "opposites"},
      {"How do I turn on the light?", "How do I switch the light on?", ""},
      {"wash before cutting", "wash after cutting", "opposites"},
      {"a cake with eggs", "a cake without eggs", "negation"},
      {"the highest mountain", "the lowest mountain", "opposites"},
      {"buy shares", "sell shares", "opposites"},
      {"buy shares", "purchase shares", ""},
      {"Wie aktiviere ich das?", "Wie deaktiviere ich das?", "opposites"},
      {"No, it does not exist.", "It does not exist.", ""},
      {"who completed the training", "who never completed the training", "negation"},
  });
}

TEST_CASE("order, questions, quotations, code, names, languages") {
  CheckRows({
      {"a train from Paris to London", "a train from London to Paris", "order"},
      {"convert csv to json", "convert json to csv", "order"},
      {"Is Python faster than Java?", "Is Java faster than Python?", "order"},
      {"When was it founded?", "Where was it founded?", "question"},
      {"Translate \"good night\" please", "Translate \"good day\" please", "opposites"},
      {"Translate \"the house\" please", "Translate \"the garden\" please", "quotes"},
      {"Translate \"the house\" please", "Translate the house please", ""},
      {"What does `len` do?", "What does len do?", ""},
      {"What does `len` do?", "What does `map` do?", "code"},
      {"What does this print?\n```\na = 1\n```", "What does this print?\n```\na = 2\n```", "code"},
      {"Who is the CEO of Tesla?", "Who is the CEO of Apple?", "names"},
      {"what is the capital of france", "what is the capital of spain", "names"},
      {"How do I use read_csv?", "How do I use read_json?", "names"},
      {"Fix error ABC-123", "Fix error ABC-124", "names"},
      {"Open https://a.example/x", "Open https://a.example/y", "names"},
      {"Mail jo@a.example about it", "Mail al@a.example about it", "names"},
      {"Delete /etc/hosts now", "Delete /etc/passwd now", "names"},
      {"install js packages", "install JavaScript packages", ""},
      {"How can I change my password in the app?", "Wie kann ich mein Passwort in der App andern?",
       "language"},
  });
}

TEST_CASE("opposites by their form") {
  CheckRows({
      {"Is the tax deductible?", "Is the tax non-deductible?", "negation"},
      {"Was the result expected?", "Was the result unexpected?", "opposites"},
      {"Was the result unexpected?", "Was the result not expected?", ""},
      {"Is it unclear?", "Is it not clear?", ""},
      {"Was the result unexpected?", "Was the unexpected result good?", ""},
      {"Should we encourage it?", "Should we discourage it?", "opposites"},
      {"Do they overestimate it?", "Do they underestimate it?", "opposites"},
      {"Was he careful?", "Was he careless?", "opposites"},
      {"Who pays the trainer?", "Who pays the trainee?", "opposites"},
      {"List my uncles", "List my cles and uncles", ""},
      {"The file is too large to open", "The file is so large that it does not open", ""},
  });
}

TEST_CASE("who does it to whom: the same words in the same frame") {
  CheckRows({
      {"Can a fox outrun a hare?", "Can a hare outrun a fox?", "order"},
      {"Did the man see the dog?", "Did the dog see the man?", "order"},
      {"Did Rome conquer Carthage?", "Did Carthage conquer Rome?", "order"},
      {"What do cats and dogs eat?", "What do dogs and cats eat?", ""},
      {"How are foxes, cats and dogs fed?", "How are dogs, cats and foxes fed?", ""},
      {"weather in paris tomorrow", "tomorrow weather in paris", ""},
      {"What happened on 20 July 1969?", "What happened on July 20, 1969?", ""},
      {"How can a list be sorted in Python?", "In Python, how can a list be sorted?", ""},
  });
}

TEST_CASE("rare words are names in lower case too") {
  CheckRows({
      {"weather in tallinn", "weather in vilnius", "names"},
      {"side effects of sertraline", "side effects of bupropion", "names"},
      {"side effects of sertraline", "what side effects does sertraline have", ""},
      {"how do i fix a laptop", "how do i repair a notebook", ""},
      {"recalculate the total", "recompute the total", ""},
      {"Forecast for tomorrow", "Forecast for the day after tomorrow", "dates"},
      {"Heat it to 180 C", "Heat it to 180 F", "numbers"},
  });
}

TEST_CASE("one word for another is refused when asked for") {
  CHECK(Refusal("Is the landing smooth?", "Is the landing bumpy?") == "");
  CHECK(Refusal("Is the landing smooth?", "Is the landing bumpy?", kAllGuards) == "words");
  CHECK(Refusal("Did the court convict him?", "Has the court convicted him?", kAllGuards) == "");
  CHECK(Refusal("run 5 km", "run 5 kilometres", kAllGuards) == "");
}

TEST_CASE("each guard can be switched off") {
  const std::string_view a = "Pay 10 dollars to Bob", b = "Pay 20 dollars to Eve";
  CHECK(Refusal(a, b) == "numbers");
  CHECK(Refusal(a, b, kDefaultGuards & ~Only(Guard::kNumbers)) == "names");
  CHECK(Refusal(a, b, kDefaultGuards & ~Only(Guard::kNumbers) & ~Only(Guard::kNames)) == "");
  CHECK(Refusal(a, b, 0) == "");
  for (int i = 0; i < kGuards; ++i) {
    const auto guard = static_cast<Guard>(i);
    CHECK(GuardByName(GuardName(guard)) == guard);
  }
  CHECK_FALSE(GuardByName("number").has_value());
  CHECK(GuardName(static_cast<Guard>(kGuards)).empty());
}

TEST_CASE("the verdict shows both pieces") {
  const Features x = Features::Of("How do I enable the beta?"),
                 y = Features::Of("How do I disable the beta?");
  const Verdict v = Compare(x, y);
  CHECK(v.asked == "enable");
  CHECK(v.stored == "disable");
  const Features m = Features::Of("take 10 mg"), n = Features::Of("take some");
  CHECK(Compare(m, n).asked == "10 mg");
  CHECK(Compare(m, n).stored.empty());
}

}  // namespace
}  // namespace weir::meaning
