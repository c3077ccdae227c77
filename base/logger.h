#ifndef STRATA_BASE_LOGGER_H_
#define STRATA_BASE_LOGGER_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace strata {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// One name and value of a structured log line: {"revision", 7}.
struct LogField {
  std::string_view name;
  std::variant<int64_t, uint64_t, double, bool, std::string> value;

  template <std::signed_integral T>
  LogField(std::string_view n, T v) : name(n), value(int64_t{v}) {}
  template <std::unsigned_integral T>
  LogField(std::string_view n, T v) : name(n), value(uint64_t{v}) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v)
      : name(n), value(std::string(v)) {}
  LogField(std::string_view n, std::string_view v)
      : name(n), value(std::string(v)) {}
  LogField(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  LogField(std::string_view n, const Status& v)
      : name(n), value(v.ToString()) {}
};

// Where log lines go; main() decides (cmd/ has JSON and console ones on
// spdlog). Thread-safe; never blocks on anything but the output itself.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual bool Enabled(LogLevel level) const = 0;
  virtual void Log(LogLevel level, std::string_view message,
                   std::initializer_list<LogField> fields) = 0;

  void Debug(std::string_view m, std::initializer_list<LogField> f = {}) {
    if (Enabled(LogLevel::kDebug)) Log(LogLevel::kDebug, m, f);
  }
  void Info(std::string_view m, std::initializer_list<LogField> f = {}) {
    if (Enabled(LogLevel::kInfo)) Log(LogLevel::kInfo, m, f);
  }
  void Warn(std::string_view m, std::initializer_list<LogField> f = {}) {
    if (Enabled(LogLevel::kWarn)) Log(LogLevel::kWarn, m, f);
  }
  void Error(std::string_view m, std::initializer_list<LogField> f = {}) {
    if (Enabled(LogLevel::kError)) Log(LogLevel::kError, m, f);
  }

  // Drops everything. Lives as long as the process.
  static Logger* Null();
};

}  // namespace strata

#endif  // STRATA_BASE_LOGGER_H_
