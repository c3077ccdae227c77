#ifndef STRATA_BASE_TRANSCRIPT_H_
#define STRATA_BASE_TRANSCRIPT_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

// Tests that read like stories. A transcript is a text file of blocks; each is
// commands, a line of dashes and what they answer, up to an empty line:
//
//   # A key's version starts over when it is deleted and put again.
//   put foo 1
//   del foo
//   ----
//   rev=2
//   rev=3 deleted=1
//
// The answer of a block is those of its commands, one after the other. Lines
// that begin with '#' are comments. An answer with empty lines inside stands
// between two lines of dashes each, above and below.
//
// For tests only. `bazel run //x:y_test -- --rewrite` puts the answers as they
// are now into the file: read the diff before you commit it.
namespace strata {

// "get foo limit=2 rev" has name "get", args {"foo", "rev"} and options
// {limit: 2}. A word in double quotes may have spaces and \xNN inside; an
// argument with '=' is quoted whole: "a=b".
struct TranscriptCommand {
  std::string line;
  std::string name;
  std::vector<std::string> args;
  std::map<std::string, std::string> options;

  bool Has(const std::string& option) const { return options.contains(option); }
  std::string Option(const std::string& option,
                     const std::string& otherwise = "") const;
  int64_t Number(const std::string& option, int64_t otherwise = 0) const;
};

// What a command answers, without the final newline; nothing if empty.
using TranscriptHandler = std::function<std::string(const TranscriptCommand&)>;

TranscriptCommand ParseTranscriptCommand(const std::string& line);

// `text` with every answer replaced by the handler's.
std::string AnswerTranscript(const std::string& text,
                             const TranscriptHandler& handler);

// From now on RunTranscript writes the files, which lie below `root`, instead
// of comparing them. For tests/harness/transcript_main.cc.
void RewriteTranscripts(const std::string& root);

// Runs the file at `path` (from the repository's root) and returns "" if all
// answers are as written, else the first block that differs, both ways.
std::string RunTranscript(const std::string& path,
                          const TranscriptHandler& handler);

}  // namespace strata

#endif  // STRATA_BASE_TRANSCRIPT_H_
