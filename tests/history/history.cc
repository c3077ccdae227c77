#include "tests/history/history.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/key_value.h"

namespace strata::testing {
namespace {

std::vector<std::string> Split(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool ToNumber(const std::string& word, int64_t* number) {
  const auto [end, error] =
      std::from_chars(word.data(), word.data() + word.size(), *number);
  return error == std::errc() && end == word.data() + word.size();
}

int64_t Number(const std::string& word) {
  int64_t number = -1;
  CHECK(ToNumber(word, &number)) << word;
  return number;
}

std::string OrNothing(const std::string& word) {
  return word == "-" ? "" : word;
}

// How many words follow the revision; those of a `get` may be more.
size_t WordsOf(const std::string& kind) {
  static const std::map<std::string, size_t> kWords = {
      {"put", 2}, {"del", 2}, {"cas", 5}, {"get", 3}};
  return kWords.at(kind);
}

// Those of a call's words that are numbers.
bool AreNumbers(const std::string& kind,
                const std::vector<std::string>& words) {
  int64_t number = 0;
  if (kind == "del") return ToNumber(words[1], &number);
  if (kind == "cas") return ToNumber(words[1], &number);
  if (kind != "get") return true;
  for (size_t i = 5; i < words.size(); i += 3) {
    if (!ToNumber(words[i], &number)) return false;
  }
  return true;
}

void CheckGet(const Truth::Asked& asked, const History::Call& call,
              Truth* truth) {
  std::vector<Truth::ReadKey> read;
  for (size_t i = 3; i < call.words.size(); i += 3) {
    read.push_back({.key = call.words[i],
                    .value = call.words[i + 1],
                    .revision = Number(call.words[i + 2])});
  }
  truth->CheckRead(asked, call.words[0], OrNothing(call.words[1]), read,
                   call.revision);
}

void CheckCall(const History::Call& call, int64_t floor, Truth* truth) {
  const std::vector<std::string>& words = call.words;
  Truth::Asked asked = {.what = "\"" + call.line + "\"", .floor = floor};
  if (call.kind == "put") {
    truth->CheckPut(asked, words[0], words[1], call.revision);
  } else if (call.kind == "del") {
    truth->CheckDelete(asked, words[0], Number(words[1]), call.revision);
  } else if (call.kind == "cas") {
    truth->CheckSwap(asked,
                     {.key = words[0],
                      .expected = Number(words[1]),
                      .value = words[2],
                      .succeeded = words[3] == "1",
                      .found = words[4] == "1"},
                     call.revision);
  } else {
    // One that is serializable may be of any time.
    if (words[2] == "s") asked.floor = 0;
    CheckGet(asked, call, truth);
  }
}

}  // namespace

bool History::TakeCall(const std::string& line,
                       std::vector<std::string> words) {
  if (words.size() < 7) return false;
  Call call = {
      .kind = words[0], .client = words[3], .member = words[4], .line = line};
  if (!ToNumber(words[1], &call.start) || !ToNumber(words[2], &call.end)) {
    return false;
  }
  if (call.kind == "lost") {
    if (words.size() != 9) return false;
    values_.insert(words[8]);
    ++lost_;
    return true;
  }
  if (!ToNumber(words[5], &call.revision)) return false;
  words.erase(words.begin(), words.begin() + 6);
  const size_t fixed = WordsOf(call.kind);
  const bool whole = call.kind == "get" ? words.size() >= fixed &&
                                              (words.size() - fixed) % 3 == 0
                                        : words.size() == fixed;
  if (!whole || !AreNumbers(call.kind, words)) return false;
  if (call.kind == "put") values_.insert(words[1]);
  if (call.kind == "cas") values_.insert(words[2]);
  call.words = std::move(words);
  calls_.push_back(std::move(call));
  return true;
}

bool History::TakeWatch(const std::vector<std::string>& words) {
  if (words.size() < 2) return false;
  if (words[0] == "watch") {
    if (words.size() != 4) return false;
    watchers_.emplace(words[1],
                      WatchLog({.key = words[2], .end = OrNothing(words[3])}));
    return true;
  }
  const auto at = watchers_.find(words[1]);
  int64_t revision = 0;
  if (at == watchers_.end()) return false;
  if (words[0] == "events") {
    if (words.size() % 4 != 2) return false;
    std::vector<WatchedEvent> events;
    for (size_t i = 2; i < words.size(); i += 4) {
      if (!ToNumber(words[i + 1], &revision)) return false;
      events.push_back({.revision = revision,
                        .is_delete = words[i] == "del",
                        .key = words[i + 2],
                        .value = OrNothing(words[i + 3])});
    }
    at->second.Events(std::move(events));
    return true;
  }
  if (words.size() != 3 || !ToNumber(words[2], &revision)) return false;
  words[0] == "begin" ? at->second.Begin(revision)
                      : at->second.Progress(revision);
  return true;
}

bool History::TakeShown(const std::vector<std::string>& words) {
  ShownLine shown;
  if (words.size() != 5 || !ToNumber(words[2], &shown.revision) ||
      !FromHex(words[4], &shown.change.kv)) {
    return false;
  }
  shown.change.tombstone = words[3] == "del";
  shown_[words[1]].push_back(std::move(shown));
  return true;
}

bool History::Take(const std::string& line) {
  static const std::set<std::string> kCalls = {"put", "del", "cas", "get",
                                               "lost"};
  static const std::set<std::string> kWatches = {"watch", "begin", "events",
                                                 "progress"};
  std::vector<std::string> words = Split(line);
  if (words.empty()) return true;
  if (kCalls.contains(words[0])) return TakeCall(line, std::move(words));
  if (kWatches.contains(words[0])) return TakeWatch(words);
  return words[0] == "shown" && TakeShown(words);
}

StatusOr<History> History::Read(std::istream* in) {
  History history;
  for (std::string line; std::getline(*in, line);) {
    if (!history.Take(line)) {
      return InvalidArgumentError("cannot read: " + line.substr(0, 200));
    }
  }
  std::set<int64_t> revisions;
  for (const auto& [member, lines] : history.shown_) {
    for (const ShownLine& shown : lines) revisions.insert(shown.revision);
  }
  history.revisions_ = revisions.size();
  return history;
}

void History::CheckAskedFor(const ShownLine& shown, Truth* truth) const {
  const auto kv = DecodeKeyValue(shown.change.kv);
  if (!kv.ok()) return truth->Violated(kv.status().ToString());
  if (!kv->key.starts_with('k') || shown.change.tombstone ||
      values_.contains(std::string(kv->value))) {
    return;
  }
  truth->Violated("revision " + std::to_string(shown.revision) +
                  " has a value that nobody put: " + Printable(kv->value));
}

void History::ShowAll(Truth* truth) const {
  int64_t last = 0;
  for (const auto& [member, lines] : shown_) {
    for (size_t i = 0; i < lines.size();) {
      const int64_t revision = lines[i].revision;
      std::vector<Truth::Shown> changes;
      for (; i < lines.size() && lines[i].revision == revision; ++i) {
        changes.push_back(lines[i].change);
        CheckAskedFor(lines[i], truth);
      }
      truth->Show(member, revision, changes, Time());
    }
    const int64_t end = lines.back().revision;
    if (last != 0 && end != last) {
      truth->Violated("member " + member + " ends at revision " +
                      std::to_string(end) + ", another at " +
                      std::to_string(last));
    }
    last = end;
  }
}

// The calls in the order in which they ended, and what was known when each
// began.
void History::CheckCalls(Truth* truth) const {
  std::vector<const Call*> by_start;
  for (const Call& call : calls_) by_start.push_back(&call);
  std::vector<const Call*> by_end = by_start;
  std::ranges::sort(by_start, {}, &Call::start);
  std::ranges::sort(by_end, {}, &Call::end);
  int64_t floor = 0;
  auto ended = by_end.begin();
  for (const Call* call : by_start) {
    for (; ended != by_end.end() && (*ended)->end < call->start; ++ended) {
      floor = std::max(floor, (*ended)->revision);
    }
    CheckCall(*call, floor, truth);
  }
}

void History::CheckWatches(Truth* truth) const {
  for (const auto& [name, log] : watchers_) {
    // What it was told last may be before the end.
    for (const Violation& violation : CheckWatch(truth->watched(), log, 0)) {
      truth->Violated("watcher " + name + " is not " +
                      PromiseName(violation.promise) + ": " + violation.what);
    }
  }
}

std::string History::Check() const {
  Truth truth;
  if (shown_.empty()) return "no member has shown anything";
  ShowAll(&truth);
  CheckCalls(&truth);
  CheckWatches(&truth);
  return truth.violation();
}

}  // namespace strata::testing
