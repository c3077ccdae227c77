#include "base/transcript.h"

#include <sstream>

#include "base/bytes.h"
#include "base/check.h"
#include "base/env.h"

namespace strata {

namespace {

constexpr std::string_view kDashes = "----";
constexpr uint64_t kMaxBytes = 16 << 20;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Takes a word off the front of `rest`; *quoted if it began with a quote.
std::string TakeWord(std::string_view* rest, bool* quoted) {
  std::string word;
  bool inside = false;
  *quoted = rest->front() == '"';
  while (!rest->empty() && (inside || rest->front() != ' ')) {
    const char c = rest->front();
    if (c == '"') {
      inside = !inside;
    } else if (rest->starts_with("\\x")) {
      std::string byte;
      CHECK(FromHex(rest->substr(2, 2), &byte)) << *rest;
      word += byte;
      rest->remove_prefix(3);
    } else {
      word += c;
    }
    rest->remove_prefix(1);
  }
  CHECK(!inside) << "a quote that does not end: " << word;
  return word;
}

// Walks the lines of a transcript and writes them down anew.
class Scribe {
 public:
  Scribe(const std::string& text, const TranscriptHandler& handler)
      : lines_(Lines(text)), handler_(handler) {}

  std::string Run() {
    while (at_ < lines_.size()) Step();
    CHECK(answer_.empty()) << "the last commands lack a line of dashes";
    return out_;
  }

 private:
  void Step() {
    const std::string& line = lines_[at_++];
    Write(line);
    if (line == kDashes) {
      SkipAnswer();
      WriteAnswer();
    } else if (!line.empty() && line[0] != '#') {
      const std::string answer = handler_(ParseTranscriptCommand(line));
      if (!answer.empty()) answer_ += answer + "\n";
    }
  }

  void SkipAnswer() {
    const bool fenced = at_ < lines_.size() && lines_[at_] == kDashes;
    if (fenced) {
      ++at_;
      while (at_ < lines_.size() && lines_[at_] != kDashes) ++at_;
      at_ += 2;
      return;
    }
    while (at_ < lines_.size() && !lines_[at_].empty()) ++at_;
  }

  void WriteAnswer() {
    const bool fenced =
        answer_.starts_with("\n") || answer_.find("\n\n") != std::string::npos;
    const std::string fence = std::string(kDashes) + "\n";
    out_ += fenced ? fence + answer_ + fence + fence : answer_;
    answer_.clear();
  }

  void Write(const std::string& line) { out_ += line + "\n"; }

  const std::vector<std::string> lines_;
  const TranscriptHandler& handler_;
  size_t at_ = 0;
  std::string answer_;
  std::string out_;
};

// Set once, by the main of a test.
std::string* RewriteRoot() {
  static std::string root;
  return &root;
}

// The lines around the first difference.
std::string Difference(const std::string& path, const std::string& want,
                       const std::string& have) {
  const std::vector<std::string> a = Lines(want);
  const std::vector<std::string> b = Lines(have);
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  size_t begin = at;
  while (begin > 0 && !a[begin - 1].empty()) --begin;
  std::string text = path + ":" + std::to_string(at + 1) + ":\n";
  for (size_t i = begin; i < at; ++i) text += "  " + a[i] + "\n";
  for (size_t i = at; i < a.size() && !a[i].empty(); ++i) {
    text += "- " + a[i] + "\n";
  }
  for (size_t i = at; i < b.size() && !b[i].empty(); ++i) {
    text += "+ " + b[i] + "\n";
  }
  return text;
}

}  // namespace

std::string TranscriptCommand::Option(const std::string& option,
                                      const std::string& otherwise) const {
  auto found = options.find(option);
  return found == options.end() ? otherwise : found->second;
}

int64_t TranscriptCommand::Number(const std::string& option,
                                  int64_t otherwise) const {
  return Has(option) ? std::stoll(options.at(option)) : otherwise;
}

TranscriptCommand ParseTranscriptCommand(const std::string& line) {
  TranscriptCommand command{
      .line = line, .name = {}, .args = {}, .options = {}};
  std::string_view rest = line;
  for (bool first = true;; first = false) {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.empty()) return command;
    bool quoted;
    const std::string word = TakeWord(&rest, &quoted);
    const size_t equals = quoted ? std::string::npos : word.find('=');
    if (first) {
      command.name = word;
    } else if (equals != std::string::npos) {
      command.options[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      command.args.push_back(word);
    }
  }
}

std::string AnswerTranscript(const std::string& text,
                             const TranscriptHandler& handler) {
  return Scribe(text, handler).Run();
}

void RewriteTranscripts(const std::string& root) { *RewriteRoot() = root; }

std::string RunTranscript(const std::string& path,
                          const TranscriptHandler& handler) {
  const bool rewrite = !RewriteRoot()->empty();
  const std::string place = rewrite ? JoinPath(*RewriteRoot(), path) : path;
  StatusOr<std::string> text = ReadFile(Env::Posix(), place, kMaxBytes);
  CHECK_OK(text.status());
  const std::string answered = AnswerTranscript(*text, handler);
  if (answered == *text) return "";
  if (!rewrite) return Difference(path, *text, answered);
  CHECK_OK(WriteFileAtomically(Env::Posix(), place, answered));
  return "";
}

}  // namespace strata
