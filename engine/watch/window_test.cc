#include "engine/watch/window.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/key_value.h"

namespace strata {
namespace {

std::shared_ptr<const WatchEvent> Event(int64_t revision,
                                        const std::string& value) {
  const std::string kv = EncodeKeyValue({.key = "k",
                                         .create_revision = Revision(2),
                                         .mod_revision = Revision(revision),
                                         .version = 1,
                                         .value = value});
  return std::make_shared<const WatchEvent>(
      Change{{Revision(revision), 0}, false, kv}, /*live=*/true);
}

TEST(EventWindowTest, GoesWhenAllHaveTakenIt) {
  EventWindow window(100, 1 << 20);
  const uint64_t first = window.Add(Event(2, "a"), 2);
  const uint64_t second = window.Add(Event(3, "b"), 1);
  EXPECT_EQ(window.at(first)->revision(), Revision(2));
  window.Release(second);
  EXPECT_EQ(window.size(), 2u);  // behind one that is wanted
  window.Release(first);
  EXPECT_TRUE(window.Has(first));
  window.Release(first);
  EXPECT_EQ(window.size(), 0u);
  EXPECT_EQ(window.bytes(), 0u);
  EXPECT_FALSE(window.Has(first));
  window.Release(first);  // a late one does nothing
  EXPECT_EQ(window.Add(Event(4, "c"), 1), second + 1);
}

TEST(EventWindowTest, TheOldestGoWhenThereAreTooMany) {
  EventWindow window(10, 1 << 20);
  uint64_t first = 0, last = 0;
  for (int64_t i = 0; i < 25; ++i) {
    last = window.Add(Event(2 + i, "v"), 1);
    if (i == 0) first = last;
  }
  EXPECT_EQ(window.size(), 10u);
  EXPECT_FALSE(window.Has(first + 14));
  ASSERT_TRUE(window.Has(first + 15));
  EXPECT_EQ(window.at(first + 15)->revision(), Revision(17));
}

TEST(EventWindowTest, OrTooLarge) {
  EventWindow window(100, 10000);
  const uint64_t first = window.Add(Event(2, std::string(6000, 'v')), 1);
  const uint64_t second = window.Add(Event(3, std::string(6000, 'v')), 1);
  EXPECT_FALSE(window.Has(first));
  EXPECT_TRUE(window.Has(second));
  // One that alone is more than all of it stays until the next.
  const uint64_t huge = window.Add(Event(4, std::string(60000, 'v')), 1);
  EXPECT_TRUE(window.Has(huge));
  EXPECT_FALSE(window.Has(second));
  window.Release(huge);
  EXPECT_EQ(window.bytes(), 0u);
}

}  // namespace
}  // namespace strata
