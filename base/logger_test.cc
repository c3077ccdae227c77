#include "base/logger.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace strata {
namespace {

std::string Text(const LogField& field) {
  std::ostringstream out;
  out << field.name << "=";
  std::visit([&out](const auto& v) { out << v; }, field.value);
  return out.str();
}

class ListLogger : public Logger {
 public:
  bool Enabled(LogLevel level) const override {
    return level >= LogLevel::kInfo;
  }
  void Log(LogLevel, std::string_view message,
           std::initializer_list<LogField> fields) override {
    lines.emplace_back(message);
    for (const LogField& field : fields) lines.back() += " " + Text(field);
  }

  std::vector<std::string> lines;
};

TEST(Logger, FieldsKeepTheirTypes) {
  ListLogger logger;
  logger.Info("m", {{"int", -1},
                    {"big", UINT64_MAX},
                    {"real", 0.5},
                    {"yes", true},
                    {"text", "t"},
                    {"status", NotFoundError("x")}});
  EXPECT_EQ(
      std::vector<std::string>{
          "m int=-1 big=18446744073709551615 real=0.5 yes=1 text=t "
          "status=NotFound: x"},
      logger.lines);
  const LogField yes("yes", true);
  EXPECT_TRUE(std::holds_alternative<bool>(yes.value));
}

TEST(Logger, LevelsBelowAreNotLogged) {
  ListLogger logger;
  logger.Debug("d");
  logger.Info("i");
  logger.Warn("w");
  logger.Error("e");
  EXPECT_EQ((std::vector<std::string>{"i", "w", "e"}), logger.lines);
}

TEST(Logger, NullTakesNothing) {
  EXPECT_FALSE(Logger::Null()->Enabled(LogLevel::kError));
  Logger::Null()->Error("lost", {{"n", 1}});
}

}  // namespace
}  // namespace strata
