#include "cmd/utl/advice.h"

#include <algorithm>

#include "base/bytes.h"

namespace strata::utl {
namespace {

std::string Number(LogIndex index) { return std::to_string(index.value()); }
std::string Number(Revision revision) {
  return std::to_string(revision.value());
}

std::string StateText(int slot, const StateFacts& state) {
  return "meta " + std::to_string(slot) + " names transaction " +
         std::to_string(state.transaction) + ", a whole tree: revision " +
         Number(state.revision) + ", the log applied up to entry " +
         Number(state.applied);
}

// A state that is whole where the file is not.
void AdviseState(const Facts& facts, int slot, std::vector<Advice>* all) {
  const StateFacts& state = facts.db.states[slot];
  if (facts.db.whole() || !state.whole() || slot != facts.db.newest) return;
  Advice advice;
  advice.action = "stratautl db copy --out NEW " + facts.db.path +
                  ", then put NEW in its place";
  advice.why = StateText(slot, state);
  if (facts.log.GoesOnFrom(state.applied)) {
    advice.why += "; the log has all that follows, up to entry " +
                  Number(facts.log.last_index);
    advice.loses = "nothing";
    all->insert(all->begin(), std::move(advice));
    return;
  }
  advice.loses = "what came after that revision, if anything did";
  all->push_back(std::move(advice));
}

// The log from its very first entry makes any db file again.
void AdviseReplay(const Facts& facts, std::vector<Advice>* all) {
  if (facts.db.whole() || !facts.log.whole() ||
      facts.log.first_index != LogIndex(1)) {
    return;
  }
  std::string files = facts.db.path;
  for (const auto* list : {&facts.snap_files, &facts.bad_snap_files}) {
    for (const std::string& file : *list) files += ", " + file;
  }
  all->push_back({.action = "move away " + files + ", then start the member",
                  .why = "the log has every entry from the first to " +
                         Number(facts.log.last_index) +
                         ": a start makes the db file from it",
                  .loses = "nothing"});
}

void AdviseOtherMembers(const Facts& facts, std::vector<Advice>* all) {
  if (facts.others.empty()) return;
  std::string names;
  for (const MemberRecord& member : facts.others) {
    names += (names.empty() ? "" : ", ") +
             (member.name.empty() ? HexId(member.id.value()) : member.name);
    if (!member.peer_urls.empty()) names += " (" + member.peer_urls[0] + ")";
  }
  all->push_back(
      {.action = "etcdctl member remove " + HexId(facts.self.value()) +
                 ", member add it again, and start it with an empty data "
                 "directory",
       .why =
           "it then gets everything from the leader; the others are " + names,
       .loses = "nothing, while a majority of the others runs"});
}

// The db file is whole, the log behind it is not.
void AdviseDbAlone(const Facts& facts, std::vector<Advice>* all) {
  if (!facts.db.whole() || facts.log.whole()) return;
  const StateFacts& state = facts.db.states[facts.db.newest];
  all->push_back(
      {.action = "cp " + facts.db.path +
                 " COPY, then etcdctl snapshot restore COPY "
                 "--skip-hash-check --data-dir NEW",
       .why = "the db file is whole: revision " + Number(state.revision) +
              ", the log applied up to entry " + Number(state.applied),
       .loses = "what the log had after entry " + Number(state.applied)});
}

void AdviseBackups(const Facts& facts, std::vector<Advice>* all) {
  std::vector<BackupFacts> good;
  std::copy_if(facts.backups.begin(), facts.backups.end(),
               std::back_inserter(good),
               [](const BackupFacts& backup) { return backup.fault.empty(); });
  if (good.empty()) return;
  const BackupFacts& best = *std::max_element(
      good.begin(), good.end(),
      [](const auto& a, const auto& b) { return a.revision < b.revision; });
  all->push_back(
      {.action = "etcdctl snapshot restore " + best.path + " --data-dir NEW",
       .why = "it is whole and the newest of " + std::to_string(good.size()) +
              " whole ones, at revision " + std::to_string(best.revision),
       .loses = "what came after revision " + std::to_string(best.revision)});
}

// What is left to read, when nothing else is.
void AdviseDump(const Facts& facts, std::vector<Advice>* all) {
  if (facts.db.whole() || facts.db.newest < 0) return;
  const StateFacts& state = facts.db.states[facts.db.newest];
  if (state.faults == 0) return;
  all->push_back(
      {.action = "stratautl db dump -w json " + facts.db.path +
                 ", and put back what is in it",
       .why = std::to_string(state.records) + " records can still be read",
       .loses = "the records on damaged pages, and all history"});
}

}  // namespace

std::vector<Advice> Advise(const Facts& facts) {
  std::vector<Advice> all;
  if (facts.whole()) return all;
  AdviseReplay(facts, &all);
  AdviseOtherMembers(facts, &all);
  AdviseDbAlone(facts, &all);
  for (int slot = 0; slot < 2; ++slot) AdviseState(facts, slot, &all);
  AdviseBackups(facts, &all);
  AdviseDump(facts, &all);
  return all;
}

}  // namespace strata::utl
