#include "base/logger.h"

namespace strata {

namespace {

class NullLogger : public Logger {
 public:
  bool Enabled(LogLevel) const override { return false; }
  void Log(LogLevel, std::string_view,
           std::initializer_list<LogField>) override {}
};

}  // namespace

Logger* Logger::Null() {
  static NullLogger logger;
  return &logger;
}

}  // namespace strata
