#include "cmd/utl/output.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/bytes.h"

namespace strata::utl {
namespace {

std::string WithSpaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string Capitals(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

std::string Spaces(size_t count) { return std::string(count, ' '); }

std::string PadRight(const std::string& text, size_t width) {
  return text + Spaces(width - std::min(width, text.size()));
}

std::string Line(const std::vector<size_t>& widths) {
  std::string line = "+";
  for (const size_t width : widths) line += std::string(width + 2, '-') + "+";
  return line + "\n";
}

std::vector<std::string> CellTexts(const std::vector<Json>& cells) {
  std::vector<std::string> texts;
  texts.reserve(cells.size());
  for (const Json& cell : cells) texts.push_back(CellText(cell));
  return texts;
}

}  // namespace

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string CellText(const Json& cell) {
  if (cell.is_null()) return "";
  if (cell.is_string()) return cell.get<std::string>();
  return Dump(cell);
}

Rows::Rows(const Context& context, std::vector<Column> columns)
    : context_(context), columns_(std::move(columns)) {
  if (context_.format != Format::kSimple) return;
  std::vector<std::string> names;
  for (const Column& column : columns_) {
    names.push_back(Capitals(WithSpaces(column.name)));
  }
  AddSimple(names);
}

void Rows::Add(std::vector<Json> cells) {
  if (context_.format == Format::kJson) {
    Json row = Json::object();
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!cells[i].is_null()) row[columns_[i].name] = std::move(cells[i]);
    }
    *context_.out << Dump(row) << "\n";
  } else if (context_.format == Format::kTable) {
    kept_.push_back(CellTexts(cells));
  } else {
    AddSimple(CellTexts(cells));
  }
}

void Rows::AddSimple(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += PadRight(cells[i], columns_[i].width) + "  ";
  }
  line.erase(line.find_last_not_of(' ') + 1);
  *context_.out << line << "\n";
}

void Rows::Finish() {
  if (context_.format != Format::kTable) return;
  std::vector<std::string> header;
  for (const Column& column : columns_) {
    header.push_back(WithSpaces(column.name));
  }
  *context_.out << DrawTable(header, kept_);
}

std::string DrawTable(const std::vector<std::string>& header,
                      const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < header.size(); ++i) {
    size_t width = header[i].size();
    for (const auto& row : rows) width = std::max(width, row[i].size());
    widths.push_back(width);
  }
  std::string table = Line(widths) + "|";
  for (size_t i = 0; i < header.size(); ++i) {
    const size_t gap = widths[i] - header[i].size();
    table += Spaces(1 + gap / 2) + Capitals(header[i]) +
             Spaces(gap - gap / 2 + 1) + "|";
  }
  table += "\n" + Line(widths);
  for (const auto& row : rows) {
    table += "|";
    for (size_t i = 0; i < row.size(); ++i) {
      table += Spaces(1 + widths[i] - row[i].size()) + row[i] + " |";
    }
    table += "\n";
  }
  return table + Line(widths);
}

void PrintFields(const Context& context, const Json& object) {
  if (context.format == Format::kJson) {
    *context.out << Dump(object) << "\n";
    return;
  }
  size_t width = 0;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : object.items()) {
    rows.push_back({WithSpaces(name), CellText(value)});
    width = std::max(width, name.size());
  }
  if (context.format == Format::kTable) {
    *context.out << DrawTable({"field", "value"}, rows);
    return;
  }
  for (const auto& row : rows) {
    std::string line = PadRight(row[0] + ":", width + 2) + row[1];
    line.erase(line.find_last_not_of(' ') + 1);
    *context.out << line << "\n";
  }
}

Json Bytes(const Context& context, std::string_view bytes, size_t limit) {
  if (context.format == Format::kJson) return Base64(bytes);
  return Printable(bytes, limit);
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      const char c = i < group.size() ? group[i] : '\0';
      bits = bits << 8 | static_cast<unsigned char>(c);
    }
    for (size_t i = 0; i < 4; ++i) {
      const size_t digit = bits >> (18 - 6 * i) & 63;
      out += i <= group.size() ? kDigits[digit] : '=';
    }
  }
  return out;
}

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B",  "kB", "MB", "GB",
                                                 "TB", "PB", "EB"};
  if (bytes < 10) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000; ++unit) value /= 1000;
  // Rounded to tenths, and from 10 on to ones.
  value = std::round(value * 10) / 10;
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f %s" : "%.0f %s", value,
                kUnits[unit]);
  return text;
}

void HexDump(std::ostream* out, uint64_t offset, std::string_view bytes) {
  constexpr size_t kPerLine = 16;
  std::string_view before;
  bool skipped = false;
  for (size_t at = 0; at < bytes.size(); at += kPerLine) {
    const std::string_view part = bytes.substr(at, kPerLine);
    if (part == before) {
      if (!skipped) *out << "    *\n";
      skipped = true;
      continue;
    }
    before = part;
    skipped = false;
    char number[24];
    std::snprintf(number, sizeof number, "    %08" PRIx64 " ", offset + at);
    std::string hex;
    std::string text;
    for (const char c : part) {
      hex += ' ' + ToHex({&c, 1});
      text += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '.';
    }
    *out << number << PadRight(hex, 3 * kPerLine) << "  " << text << "\n";
  }
}

}  // namespace strata::utl
