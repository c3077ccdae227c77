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

TEST(LoggerTest, RotatesItsOnlyFile) {
  LogOptions options;
  options.rotate = true;
  options.rotation = {.max_bytes = 4096, .max_backups = 2};
  const auto lines = Lines(options, [](Logger* logger) {
    for (int i = 0; i < 200; ++i) logger->Info("a line of some length");
  });
  EXPECT_LT(lines.size(), 60U);
  const std::string first = testing::TempDir() + "/RotatesItsOnlyFile";
  EXPECT_TRUE(Env::Posix()->Exists(first + ".1"));
  EXPECT_TRUE(Env::Posix()->Exists(first + ".2"));
  EXPECT_FALSE(Env::Posix()->Exists(first + ".3"));
}

TEST(LoggerTest, RotationAsEtcdAsksForIt) {
  const auto rotation = ParseLogRotation(
      R"({"maxsize": 7, "maxage": 0, "maxbackups": 3, "localtime": true,
          "compress": false})");
  ASSERT_TRUE(rotation.ok()) << rotation.status();
  EXPECT_EQ(rotation->max_bytes, uint64_t{7} << 20);
  EXPECT_EQ(rotation->max_backups, 3U);
  EXPECT_EQ(ParseLogRotation("{}")->max_bytes, uint64_t{100} << 20);
  for (const char* bad : {"", "[]", R"({"maxsize": "x"})", R"({"other": 1})"}) {
    EXPECT_EQ(ParseLogRotation(bad).status().code(), Code::kInvalidArgument)
        << bad;
  }
  for (const char* not_here : {R"({"maxage": 1})", R"({"compress": true})"}) {
    EXPECT_EQ(ParseLogRotation(not_here).status().code(), Code::kUnimplemented);
  }
  LogOptions options;
  options.rotate = true;
  EXPECT_FALSE(CheckLogRotation(options).ok());
  options.outputs = {"/tmp/a", "/tmp/b"};
  EXPECT_FALSE(CheckLogRotation(options).ok());
  options.outputs = {"/tmp/a"};
  EXPECT_TRUE(CheckLogRotation(options).ok());
}

}  // namespace
}  // namespace strata
