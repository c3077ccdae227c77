#include "cmd/daemon/logger.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace strata {
namespace {

using Json = nlohmann::ordered_json;

// etcd's name of systemd's log, which takes what we write to stderr.
constexpr std::string_view kJournal = "systemd/journal";

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

// zap's names of the levels: spdlog's own say "warning".
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view name = Name(message.level);
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelName>();
  }

 private:
  static std::string_view Name(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::debug:
        return "debug";
      case spdlog::level::info:
        return "info";
      case spdlog::level::warn:
        return "warn";
      default:
        return "error";
    }
  }
};

// Bytes that are no UTF-8 become U+FFFD: a log line is always valid JSON.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace);
}

Json ToJson(const LogField& field) {
  return std::visit([](const auto& value) { return Json(value); }, field.value);
}

class SpdlogLogger : public Logger {
 public:
  SpdlogLogger(const LogOptions& options, std::vector<spdlog::sink_ptr> sinks)
      : json_(options.format == LogFormat::kJson),
        log_("stratad", sinks.begin(), sinks.end()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(
        spdlog::pattern_time_type::utc);
    formatter->add_flag<LevelName>('*').set_pattern(
        json_ ? R"({"level":"%*","ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
              : "%Y-%m-%dT%H:%M:%S.%eZ\t%*\t%v");
    log_.set_formatter(std::move(formatter));
    log_.set_level(ToSpdlog(options.level));
    log_.flush_on(spdlog::level::debug);
  }

  bool Enabled(LogLevel level) const override {
    return log_.should_log(ToSpdlog(level));
  }

  void Log(LogLevel level, std::string_view message,
           std::initializer_list<LogField> fields) override {
    log_.log(ToSpdlog(level),
             json_ ? JsonLine(message, fields) : ConsoleLine(message, fields));
  }

 private:
  static std::string JsonLine(std::string_view message,
                              std::initializer_list<LogField> fields) {
    std::string line = "\"msg\":" + Dump(message);
    for (const LogField& field : fields) {
      line += "," + Dump(field.name) + ":" + Dump(ToJson(field));
    }
    return line;
  }

  static std::string ConsoleLine(std::string_view message,
                                 std::initializer_list<LogField> fields) {
    std::string line(message);
    if (fields.size() == 0) return line;
    Json json;
    for (const LogField& field : fields) {
      json[std::string(field.name)] = ToJson(field);
    }
    return line + "\t" + Dump(json);
  }

  const bool json_;
  spdlog::logger log_;
};

}  // namespace

namespace {

bool IsFile(const std::string& output) {
  return output != "default" && output != "stderr" && output != "stdout" &&
         output != kJournal;
}

spdlog::sink_ptr OpenFile(const LogOptions& options,
                          const std::string& output) {
  if (!options.rotate) {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(output);
  }
  return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
      output, options.rotation.max_bytes, options.rotation.max_backups);
}

}  // namespace

StatusOr<LogRotation> ParseLogRotation(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return InvalidArgumentError("invalid log rotation config: no JSON object");
  }
  LogRotation rotation;
  for (const auto& [key, value] : parsed.items()) {
    const bool number = value.is_number_unsigned();
    if (key == "maxsize" && number) {
      if (value > 0) rotation.max_bytes = value.get<uint64_t>() << 20;
    } else if (key == "maxbackups" && number) {
      if (value > 0) rotation.max_backups = value.get<size_t>();
    } else if (key == "maxage" && number) {
      if (value != 0) return UnimplementedError("strata keeps no log by age");
    } else if (key == "compress" && value.is_boolean()) {
      if (value) return UnimplementedError("strata compresses no logs");
    } else if (key != "localtime" || !value.is_boolean()) {
      return InvalidArgumentError("invalid log rotation config: \"" + key +
                                  "\"");
    }
  }
  return rotation;
}

Status CheckLogRotation(const LogOptions& options) {
  if (!options.rotate) return Status::Ok();
  if (options.outputs.size() == 1 && IsFile(options.outputs.front())) {
    return Status::Ok();
  }
  return InvalidArgumentError(
      "--enable-log-rotation requires a single file path in --log-outputs");
}

StatusOr<std::unique_ptr<Logger>> NewLogger(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks;
  for (const std::string& output : options.outputs) {
    if (output == "default" || output == "stderr" || output == kJournal) {
      sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    } else if (output == "stdout") {
      sinks.push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
    } else {
      try {
        sinks.push_back(OpenFile(options, output));
      } catch (const spdlog::spdlog_ex& error) {
        return InvalidArgumentError("--log-outputs: " +
                                    std::string(error.what()));
      }
    }
  }
  return std::make_unique<SpdlogLogger>(options, std::move(sinks));
}

}  // namespace strata
