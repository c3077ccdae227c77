#include "rpc/h2/head.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

namespace strata {
namespace {

using namespace std::chrono_literals;

bool IsGrpc(std::string_view type) {
  CallHead head;
  AddToHead("content-type", type, &head);
  return head.is_grpc;
}

TEST(HeadTest, WhatIsGrpc) {
  EXPECT_TRUE(IsGrpc("application/grpc"));
  EXPECT_TRUE(IsGrpc("application/grpc+proto"));
  EXPECT_TRUE(IsGrpc("application/grpc;x=y"));
  EXPECT_FALSE(IsGrpc("application/grpc-web"));
  EXPECT_FALSE(IsGrpc("application/json"));
  EXPECT_FALSE(IsGrpc(""));
}

TEST(HeadTest, HeadersOfACall) {
  CallHead head;
  AddToHead(":path", "/etcdserverpb.KV/Range", &head);
  AddToHead("grpc-timeout", "100m", &head);
  AddToHead("grpc-encoding", "gzip", &head);
  AddToHead("hasleader", "true", &head);
  AddToHead("x-other", "nothing", &head);
  EXPECT_EQ(head.path, "/etcdserverpb.KV/Range");
  EXPECT_EQ(head.timeout, 100ms);
  EXPECT_EQ(head.encoding, "gzip");
  EXPECT_TRUE(head.asks_for_leader);
  AddToHead("hasleader", "false", &head);
  EXPECT_FALSE(head.asks_for_leader);
}

TEST(HeadTest, Timeouts) {
  EXPECT_EQ(ParseTimeout("2H"), 2h);
  EXPECT_EQ(ParseTimeout("3M"), 3min);
  EXPECT_EQ(ParseTimeout("4S"), 4s);
  EXPECT_EQ(ParseTimeout("5m"), 5ms);
  EXPECT_EQ(ParseTimeout("6u"), 6us);
  EXPECT_EQ(ParseTimeout("0n"), 0ns);
  EXPECT_GT(ParseTimeout("99999999H"), 24h * 365 * 100);
  for (const char* bad : {"", "1", "S", "1x", "-1S", "123456789S", "1.5S"}) {
    EXPECT_EQ(ParseTimeout(bad), std::nullopt) << bad;
  }
}

TEST(HeadTest, PercentEncoded) {
  EXPECT_EQ(PercentEncoded("etcdserver: key not found"),
            "etcdserver: key not found");
  EXPECT_EQ(PercentEncoded("100%\n\xc3\xa9~"), "100%25%0A%C3%A9~");
}

}  // namespace
}  // namespace strata
