// Build step: turns a packed rank file (data/*.ranks) into the table that the library embeds
// (rank_table.h). Runs on the machine that builds and is no part of the library.
//
// usage: weir_make_token_table IN.ranks OUT.table
//
// It proves what the library's merging relies on, and fails otherwise: each of the 256 bytes is a
// token, and byte-pair merging of a token's own bytes ends in that token by a last merge of two
// lower-ranked ones. From this follow that the whole-piece look-up is exact, that a pair of tokens
// has at most one result, and that ranks never go down while merging (bpe.h says why).

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokens/rank_table.h"

namespace weir::tokens {
namespace {

struct Pair {
  uint32_t left, right, result;
};

struct Ranks {
  std::vector<std::string> tokens;  // by rank; a gap is empty
  std::unordered_map<std::string_view, uint32_t> rank_of;
  std::vector<Pair> pairs;
};

bool Fail(const std::string& message) {
  std::cerr << "weir_make_token_table: " << message << "\n";
  return false;
}

bool ReadRanks(const std::string& path, Ranks* ranks) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  constexpr std::string_view kMagic("WEIRRNK\0", 8);
  if (bytes.size() < 12 || bytes.compare(0, 8, kMagic) != 0) {
    return Fail(path + " is not a rank file");
  }
  uint32_t count;
  std::memcpy(&count, bytes.data() + 8, 4);
  if (count > kMaxTokens) return Fail("too many tokens for the table's format");
  size_t at = 12;
  for (uint32_t rank = 0; rank < count; ++rank) {
    const size_t size = at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 256;
    if (size >= bytes.size() - std::min(at, bytes.size())) return Fail(path + " is cut short");
    ranks->tokens.push_back(bytes.substr(at + 1, size));
    at += 1 + size;
  }
  if (at != bytes.size()) return Fail(path + " has bytes after its end");
  for (uint32_t rank = 0; rank < count; ++rank) {
    const std::string& token = ranks->tokens[rank];
    if (!token.empty() && !ranks->rank_of.emplace(token, rank).second) {
      return Fail("a token has two ranks");
    }
  }
  return true;
}

// Merges the bytes of `token` by the definition (lowest rank of the joined bytes, leftmost first)
// until two parts are left; returns the length of the first, or 0 when it does not get there.
size_t LastSplit(const Ranks& ranks, std::string_view token) {
  std::vector<size_t> cuts(token.size() + 1);
  for (size_t i = 0; i <= token.size(); ++i) cuts[i] = i;
  while (cuts.size() > 3) {
    uint32_t best = kNoToken;
    size_t best_at = 0;
    for (size_t i = 0; i + 2 < cuts.size(); ++i) {
      auto found = ranks.rank_of.find(token.substr(cuts[i], cuts[i + 2] - cuts[i]));
      if (found != ranks.rank_of.end() && found->second < best) {
        best = found->second;
        best_at = i;
      }
    }
    if (best == kNoToken) return 0;
    cuts.erase(cuts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
  return cuts[1];
}

bool FindPairs(Ranks* ranks) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (ranks->rank_of.count(std::string_view(&c, 1)) == 0) return Fail("a byte is not a token");
  }
  for (uint32_t rank = 0; rank < ranks->tokens.size(); ++rank) {
    const std::string_view token = ranks->tokens[rank];
    if (token.size() < 2) continue;
    const size_t cut = LastSplit(*ranks, token);
    if (cut == 0) return Fail("rank " + std::to_string(rank) + " cannot be merged from its bytes");
    const Pair pair = {ranks->rank_of.at(token.substr(0, cut)),
                       ranks->rank_of.at(token.substr(cut)), rank};
    if (pair.left >= rank || pair.right >= rank) {
      return Fail("rank " + std::to_string(rank) + " is made of a higher one");
    }
    ranks->pairs.push_back(pair);
  }
  return true;
}

// Sections one after the other, each on a cache line of its own.
class Image {
 public:
  Image() : bytes_(sizeof(TableHeader)) {}

  template <typename T>
  uint32_t Append(const std::vector<T>& section) {
    bytes_.resize((bytes_.size() + 63) / 64 * 64);
    const size_t offset = bytes_.size();
    bytes_.resize(offset + section.size() * sizeof(T));
    std::memcpy(bytes_.data() + offset, section.data(), section.size() * sizeof(T));
    return static_cast<uint32_t>(offset);
  }

  void Finish(TableHeader header) {
    bytes_.resize((bytes_.size() + 63) / 64 * 64);
    header.table_bytes = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &header, sizeof header);
  }

  const std::vector<char>& bytes() const { return bytes_; }

 private:
  std::vector<char> bytes_;
};

// An open-addressing table that grows at its end instead of wrapping round.
template <typename Entry, typename IsEmpty>
size_t Insert(std::vector<Entry>* table, size_t slot, const Entry& empty, IsEmpty is_empty) {
  while (!is_empty((*table)[slot])) ++slot;
  if (slot + 1 == table->size()) table->push_back(empty);
  return slot;
}

uint32_t SlotsFor(size_t entries, double load) {
  return static_cast<uint32_t>(static_cast<double>(entries) / load) + 1;
}

void AppendTokens(const Ranks& ranks, Image* image, TableHeader* header) {
  std::vector<uint32_t> byte_ids(256), begin = {0};
  std::vector<char> bytes;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids[static_cast<size_t>(byte)] = ranks.rank_of.at(std::string_view(&c, 1));
  }
  for (const std::string& token : ranks.tokens) {
    bytes.insert(bytes.end(), token.begin(), token.end());
    begin.push_back(static_cast<uint32_t>(bytes.size()));
    header->max_token_bytes =
        std::max(header->max_token_bytes, static_cast<uint32_t>(token.size()));
  }
  header->token_count = static_cast<uint32_t>(ranks.tokens.size());
  header->byte_ids = image->Append(byte_ids);
  header->token_begin = image->Append(begin);
  header->token_bytes = image->Append(bytes);
}

void AppendPieces(const Ranks& ranks, Image* image, TableHeader* header) {
  constexpr double kLoad = 0.6;
  size_t shorts = 0, middles = 0, longs = 0;
  for (const std::string& token : ranks.tokens) {
    ++(token.size() <= kShortBytes ? shorts : token.size() <= kMiddleBytes ? middles : longs);
  }
  header->short_slots = SlotsFor(shorts, kLoad);
  header->middle_slots = SlotsFor(middles, kLoad);
  header->long_slots = SlotsFor(longs, kLoad);
  std::vector<uint64_t> short_keys(header->short_slots + 1);
  std::vector<MiddleKey> middle_keys(header->middle_slots + 1);
  std::vector<LongEntry> long_entries(header->long_slots + 1, LongEntry{0, kNoToken});
  std::vector<uint32_t> short_ids(short_keys.size()), middle_ids(middle_keys.size());
  for (uint32_t id = 0; id < ranks.tokens.size(); ++id) {
    const std::string& token = ranks.tokens[id];
    if (token.empty()) continue;
    const char* end = token.data() + token.size();
    const uint64_t length = static_cast<uint64_t>(token.size()) << 56;
    if (token.size() <= kShortBytes) {
      const uint64_t key = LoadBytes(token.data(), token.size(), end).low | length;
      const size_t slot = Insert(&short_keys, HomeSlot(HashWord(key), header->short_slots),
                                 uint64_t{0}, [](uint64_t k) { return k == 0; });
      short_keys[slot] = key;
      short_ids.resize(short_keys.size());
      short_ids[slot] = id;
    } else if (token.size() <= kMiddleBytes) {
      MiddleKey key = LoadBytes(token.data(), token.size(), end);
      key.high |= length;
      const size_t slot = Insert(&middle_keys, HomeSlot(HashMiddle(key), header->middle_slots),
                                 MiddleKey{0, 0}, [](MiddleKey k) { return k.high == 0; });
      middle_keys[slot] = key;
      middle_ids.resize(middle_keys.size());
      middle_ids[slot] = id;
    } else {
      const uint64_t hash = HashLong(token.data(), token.size());
      const size_t slot =
          Insert(&long_entries, HomeSlot(hash, header->long_slots), LongEntry{0, kNoToken},
                 [](LongEntry e) { return e.id == kNoToken; });
      long_entries[slot] = {static_cast<uint32_t>(hash), id};
    }
  }
  header->short_keys = image->Append(short_keys);
  header->short_ids = image->Append(short_ids);
  header->middle_keys = image->Append(middle_keys);
  header->middle_ids = image->Append(middle_ids);
  header->long_entries = image->Append(long_entries);
}

void AppendPairs(const Ranks& ranks, Image* image, TableHeader* header) {
  // Lower than the others: most look-ups while merging find nothing.
  constexpr double kLoad = 0.5;
  header->pair_slots = SlotsFor(ranks.pairs.size(), kLoad);
  std::vector<uint64_t> table(header->pair_slots + 1, kNoPair);
  for (const Pair& pair : ranks.pairs) {
    const uint64_t key = PairKey(pair.left, pair.right);
    const size_t slot = Insert(&table, HomeSlot(HashWord(key), header->pair_slots), kNoPair,
                               [](uint64_t entry) { return entry == kNoPair; });
    table[slot] = key << kIdBits | pair.result;
  }
  header->pairs = image->Append(table);
}

// Reads everything back as the library will.
bool Verify(const Ranks& ranks, const std::vector<char>& bytes) {
  const RankTable table(reinterpret_cast<const unsigned char*>(bytes.data()));
  for (uint32_t id = 0; id < ranks.tokens.size(); ++id) {
    const std::string& token = ranks.tokens[id];
    if (table.TokenBytes(id) != token) return Fail("a token's bytes are wrong");
    if (token.empty()) continue;
    const uint32_t* found = table.Find(token.data(), token.size(), token.data() + token.size());
    if (found == nullptr || *found != id) return Fail("a token is not found");
  }
  for (const Pair& pair : ranks.pairs) {
    if (table.Merge(pair.left, pair.right) != pair.result) return Fail("a pair is not found");
  }
  return true;
}

bool MakeTable(const std::string& in, const std::string& out) {
  Ranks ranks;
  if (!ReadRanks(in, &ranks) || !FindPairs(&ranks)) return false;
  TableHeader header = {};
  header.magic = kTableMagic;
  Image image;
  AppendTokens(ranks, &image, &header);
  AppendPieces(ranks, &image, &header);
  AppendPairs(ranks, &image, &header);
  image.Finish(header);
  if (!Verify(ranks, image.bytes())) return false;
  std::ofstream file(out, std::ios::binary);
  file.write(image.bytes().data(), static_cast<std::streamsize>(image.bytes().size()));
  file.close();
  return file ? true : Fail("cannot write " + out);
}

}  // namespace
}  // namespace weir::tokens

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: weir_make_token_table IN.ranks OUT.table\n";
    return 2;
  }
  return weir::tokens::MakeTable(argv[1], argv[2]) ? 0 : 1;
}
