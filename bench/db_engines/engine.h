#ifndef STRATA_BENCH_DB_ENGINES_ENGINE_H_
#define STRATA_BENCH_DB_ENGINES_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::bench {

struct EngineOptions {
  std::string directory;  // there, and empty or the engine's own
  // Every commit is durable when it returns; else only what Finish() saw.
  bool sync_commits = false;
  // For what an engine keeps of its files in its own memory.
  uint64_t cache_bytes = 64 << 20;
};

// A storage engine as db_bench sees it: one ordered table of revision keys.
// What goes wrong ends the program: a benchmark has nothing to save.
//
// Commit, Finish and Shrink come from one thread; readers are one thread's each
// and may be made by any, but not while the engine is closed.
class Engine {
 public:
  struct Change {
    bool erase = false;
    std::string_view key;
    std::string_view value;
  };

  // One state, that at its making.
  class Reader {
   public:
    using Row =
        std::function<void(std::string_view key, std::string_view value)>;

    virtual ~Reader() = default;
    // The value of a key that is there; valid until the next call.
    virtual std::string_view Get(std::string_view key) = 0;
    // Every row, in order of keys.
    virtual void Scan(const Row& row) = 0;
  };

  virtual ~Engine() = default;

  // One transaction: new readers see all of it.
  virtual void Commit(std::span<const Change> changes) = 0;
  // Returns when all that was committed is in files and synced.
  virtual void Finish() = 0;
  virtual std::unique_ptr<Reader> NewReader() = 0;
  // Gives free space in files back; false if the engine can not.
  virtual bool Shrink() { return false; }
};

// The names, in the order in which they are run by default.
std::vector<std::string> EngineNames();
// Whether what it keeps is there when it is opened again.
bool IsDurable(const std::string& name);
// Null if there is no engine of that name.
std::unique_ptr<Engine> OpenEngine(const std::string& name,
                                   const EngineOptions& options);

// One file each.
std::unique_ptr<Engine> OpenStrata(const std::string& name,
                                   const EngineOptions& options);
std::unique_ptr<Engine> OpenLmdb(const EngineOptions& options);
std::unique_ptr<Engine> OpenLevelDb(const EngineOptions& options);
std::unique_ptr<Engine> OpenRocksDb(const EngineOptions& options);

}  // namespace strata::bench

#endif  // STRATA_BENCH_DB_ENGINES_ENGINE_H_
