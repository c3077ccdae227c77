#include "cmd/daemon/config_file.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace strata {
namespace {

// Keys of a section whose flags have other names; the rest get the prefix.
struct Section {
  std::string_view name;
  std::string_view prefix;
};
constexpr Section kSections[] = {{"client-transport-security", ""},
                                 {"peer-transport-security", "peer-"},
                                 {"socket-options", "socket-"}};

// Within a section etcd's keys say less than its flags.
std::string FlagOf(const Section& section, const std::string& key) {
  if (section.prefix.empty()) {
    if (key == "allowed-cn" || key == "allowed-hostname") {
      return "client-cert-" + key;
    }
    if (key == "crl-file") return "client-crl-file";
  } else if (key == "allowed-cn" || key == "allowed-hostname") {
    return "peer-cert-" + key;
  }
  return std::string(section.prefix) + key;
}

StatusOr<std::string> TextOf(const std::string& key, const YAML::Node& value) {
  if (value.IsNull()) return std::string();
  if (value.IsScalar()) return value.Scalar();
  if (value.IsSequence()) {
    std::string text;
    for (const YAML::Node& element : value) {
      if (!element.IsScalar()) {
        return InvalidArgumentError("the list of \"" + key +
                                    "\" has more in it than values");
      }
      text += (text.empty() ? "" : ",") + element.Scalar();
    }
    return text;
  }
  return InvalidArgumentError("\"" + key + "\" is a section, not a value");
}

Status Add(const std::string& flag, const YAML::Node& value,
           FlagValues* values) {
  ASSIGN_OR_RETURN(std::string text, TextOf(flag, value));
  // As Go, which takes it for the default.
  if (!value.IsNull()) values->emplace_back(flag, std::move(text));
  return Status::Ok();
}

StatusOr<FlagValues> FromRoot(const YAML::Node& root) {
  FlagValues values;
  if (root.IsNull()) return values;
  if (!root.IsMap()) return InvalidArgumentError("no keys with values");
  for (const auto& entry : root) {
    const auto key = entry.first.as<std::string>();
    const Section* section = nullptr;
    for (const Section& known : kSections) {
      if (known.name == key) section = &known;
    }
    if (section == nullptr) {
      RETURN_IF_ERROR(Add(key, entry.second, &values));
    } else if (entry.second.IsMap()) {
      for (const auto& inner : entry.second) {
        const std::string flag =
            FlagOf(*section, inner.first.as<std::string>());
        RETURN_IF_ERROR(Add(flag, inner.second, &values));
      }
    } else if (!entry.second.IsNull()) {
      return InvalidArgumentError("\"" + key + "\" is a value, not a section");
    }
  }
  return values;
}

}  // namespace

StatusOr<FlagValues> ParseConfig(const std::string& text) {
  try {
    return FromRoot(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return InvalidArgumentError(error.what());
  }
}

StatusOr<FlagValues> ReadConfigFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return ErrnoError("open " + path, errno);
  std::stringstream text;
  text << file.rdbuf();
  StatusOr<FlagValues> values = ParseConfig(text.str());
  if (!values.ok()) return values.status().WithContext(path);
  return values;
}

}  // namespace strata
