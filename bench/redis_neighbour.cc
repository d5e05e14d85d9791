// The limiter that gateways share most often: a Lua script in a Redis, called once per request.
//
// Part of limits_bench where hiredis is found, so that both are measured in one run. The server is
// the one that WEIR_BENCH_REDIS names (a Unix socket's path), or a redis-server of our own on a
// socket of its own, which ends with the program. Without either these benchmarks are skipped.

#include <benchmark/benchmark.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace weir::limits {
namespace {

// A token bucket in floating point: the level and when it was so.
constexpr char kBucketScript[] = R"(
local size, per_us = tonumber(ARGV[1]), tonumber(ARGV[2])
local now_us, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(known[1]) or size, tonumber(known[2]) or now_us
level = math.min(size, level + math.max(0, now_us - at) * per_us)
local admitted = 0
if level >= cost then
  level = level - cost
  admitted = 1
end
redis.call('HSET', KEYS[1], 'level', level, 'at', now_us)
redis.call('PEXPIRE', KEYS[1], 120000)
return admitted)";

// A sliding window of the usual kind: this minute's count, and the last one's by the part of it
// that is still in the window.
constexpr char kWindowScript[] = R"(
local amount, window_us = tonumber(ARGV[1]), tonumber(ARGV[2])
local now_us, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local number = math.floor(now_us / window_us)
local known = redis.call('HMGET', KEYS[1], number, number - 1)
local left = 1 - (now_us - number * window_us) / window_us
local used = (tonumber(known[1]) or 0) + (tonumber(known[2]) or 0) * left
if used + cost > amount then return 0 end
redis.call('HINCRBY', KEYS[1], number, cost)
redis.call('PEXPIRE', KEYS[1], 120000)
return 1)";

struct FreeReply {
  void operator()(void* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

struct CloseConnection {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Connection = std::unique_ptr<redisContext, CloseConnection>;

// A server for the life of the program.
class Server {
 public:
  Server() {
    if (const char* named = std::getenv("WEIR_BENCH_REDIS")) {
      socket_ = named;
      return;
    }
    std::string folder = (std::filesystem::temp_directory_path() / "weir-redis-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return;
    folder_ = folder;
    socket_ = folder_ + "/socket";
    child_ = fork();
    if (child_ == 0) Run();
    WaitForIt();
  }
  ~Server() {
    if (child_ > 0) {
      kill(child_, SIGTERM);
      waitpid(child_, nullptr, 0);
    }
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Null when there is none.
  Connection Connect() const {
    Connection connection(redisConnectUnix(socket_.c_str()));
    if (connection == nullptr || connection->err != 0) return nullptr;
    return connection;
  }

 private:
  [[noreturn]] void Run() const {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // also when the benchmark is killed
    if (freopen("/dev/null", "w", stdout) == nullptr) _exit(1);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_.c_str(), "--save",
           "", "--appendonly", "no", "--dir", folder_.c_str(), static_cast<char*>(nullptr));
    _exit(1);
  }

  void WaitForIt() {
    for (int i = 0; i < 200 && Connect() == nullptr; ++i) {
      if (waitpid(child_, nullptr, WNOHANG) == child_) {
        child_ = -1;  // there is no such program
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::string folder_;
  std::string socket_;
  pid_t child_ = -1;
};

const Server& TheServer() {
  static const Server server;
  return server;
}

std::string Load(redisContext* connection, const char* script) {
  const Reply reply(static_cast<redisReply*>(redisCommand(connection, "SCRIPT LOAD %s", script)));
  return reply != nullptr && reply->type == REDIS_REPLY_STRING ? std::string(reply->str)
                                                               : std::string();
}

// One hot key; so many requests are sent before the first answer is read. `second` is the script's
// second argument.
void TakeFromRedis(benchmark::State& state, const char* script, const char* second) {
  const Connection connection = TheServer().Connect();
  if (connection == nullptr) return state.SkipWithError("there is no redis-server");
  const std::string digest = Load(connection.get(), script);
  if (digest.empty()) return state.SkipWithError("the server takes no script");
  const auto depth = state.range(0);
  int64_t now_us = 0, refused = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < depth; ++i) {
      redisAppendCommand(connection.get(), "EVALSHA %s 1 team-red 1000000000000 %s %lld 1",
                         digest.c_str(), second, static_cast<long long>(++now_us));
    }
    for (int64_t i = 0; i < depth; ++i) {
      void* raw = nullptr;
      if (redisGetReply(connection.get(), &raw) != REDIS_OK) {
        return state.SkipWithError("the server is gone");
      }
      const Reply reply(static_cast<redisReply*>(raw));
      refused += reply->type != REDIS_REPLY_INTEGER || reply->integer != 1 ? 1 : 0;
    }
  }
  if (refused != 0) state.SkipWithError("the script refused what fits");
  state.SetItemsProcessed(state.iterations() * depth);
}

void NeighbourRedisBucket(benchmark::State& state) {
  TakeFromRedis(state, kBucketScript, "16666.7");
}
BENCHMARK(NeighbourRedisBucket)->ArgName("pipelined")->Arg(1)->Arg(64)->UseRealTime();

void NeighbourRedisWindow(benchmark::State& state) {
  TakeFromRedis(state, kWindowScript, "60000000");
}
BENCHMARK(NeighbourRedisWindow)->ArgName("pipelined")->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace weir::limits
