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
    if (token.size() > kMaxTokenBytes) return Fail("a token is too long for the table's format");
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

// Finds a pilot for each bucket, the fullest first, such that no two keys share a slot. Returns the
// slot of each hash.
bool FindPilots(const std::vector<uint64_t>& hashes, PerfectHash* table,
                std::vector<uint16_t>* pilots, std::vector<uint32_t>* slot_of) {
  constexpr double kLoad = 0.97;
  constexpr size_t kBucketKeys = 4;
  table->slots = SlotsFor(hashes.size(), kLoad);
  table->buckets = static_cast<uint32_t>(hashes.size() / kBucketKeys + 1);
  std::vector<std::vector<uint32_t>> buckets(table->buckets);
  for (uint32_t i = 0; i < hashes.size(); ++i) {
    buckets[HomeSlot(hashes[i], table->buckets)].push_back(i);
  }
  std::vector<uint32_t> order(buckets.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&buckets](uint32_t a, uint32_t b) {
    return buckets[a].size() > buckets[b].size();
  });
  pilots->assign(buckets.size(), 0);
  slot_of->assign(hashes.size(), 0);
  std::vector<bool> taken(table->slots);
  for (const uint32_t bucket : order) {
    uint32_t pilot = 0;
    for (size_t done = 0; done < buckets[bucket].size();) {
      const uint32_t key = buckets[bucket][done];
      const uint32_t slot = PilotSlot(hashes[key], pilot, table->slots);
      if (!taken[slot]) {
        taken[slot] = true;
        (*slot_of)[key] = slot;
        ++done;
        continue;
      }
      for (; done > 0; --done) taken[(*slot_of)[buckets[bucket][done - 1]]] = false;
      if (++pilot > 0xFFFF) return Fail("no perfect hash of the tokens was found");
    }
    (*pilots)[bucket] = static_cast<uint16_t>(pilot);
  }
  return true;
}

// A perfect hash table of `keys`, whose ids are beside them. A slot without a key holds zeros,
// which no key is.
template <typename Key>
bool AppendPerfect(const std::vector<Key>& keys, const std::vector<uint32_t>& ids,
                   const std::vector<uint64_t>& hashes, PerfectHash* table, uint32_t* keys_at,
                   uint32_t* ids_at, Image* image) {
  std::vector<uint16_t> pilots;
  std::vector<uint32_t> slot_of;
  if (!FindPilots(hashes, table, &pilots, &slot_of)) return false;
  std::vector<Key> key_slots(table->slots);
  std::vector<uint32_t> id_slots(table->slots, kNoToken);
  for (size_t i = 0; i < keys.size(); ++i) {
    key_slots[slot_of[i]] = keys[i];
    id_slots[slot_of[i]] = ids[i];
  }
  table->pilots = image->Append(pilots);
  *keys_at = image->Append(key_slots);
  *ids_at = image->Append(id_slots);
  return true;
}

// A token's bytes with as many zeros after them as a key may read.
std::string Padded(const std::string& token) { return token + std::string(kKeyReadBytes, '\0'); }

bool AppendPieces(const Ranks& ranks, Image* image, TableHeader* header) {
  constexpr double kLoad = 0.6;
  std::vector<uint64_t> short_keys, short_hashes, middle_hashes;
  std::vector<MiddleKey> middle_keys;
  std::vector<uint32_t> short_ids, middle_ids, long_ids;
  for (uint32_t id = 0; id < ranks.tokens.size(); ++id) {
    const std::string& token = ranks.tokens[id];
    if (token.empty()) continue;
    if (token.size() <= kShortBytes) {
      short_keys.push_back(ShortKey(Padded(token).data(), token.size()));
      short_hashes.push_back(HashWord(short_keys.back()));
      short_ids.push_back(id);
    } else if (token.size() <= kMiddleBytes) {
      middle_keys.push_back(MiddleKeyOf(Padded(token).data(), token.size()));
      middle_hashes.push_back(HashMiddle(middle_keys.back()));
      middle_ids.push_back(id);
    } else {
      long_ids.push_back(id);
    }
  }
  header->long_slots = SlotsFor(long_ids.size(), kLoad);
  std::vector<LongEntry> long_entries(header->long_slots + 1, LongEntry{0, kNoToken});
  for (const uint32_t id : long_ids) {
    const uint64_t hash = HashLong(ranks.tokens[id].data(), ranks.tokens[id].size());
    const size_t slot =
        Insert(&long_entries, HomeSlot(hash, header->long_slots), LongEntry{0, kNoToken},
               [](LongEntry e) { return e.id == kNoToken; });
    long_entries[slot] = {static_cast<uint32_t>(hash), id};
  }
  header->long_entries = image->Append(long_entries);
  return AppendPerfect(short_keys, short_ids, short_hashes, &header->short_hash,
                       &header->short_keys, &header->short_ids, image) &&
         AppendPerfect(middle_keys, middle_ids, middle_hashes, &header->middle_hash,
                       &header->middle_keys, &header->middle_ids, image);
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

  std::vector<uint64_t> filter(kFilterBits / 64);
  for (const Pair& pair : ranks.pairs) {
    const uint32_t bit = FilterBit(HashWord(PairKey(pair.left, pair.right)));
    filter[bit / 64] |= uint64_t{1} << bit % 64;
  }
  header->pair_filter = image->Append(filter);

  std::vector<uint32_t> byte_pairs(size_t{256} * 256, kNoToken);
  for (const Pair& pair : ranks.pairs) {
    const std::string& token = ranks.tokens[pair.result];
    if (token.size() != 2) continue;
    byte_pairs[static_cast<size_t>(static_cast<unsigned char>(token[0])) << 8 |
               static_cast<unsigned char>(token[1])] = pair.result;
  }
  header->byte_pairs = image->Append(byte_pairs);
}

const uint32_t* Find(const RankTable& table, const std::string& token) {
  const std::string padded = Padded(token);
  if (token.size() <= kShortBytes) {
    const uint64_t key = ShortKey(padded.data(), token.size());
    return table.FindShort(key, HashWord(key));
  }
  if (token.size() <= kMiddleBytes) {
    const MiddleKey key = MiddleKeyOf(padded.data(), token.size());
    return table.FindMiddle(key, HashMiddle(key));
  }
  return table.FindLong(token.data(), token.size(), HashLong(token.data(), token.size()));
}

// How many bytes at the end of `token` begin a character that it does not finish.
size_t OpenBytes(std::string_view token) {
  for (size_t n = 1; n <= 3 && n <= token.size(); ++n) {
    const unsigned char byte = static_cast<unsigned char>(token[token.size() - n]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    return n < (byte < 0xE0 ? 2u : byte < 0xF0 ? 3u : 4u) ? n : 0;
  }
  return 0;
}

// How many bytes at its beginning end a character that it does not begin.
size_t StrayBytes(std::string_view token) {
  size_t n = 0;
  while (n < token.size() && (static_cast<unsigned char>(token[n]) & 0xC0) == 0x80) ++n;
  return n;
}

// The code point that ends at `end` of `text`; kNoCodePoint when no whole character does.
uint32_t CodePointBefore(std::string_view text, size_t end) {
  for (size_t n = 1; n <= 4 && n <= end; ++n) {
    const unsigned char lead = static_cast<unsigned char>(text[end - n]);
    if (lead >= 0x80 && lead < 0xC0) continue;
    const size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (bytes != n) return kNoCodePoint;
    uint32_t code_point = n == 1 ? lead : lead & (0x7Fu >> n);
    for (size_t i = n - 1; i > 0; --i) {
      code_point = code_point << 6 | (static_cast<unsigned char>(text[end - i]) & 0x3Fu);
    }
    return code_point;
  }
  return kNoCodePoint;
}

// Up to two bytes as a number, as FirstBytes and LastBytes tell them.
uint32_t BytesCode(std::string_view bytes) {
  uint32_t code = 0;
  for (const char c : bytes) code = code << 8 | static_cast<unsigned char>(c);
  return code;
}

// Tokens that join a part of a character to something outside it: the lowest rank for each part and
// neighbour.
struct Threats {
  std::unordered_map<uint64_t, uint32_t> lowest;        // by ThreatBefore and ThreatAfter
  std::unordered_map<uint32_t, uint32_t> first, last;   // by part, whatever the neighbour
  std::unordered_map<uint32_t, uint32_t> first_always;  // by part: the neighbour is no character
};

Threats FindThreats(const Ranks& ranks) {
  Threats threats;
  // Ranks rise, and emplace keeps the first.
  for (uint32_t rank = 0; rank < ranks.tokens.size(); ++rank) {
    const std::string_view token = ranks.tokens[rank];
    const size_t open = OpenBytes(token), stray = StrayBytes(token);
    if (open > 0 && open <= 2 && open < token.size()) {
      const uint32_t part = BytesCode(token.substr(token.size() - open));
      const uint32_t before = CodePointBefore(token, token.size() - open);
      threats.first.emplace(part, rank);
      if (before == kNoCodePoint) {
        threats.first_always.emplace(part, rank);
      } else {
        threats.lowest.emplace(ThreatBefore(before, part), rank);
      }
    }
    if (stray > 0 && stray <= 2 && stray < token.size()) {
      const uint32_t part = BytesCode(token.substr(0, stray));
      threats.last.emplace(part, rank);
      threats.lowest.emplace(ThreatAfter(part, static_cast<unsigned char>(token[stray])), rank);
    }
  }
  return threats;
}

bool IsBelow(const std::unordered_map<uint32_t, uint32_t>& lowest, PartsOfChar parts,
             uint32_t rank) {
  for (const uint32_t part : {parts.one, parts.two}) {
    const auto found = lowest.find(part);
    if (part != 0 && found != lowest.end() && found->second < rank) return true;
  }
  return false;
}

// Merges go by rising rank, and those that make a character of its bytes have at most the rank of
// its token. So nothing can come between if every token that joins a part of it to something else
// ranks higher; if some rank lower, it depends on the neighbours.
uint32_t WholeCharEntry(const Threats& threats, uint32_t code_point, uint32_t rank) {
  if (IsBelow(threats.first_always, FirstBytes(code_point), rank)) return kNoToken;
  uint32_t entry = rank;
  if (IsBelow(threats.first, FirstBytes(code_point), rank)) entry |= kCheckBefore;
  if (IsBelow(threats.last, LastBytes(code_point), rank)) entry |= kCheckAfter;
  return entry;
}

void AppendWholeChars(const Ranks& ranks, Image* image, TableHeader* header) {
  const Threats threats = FindThreats(ranks);
  std::vector<uint32_t> whole(0x10000, kNoToken);
  for (uint32_t code_point = 0x80; code_point < whole.size(); ++code_point) {
    const PartsOfChar first = FirstBytes(code_point);
    std::string character;
    if (first.two != 0) character += static_cast<char>(first.two >> 8);
    character += static_cast<char>(first.two != 0 ? first.two & 0xFF : first.one);
    character += static_cast<char>(LastBytes(code_point).one);
    const auto found = ranks.rank_of.find(character);
    if (found == ranks.rank_of.end()) continue;
    whole[code_point] = WholeCharEntry(threats, code_point, found->second);
  }
  header->whole_chars = image->Append(whole);

  header->threat_slots = SlotsFor(threats.lowest.size(), 0.25);
  std::vector<uint64_t> table(header->threat_slots + 1, kNoPair);
  for (const auto& [threat, rank] : threats.lowest) {
    const size_t slot = Insert(&table, HomeSlot(HashWord(threat), header->threat_slots), kNoPair,
                               [](uint64_t entry) { return entry == kNoPair; });
    table[slot] = threat << kIdBits | rank;
  }
  header->threats = image->Append(table);
}

// The code point that begins at `at` of `text`; kNoCodePoint when no whole character does.
uint32_t CodePointAt(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return CodePointBefore(text.substr(at), end - at);
}

// Sets the bits of MayJoin for one token: of all places in it where a character can begin.
void AddNeighbours(std::string_view token, std::vector<uint64_t>* neighbours,
                   std::vector<uint8_t>* open_chars) {
  for (size_t at = 1; at < token.size(); ++at) {
    if ((static_cast<unsigned char>(token[at]) & 0xC0) == 0x80) continue;
    const uint32_t before = CodePointBefore(token, at), after = CodePointAt(token, at);
    if (before < 0x10000 && after < 0x10000) {
      const uint32_t bit = NeighbourBit(before, after);
      (*neighbours)[bit / 64] |= uint64_t{1} << bit % 64;
    } else if (before < 0x10000) {
      (*open_chars)[before] |= kOpenAfter;
    } else if (after < 0x10000) {
      (*open_chars)[after] |= kOpenBefore;
    } else {
      // Parts of two: any character that begins like this one.
      const std::string_view part = token.substr(at, 2);
      for (uint32_t code_point = 0x80; code_point < 0x10000; ++code_point) {
        const PartsOfChar first = FirstBytes(code_point);
        if (BytesCode(part) == (part.size() == 1 ? first.one : first.two)) {
          (*open_chars)[code_point] |= kOpenBefore;
        }
      }
    }
  }
}

void AppendNeighbours(const Ranks& ranks, Image* image, TableHeader* header) {
  std::vector<uint64_t> neighbours(kNeighbourBits / 64);
  std::vector<uint8_t> open_chars(0x10000);
  for (const std::string& token : ranks.tokens) AddNeighbours(token, &neighbours, &open_chars);
  header->neighbours = image->Append(neighbours);
  header->open_chars = image->Append(open_chars);
}

// Reads everything back as the library will.
bool Verify(const Ranks& ranks, const std::vector<char>& bytes) {
  const RankTable table(reinterpret_cast<const unsigned char*>(bytes.data()));
  for (uint32_t id = 0; id < ranks.tokens.size(); ++id) {
    const std::string& token = ranks.tokens[id];
    if (table.TokenBytes(id) != token) return Fail("a token's bytes are wrong");
    if (token.empty()) continue;
    const uint32_t* found = Find(table, token);
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
  if (!AppendPieces(ranks, &image, &header)) return false;
  AppendPairs(ranks, &image, &header);
  AppendWholeChars(ranks, &image, &header);
  AppendNeighbours(ranks, &image, &header);
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
