#ifndef STRATA_TESTS_WATCH_CHECKER_H_
#define STRATA_TESTS_WATCH_CHECKER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// Whether what watchers were told is what they were promised
// (engine/watch_hub.h). It knows no store and no wire: whoever uses it, a
// simulator or a load against a server, writes down what was changed and what
// was received, and asks in the end.
namespace strata::testing {

// What can be wrong, by the name of the promise that it breaks.
enum class Promise {
  kOrdered,       // an event came after one of a later revision
  kUnique,        // an event came twice
  kReliable,      // an event between others was left out
  kAtomic,        // a revision came in parts that did not say so
  kResumable,     // left out or repeated where a watcher went on after a break
  kBookmarkable,  // progress was told and an event up to it had not come
  kFaithful,      // an event is none that was made, or has the wrong value
};
std::string PromiseName(Promise promise);

struct WatchedEvent {
  int64_t revision = 0;
  bool is_delete = false;
  std::string key = {};
  std::string value = {};  // of a put
  // The value before, if it was told.
  std::optional<std::string> prev = std::nullopt;

  std::string ToString() const;
};

// All changes that were made: a model of the store. Append in order.
class WatchTruth {
 public:
  void Put(int64_t revision, const std::string& key, const std::string& value);
  void Delete(int64_t revision, const std::string& key);
  // Everything before `revision` was compacted at some time.
  void Compact(int64_t revision);

  const std::vector<WatchedEvent>& events() const { return events_; }
  int64_t compacted() const { return compacted_; }

 private:
  std::vector<WatchedEvent> events_;  // with the values before
  std::map<std::string, std::string> now_;
  int64_t compacted_ = 0;
};

// What one watcher asked for and was told, over any number of streams: it
// begins, is told, breaks off, and begins again at what it has not seen.
class WatchLog {
 public:
  struct Wanted {
    std::string key = {};
    std::string end = {};  // as in the API: empty, or "\0" for no end
    bool no_put = false;
    bool no_delete = false;
    bool prev_kv = false;

    bool Wants(const WatchedEvent& event) const;
  };

  explicit WatchLog(Wanted wanted) : wanted_(std::move(wanted)) {}

  // It was created, to be told all from `start` on.
  void Begin(int64_t start);
  // A response; `more`: it is a fragment, and not the last.
  void Events(std::vector<WatchedEvent> events, bool more = false);
  void Progress(int64_t revision);
  // Cancelled, as what it should be told next has been compacted.
  void Compacted(int64_t revision);

  // Where it should begin again to miss nothing: after the last whole revision
  // or progress that it was told, or at the compacted revision.
  int64_t resume() const { return resume_; }
  const Wanted& wanted() const { return wanted_; }
  size_t events() const;

  // The log as it would be if the promise had been broken, to try a checker
  // with; nothing if it has no place for that.
  std::optional<WatchLog> Spoiled(Promise promise) const;

 private:
  friend class WatchChecker;

  struct Step {
    enum class Kind { kBegin, kEvents, kProgress, kCompacted };
    Kind kind;
    int64_t revision = 0;
    std::vector<WatchedEvent> events = {};
    bool more = false;
  };

  Wanted wanted_;
  std::vector<Step> steps_;
  int64_t resume_ = 0;
};

struct Violation {
  Promise promise;
  std::string what;  // "event 7 put a=1: ..."
};

// All that is wrong with a log, the first of each kind. `until`: it has been
// told of all up to this revision when the log ends; 0: it is not known how
// far.
std::vector<Violation> CheckWatch(const WatchTruth& truth, const WatchLog& log,
                                  int64_t until);

}  // namespace strata::testing

#endif  // STRATA_TESTS_WATCH_CHECKER_H_
