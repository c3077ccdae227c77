#ifndef STRATA_TESTS_HISTORY_HISTORY_H_
#define STRATA_TESTS_HISTORY_HISTORY_H_

#include <cstdint>
#include <istream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/history/truth.h"
#include "tests/watch/checker.h"

namespace strata::testing {

// What clients of a cluster did and were told, and what its members had in the
// end, as text, a line each. Words have no blanks; times are nanoseconds of one
// clock; `-` is nothing.
//
//   put START END CLIENT MEMBER REVISION KEY VALUE
//   del START END CLIENT MEMBER REVISION KEY DELETED
//   cas START END CLIENT MEMBER REVISION KEY EXPECTED VALUE HELD FOUND
//   get START END CLIENT MEMBER REVISION KEY END l|s {KEY VALUE REVISION}
//   lost START END CLIENT MEMBER CODE put|del|cas|get KEY VALUE
//   watch WATCHER KEY END
//   begin WATCHER START
//   events WATCHER {put|del REVISION KEY VALUE}
//   progress WATCHER REVISION
//   shown MEMBER REVISION put|del KV_IN_HEX
//
// The end of a `lost` call is not known: it may be made, or not. No value is
// put twice. `shown` has all changes of a member, in order.
class History {
 public:
  struct Call {
    std::string kind = {};
    int64_t start = 0;
    int64_t end = 0;
    std::string client = {};
    std::string member = {};
    int64_t revision = 0;
    std::vector<std::string> words = {};  // the rest of the line
    std::string line = {};
  };

  // InvalidArgument names the line that cannot be read.
  static StatusOr<History> Read(std::istream* in);

  // What is wrong, the first thing; empty: nothing.
  std::string Check() const;

  size_t calls() const { return calls_.size(); }
  size_t lost() const { return lost_; }
  size_t watchers() const { return watchers_.size(); }
  size_t revisions() const { return revisions_; }

 private:
  struct ShownLine {
    std::string member;
    int64_t revision = 0;
    Truth::Shown change;
  };

  bool Take(const std::string& line);
  bool TakeCall(const std::string& line, std::vector<std::string> words);
  bool TakeWatch(const std::vector<std::string>& words);
  bool TakeShown(const std::vector<std::string>& words);
  void CheckAskedFor(const ShownLine& shown, Truth* truth) const;
  void ShowAll(Truth* truth) const;
  void CheckCalls(Truth* truth) const;
  void CheckWatches(Truth* truth) const;

  std::vector<Call> calls_;
  std::set<std::string> values_;  // that somebody asked to put
  std::map<std::string, WatchLog> watchers_;
  std::map<std::string, std::vector<ShownLine>> shown_;  // by member
  size_t lost_ = 0;
  size_t revisions_ = 0;
};

}  // namespace strata::testing

#endif  // STRATA_TESTS_HISTORY_HISTORY_H_
