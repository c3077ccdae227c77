#include "tests/watch/checker.h"

#include <algorithm>
#include <set>
#include <utility>

namespace strata::testing {

std::string PromiseName(Promise promise) {
  switch (promise) {
    case Promise::kOrdered:
      return "ordered";
    case Promise::kUnique:
      return "unique";
    case Promise::kReliable:
      return "reliable";
    case Promise::kAtomic:
      return "atomic";
    case Promise::kResumable:
      return "resumable";
    case Promise::kBookmarkable:
      return "bookmarkable";
    case Promise::kFaithful:
      return "faithful";
  }
  return "?";
}

std::string WatchedEvent::ToString() const {
  return std::to_string(revision) + (is_delete ? " delete " : " put ") + key +
         (is_delete ? "" : "=" + value) +
         (prev.has_value() ? " (" + *prev + ")" : "");
}

// --- truth ---

void WatchTruth::Put(int64_t revision, const std::string& key,
                     const std::string& value) {
  WatchedEvent event{.revision = revision, .key = key, .value = value};
  const auto before = now_.find(key);
  if (before != now_.end()) event.prev = before->second;
  now_[key] = value;
  events_.push_back(std::move(event));
}

void WatchTruth::Delete(int64_t revision, const std::string& key) {
  WatchedEvent event{.revision = revision, .is_delete = true, .key = key};
  const auto before = now_.find(key);
  if (before != now_.end()) event.prev = before->second;
  now_.erase(key);
  events_.push_back(std::move(event));
}

void WatchTruth::Compact(int64_t revision) {
  compacted_ = std::max(compacted_, revision);
}

// --- log ---

bool WatchLog::Wanted::Wants(const WatchedEvent& event) const {
  if (event.is_delete ? no_delete : no_put) return false;
  if (end.empty()) return event.key == key;
  if (event.key < key) return false;
  return end == std::string(1, '\0') || event.key < end;
}

void WatchLog::Begin(int64_t start) {
  steps_.push_back({.kind = Step::Kind::kBegin, .revision = start});
  resume_ = start;
}

void WatchLog::Events(std::vector<WatchedEvent> events, bool more) {
  if (!events.empty()) {
    // Of a fragment, the last revision may go on.
    resume_ = std::max(resume_, events.back().revision + (more ? 0 : 1));
  }
  steps_.push_back(
      {.kind = Step::Kind::kEvents, .events = std::move(events), .more = more});
}

void WatchLog::Progress(int64_t revision) {
  steps_.push_back({.kind = Step::Kind::kProgress, .revision = revision});
  resume_ = std::max(resume_, revision + 1);
}

void WatchLog::Compacted(int64_t revision) {
  steps_.push_back({.kind = Step::Kind::kCompacted, .revision = revision});
  resume_ = std::max(resume_, revision);
}

size_t WatchLog::events() const {
  size_t count = 0;
  for (const Step& step : steps_) count += step.events.size();
  return count;
}

std::optional<WatchLog> WatchLog::Spoiled(Promise promise) const {
  WatchLog log = *this;
  using Kind = Step::Kind;
  for (size_t i = 1; i + 1 < log.steps_.size(); ++i) {
    Step& step = log.steps_[i];
    Step& before = log.steps_[i - 1];
    if (step.kind != Kind::kEvents || step.events.empty() || step.more) {
      continue;
    }
    const bool first = before.kind == Kind::kBegin;
    const bool follows =
        before.kind == Kind::kEvents && !before.events.empty() && !before.more;
    switch (promise) {
      case Promise::kOrdered:
        if (!follows) continue;
        std::swap(step.events, before.events);
        return log;
      case Promise::kUnique:
        step.events.push_back(step.events.back());
        return log;
      case Promise::kReliable:
        if (!follows || log.steps_[i + 1].kind != Kind::kEvents) continue;
        log.steps_.erase(log.steps_.begin() + static_cast<long>(i));
        return log;
      case Promise::kAtomic: {
        const size_t last = step.events.size() - 1;
        if (last == 0 ||
            step.events[last].revision != step.events[last - 1].revision) {
          continue;
        }
        Step rest = step;
        rest.events.erase(rest.events.begin(), rest.events.end() - 1);
        step.events.pop_back();
        log.steps_.insert(log.steps_.begin() + static_cast<long>(i) + 1, rest);
        return log;
      }
      case Promise::kResumable:
        if (!first || i < 2 || step.events.size() < 2 ||
            step.events[0].revision == step.events[1].revision ||
            step.events[0].revision <= before.revision) {
          continue;
        }
        step.events.erase(step.events.begin());
        return log;
      case Promise::kBookmarkable:
        if (!follows) continue;
        log.steps_.insert(log.steps_.begin() + static_cast<long>(i),
                          Step{.kind = Kind::kProgress,
                               .revision = step.events.back().revision});
        return log;
      case Promise::kFaithful:
        step.events.back().value += "!";
        return log;
    }
  }
  return std::nullopt;
}

// --- checker ---

class WatchChecker {
 public:
  WatchChecker(const WatchTruth& truth, const WatchLog& log)
      : truth_(truth), log_(log) {
    for (const WatchedEvent& event : truth.events()) {
      if (log.wanted_.Wants(event)) expected_.push_back(&event);
    }
  }

  std::vector<Violation> Run(int64_t until) {
    for (const WatchLog::Step& step : log_.steps_) Take(step);
    if (until > 0) {
      ExpectAllUpTo(until, Promise::kReliable, "the end");
    }
    return std::move(violations_);
  }

 private:
  using Kind = WatchLog::Step::Kind;

  void Take(const WatchLog::Step& step) {
    switch (step.kind) {
      case Kind::kBegin:
        return Begin(step.revision);
      case Kind::kEvents:
        return Events(step);
      case Kind::kProgress:
        ExpectAllUpTo(step.revision, Promise::kBookmarkable,
                      "progress " + std::to_string(step.revision));
        bookmark_ = std::max(bookmark_, step.revision);
        return;
      case Kind::kCompacted:
        // Until it begins again it need not be told what is before.
        return SkipTo(step.revision);
    }
  }

  // What comes next is what the watcher asked for. That may be what it has
  // seen: it may go back as it likes.
  void Begin(int64_t start) {
    const auto first = std::lower_bound(
        expected_.begin(), expected_.end(), start,
        [](const WatchedEvent* e, int64_t rev) { return e->revision < rev; });
    next_ = static_cast<size_t>(first - expected_.begin());
    ++sessions_;
    fresh_ = true;
    last_revision_ = 0;
    open_ = false;
    bookmark_ = 0;
    seen_.clear();
    optional_.clear();
    // Of the compacted revision only some is left.
    if (start <= truth_.compacted()) SkipTo(start);
  }

  void Events(const WatchLog::Step& step) {
    if (!step.events.empty() && !open_ &&
        step.events.front().revision == last_revision_) {
      Report(Promise::kAtomic, step.events.front(),
             "its revision had come already");
    }
    for (const WatchedEvent& event : step.events) Event(event);
    open_ = step.more;
    if (step.more || next_ >= expected_.size()) return;
    // It ends with a whole revision.
    const WatchedEvent& after = *expected_[next_];
    if (after.revision == last_revision_ && !optional_.contains(&after)) {
      Report(Promise::kAtomic, after, "its revision came without it");
    }
  }

  void Event(const WatchedEvent& event) {
    const auto id = std::make_pair(event.revision, event.key);
    if (seen_.contains(id)) {
      return Report(Promise::kUnique, event, "for the second time");
    }
    if (event.revision <= bookmark_) {
      Report(Promise::kBookmarkable, event,
             "after progress " + std::to_string(bookmark_));
    }
    const size_t at = Find(event);
    if (at == expected_.size()) {
      return Report(Promise::kFaithful, event, "was not asked for or not made");
    }
    Compare(event, *expected_[at]);
    seen_.insert(id);
    if (at < next_) {
      return fresh_ ? Report(Promise::kResumable, event, "before the start")
                    : Report(Promise::kOrdered, event, "after a later one");
    }
    for (; next_ < at; ++next_) {
      if (optional_.contains(expected_[next_])) continue;
      Report(fresh_ && sessions_ > 1 ? Promise::kResumable : Promise::kReliable,
             *expected_[next_], "did not come before " + event.ToString());
    }
    next_ = at + 1;
    last_revision_ = event.revision;
    fresh_ = false;
  }

  size_t Find(const WatchedEvent& event) const {
    for (auto at = std::lower_bound(expected_.begin(), expected_.end(),
                                    event.revision,
                                    [](const WatchedEvent*e, int64_t rev) {
                                      return e->revision < rev;
                                    });
         at != expected_.end() && (*at)->revision == event.revision; ++at) {
      if ((*at)->key == event.key) {
        return static_cast<size_t>(at - expected_.begin());
      }
    }
    return expected_.size();
  }

  void Compare(const WatchedEvent& event, const WatchedEvent& truth) {
    if (event.is_delete != truth.is_delete || event.value != truth.value) {
      Report(Promise::kFaithful, event, "should be " + truth.ToString());
    }
    const bool compacted = truth.revision <= truth_.compacted();
    const bool prev_wrong =
        log_.wanted_.prev_kv
            ? event.prev != truth.prev && (event.prev.has_value() || !compacted)
            : event.prev.has_value();
    if (prev_wrong) {
      Report(Promise::kFaithful, event,
             "the value before should be that of " + truth.ToString());
    }
  }

  void ExpectAllUpTo(int64_t revision, Promise promise,
                     const std::string& where) {
    for (; next_ < expected_.size() && expected_[next_]->revision <= revision;
         ++next_) {
      if (optional_.contains(expected_[next_])) continue;
      Report(promise, *expected_[next_], "did not come before " + where);
    }
  }

  // What is left up to `revision` need not come.
  void SkipTo(int64_t revision) {
    for (size_t at = next_;
         at < expected_.size() && expected_[at]->revision <= revision; ++at) {
      optional_.insert(expected_[at]);
    }
  }

  void Report(Promise promise, const WatchedEvent& event,
              const std::string& what) {
    if (!reported_.insert(promise).second) return;
    violations_.push_back({promise, event.ToString() + ": " + what});
  }

  const WatchTruth& truth_;
  const WatchLog& log_;
  std::vector<const WatchedEvent*> expected_;
  size_t next_ = 0;  // in expected_: what has to come
  int sessions_ = 0;
  // Of the present one:
  bool fresh_ = true;  // nothing has come yet
  // What need not come, as it may have been compacted.
  std::set<const WatchedEvent*> optional_;
  std::set<std::pair<int64_t, std::string>> seen_;
  int64_t last_revision_ = 0;
  bool open_ = false;  // more of last_revision_ was announced
  int64_t bookmark_ = 0;

  std::set<Promise> reported_;
  std::vector<Violation> violations_;
};

std::vector<Violation> CheckWatch(const WatchTruth& truth, const WatchLog& log,
                                  int64_t until) {
  return WatchChecker(truth, log).Run(until);
}

}  // namespace strata::testing
