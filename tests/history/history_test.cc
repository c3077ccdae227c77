#include "tests/history/history.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/key_value.h"

namespace strata::testing {
namespace {

std::string Shown(const std::string& member, int64_t revision,
                  const std::string& key, const std::string& value) {
  KeyValue kv;
  kv.key = key;
  kv.value = value;
  kv.mod_revision = Revision(revision);
  return "shown " + member + " " + std::to_string(revision) +
         (value.empty() ? " del " : " put ") + ToHex(EncodeKeyValue(kv)) + "\n";
}

// k1=a at 2, k1=b at 3, k2=c at 4, k1 deleted at 5.
std::string AllShown(const std::string& member) {
  return Shown(member, 2, "k1", "a") + Shown(member, 3, "k1", "b") +
         Shown(member, 4, "k2", "c") + Shown(member, 5, "k1", "");
}

const char kCalls[] =
    "put 10 20 c0 m0 2 k1 a\n"
    "cas 30 40 c0 m1 3 k1 2 b 1 0\n"
    "get 35 45 c1 m2 2 k1 - l k1 a 2\n"
    "put 50 60 c1 m0 4 k2 c\n"
    "cas 61 62 c1 m0 4 k1 2 d 0 1\n"
    "get 61 63 c2 m1 2 k1 - s k1 a 2\n"
    "del 65 70 c2 m0 5 k1 1\n"
    "get 80 90 c0 m0 5 k l l k2 c 4\n"
    "lost 80 99 c1 m1 4 put k2 e\n"
    "del 95 96 c2 m0 5 k1 0\n"
    "watch w0 k l\n"
    "begin w0 2\n"
    "events w0 put 2 k1 a put 3 k1 b\n"
    "begin w0 4\n"
    "events w0 put 4 k2 c del 5 k1 -\n";

std::string Good() { return kCalls + AllShown("m0") + AllShown("m1"); }

std::string Violation(const std::string& text) {
  std::istringstream in(text);
  const auto history = History::Read(&in);
  return history.ok() ? history->Check() : history.status().ToString();
}

std::string Replaced(const std::string& what, const std::string& by) {
  std::string text = Good();
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(HistoryTest, WhatCanHaveBeenIsNoViolation) {
  EXPECT_EQ(Violation(Good()), "");
}

// One mistake of a cluster each.
TEST(HistoryTest, FindsEveryPlantedMistake) {
  const struct {
    const char* what;
    const char* good;
    const char* planted;
    const char* found;
  } kMistakes[] = {
      {"a lost write", "put 50 60 c1 m0 4 k2 c", "put 50 60 c1 m0 4 k3 c",
       "acknowledged at revision 4, which has it not"},
      {"a wrong value was read", "5 k l l k2 c 4", "5 k l l k2 b 4",
       "is not what was there"},
      {"a stale read", "get 35 45 c1 m2 2 k1 - l", "get 48 49 c1 m2 2 k1 - l",
       "but 3 was known"},
      {"a key is missing in a range", "5 k l l k2 c 4", "5 k l l",
       "is not what was there"},
      {"a swap that should have failed", "m1 3 k1 2 b 1 0", "m1 3 k1 0 b 1 0",
       "held at revision 3"},
      {"a swap that should have held", "m0 4 k1 2 d 0 1", "m0 4 k1 3 d 0 1",
       "failed at revision 4"},
      {"a delete that deleted nothing", "m0 5 k1 1", "m0 4 k1 0", "not so"},
      {"a write before what was known", "del 65 70 c2 m0 5 k1 1",
       "del 98 99 c2 m0 5 k1 1", "but 5 was known"},
      {"a serializable read of what never was", "s k1 a 2", "s k1 b 2",
       "is not what was there"},
      {"an event left out", "put 2 k1 a put 3 k1 b", "put 3 k1 b", "reliable"},
      {"an event twice", "put 4 k2 c del", "put 3 k1 b put 4 k2 c del",
       "watcher w0"},
      {"a value out of nowhere", "lost 80 99 c1 m1 4 put k2 e\n",
       "lost 80 99 c1 m1 4 put k2 e\nshown m2 2 put 0a026b31\n",
       "a value that nobody put"},
  };
  for (const auto& mistake : kMistakes) {
    const std::string violation =
        Violation(Replaced(mistake.good, mistake.planted));
    EXPECT_NE(violation.find(mistake.found), std::string::npos)
        << mistake.what << ": \"" << violation << "\"";
  }
}

TEST(HistoryTest, FindsMembersThatDiffer) {
  const std::string other = Shown("m1", 2, "k1", "b");
  EXPECT_NE(Violation(kCalls + AllShown("m0") + other).find("member m1 has"),
            std::string::npos);
  EXPECT_NE(Violation(kCalls + AllShown("m0") + Shown("m1", 2, "k1", "a"))
                .find("ends at revision 2"),
            std::string::npos);
}

// Of a request whose fate was unknown, one effect is fine, two are not.
TEST(HistoryTest, FindsWhatWasMadeTwice) {
  const std::string once = AllShown("m0") + Shown("m0", 6, "k2", "e");
  EXPECT_EQ(Violation(kCalls + once), "");
  EXPECT_NE(
      Violation(kCalls + once + Shown("m0", 7, "k2", "e")).find("made twice"),
      std::string::npos);
}

TEST(HistoryTest, NamesALineThatCannotBeRead) {
  for (const char* line :
       {"put 1 2 c0 m0 x k v", "get 1 2 c0 m0 3 k - l k", "events w9", "hello",
        "cas 1 2 c0 m0 3 k x v 1 0", "shown m0 2 put zz", "lost 1 2 c0"}) {
    EXPECT_NE(Violation(line).find("cannot read"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace strata::testing
