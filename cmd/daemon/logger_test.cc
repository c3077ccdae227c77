#include "cmd/daemon/logger.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/env.h"

namespace strata {
namespace {

// The lines that `write` has a logger with these options put into a file.
template <typename Write>
std::vector<std::string> Lines(LogOptions options, Write write) {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const std::string path = JoinPath(std::getenv("TEST_TMPDIR"), info->name());
  options.outputs = {path};
  auto logger = NewLogger(options);
  EXPECT_TRUE(logger.ok()) << logger.status();
  write(logger->get());
  const auto text = ReadFile(Env::Posix(), path, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = text->find('\n', at)) != std::string::npos;
       at = end + 1) {
    lines.push_back(text->substr(at, end - at));
  }
  return lines;
}

TEST(LoggerTest, JsonInTheShapeOfZaps) {
  const auto lines = Lines({}, [](Logger* logger) {
    logger->Info("opened", {{"revision", int64_t{-7}},
                            {"index", uint64_t{8}},
                            {"fsync", true},
                            {"path", "a\"b\n\xff%v"},
                            {"error", NotFoundError("gone")}});
    logger->Debug("unseen");
    logger->Warn("careful {} %v");
    logger->Error("failed");
  });
  ASSERT_EQ(lines.size(), 3u);
  const auto first = nlohmann::ordered_json::parse(lines[0]);
  EXPECT_EQ(first["level"], "info");
  EXPECT_EQ(first["msg"], "opened");
  EXPECT_EQ(first["revision"], -7);
  EXPECT_EQ(first["index"], 8);
  EXPECT_EQ(first["fsync"], true);
  EXPECT_EQ(first["path"], "a\"b\n\xEF\xBF\xBD%v");
  EXPECT_EQ(first["error"], "NotFound: gone");
  const std::string ts = first["ts"];
  EXPECT_EQ(ts.size(), std::string("2026-11-21T12:52:35.714Z").size());
  EXPECT_EQ(ts[10], 'T');
  EXPECT_TRUE(lines[0].starts_with("{\"level\":\"info\",\"ts\":\""));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["level"], "warn");
  EXPECT_EQ(nlohmann::json::parse(lines[1])["msg"], "careful {} %v");
  EXPECT_EQ(nlohmann::json::parse(lines[2])["level"], "error");
}

TEST(LoggerTest, Console) {
  LogOptions options;
  options.format = LogFormat::kConsole;
  options.level = LogLevel::kWarn;
  const auto lines = Lines(options, [](Logger* logger) {
    logger->Info("unseen");
    logger->Warn("careful", {{"revision", int64_t{7}}});
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].ends_with("Z\twarn\tcareful\t{\"revision\":7}"))
      << lines[0];
}

TEST(LoggerTest, AFileThatCannotBeMade) {
  LogOptions options;
  options.outputs = {"/proc/nowhere/log"};
  const auto logger = NewLogger(options);
  ASSERT_FALSE(logger.ok());
  EXPECT_TRUE(logger.status().message().starts_with("--log-outputs: "));
}

}  // namespace
}  // namespace strata
