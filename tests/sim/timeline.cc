#include "tests/sim/timeline.h"

#include <algorithm>
#include <sstream>

#include "tests/sim/timeline_page.h"

namespace strata::sim {
namespace {

constexpr size_t kMaxMessages = 60'000;
constexpr size_t kMaxOperations = 20'000;
constexpr size_t kMaxStates = 5'000;  // of a member
constexpr size_t kMaxFaults = 5'000;

template <typename T>
void Add(std::deque<T>* all, T one, size_t most) {
  all->push_back(std::move(one));
  if (all->size() > most) all->pop_front();
}

// In milliseconds, as the page counts.
std::string Ms(Time time) {
  std::ostringstream text;
  text.precision(3);
  text << std::fixed << std::chrono::duration<double, std::milli>(time).count();
  return text.str();
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    // No end of the script inside it, and no other line.
    quoted += c == '<' || static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

std::string StateOf(Member* member) {
  if (!member->up()) return "down";
  if (member->paused()) return "paused";
  const ReplicatorStatus status = member->node()->replication();
  if (status.leader == member->id()) return "leader";
  return status.leader == MemberId() ? "no leader" : "follower";
}

std::string Describe(const raft::Message& message) {
  std::string text(raft::MessageTypeName(message.type));
  text += " term " + std::to_string(message.term.value());
  text += " index " + std::to_string(message.index.value());
  if (!message.entries.empty()) {
    text += " entries " + std::to_string(message.entries.size());
  }
  text += " commit " + std::to_string(message.commit.value());
  if (message.reject) text += " rejected";
  return text;
}

}  // namespace

void Timeline::Message(const raft::Message& message, Time sent, Time received) {
  end_ = std::max(end_, received);
  Add(&messages_,
      Sent{.sent = sent,
           .received = received,
           .from = message.from,
           .to = message.to,
           .type = message.type,
           .term = message.term.value(),
           .text = Describe(message)},
      kMaxMessages);
}

void Timeline::Operation(const Workload::Operation& operation) {
  end_ = std::max(end_, operation.end);
  Add(&operations_, operation, kMaxOperations);
}

void Timeline::Fault(Time time, const std::string& line) {
  end_ = std::max(end_, time);
  Add(&faults_, {time, line}, kMaxFaults);
}

void Timeline::State(Time time, Member* member) {
  end_ = std::max(end_, time);
  Lane& lane = lanes_[member->id()];
  lane.name = member->options().name;
  Was now{.since = time, .state = StateOf(member), .term = 0};
  if (member->up()) now.term = member->node()->replication().term.value();
  if (!lane.states.empty() && lane.states.back().SameAs(now)) return;
  Add(&lane.states, std::move(now), kMaxStates);
}

std::string Timeline::Html(const std::string& title) const {
  std::map<std::string, MemberId> by_name;
  for (const auto& [id, lane] : lanes_) by_name.emplace(lane.name, id);
  std::map<MemberId, size_t> numbers;
  std::ostringstream data;
  data << "const run = {title: " << Quoted(title) << ", end: " << Ms(end_)
       << ",\nmembers: [";
  for (const auto& [name, id] : by_name) {
    const Lane& lane = lanes_.at(id);
    numbers.emplace(id, numbers.size());
    data << "{name: " << Quoted(name) << ", states: [";
    for (const Was& was : lane.states) {
      data << '[' << Ms(was.since) << ',' << Quoted(was.state) << ','
           << was.term << "],";
    }
    data << "]},\n";
  }
  data << "],\nmessages: [";
  for (const Sent& sent : messages_) {
    const auto from = numbers.find(sent.from);
    const auto to = numbers.find(sent.to);
    if (from == numbers.end() || to == numbers.end()) continue;
    data << '[' << Ms(sent.sent) << ',' << Ms(sent.received) << ','
         << from->second << ',' << to->second << ','
         << static_cast<uint64_t>(sent.type) << ',' << sent.term << ','
         << Quoted(sent.text) << "],\n";
  }
  data << "],\noperations: [";
  for (const Workload::Operation& operation : operations_) {
    data << '[' << Ms(operation.start) << ',' << Ms(operation.end) << ','
         << (operation.ok ? 1 : 0) << ',' << Quoted(operation.ToString())
         << "],\n";
  }
  data << "],\nfaults: [";
  for (const auto& [time, line] : faults_) {
    data << '[' << Ms(time) << ',' << Quoted(line) << "],\n";
  }
  data << "]};\n";
  return std::string(kPageBegin) + data.str() + std::string(kPageEnd);
}

}  // namespace strata::sim
