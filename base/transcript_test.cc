#include "base/transcript.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

std::string Echo(const TranscriptCommand& command) {
  std::string text = command.name;
  for (const std::string& arg : command.args) text += " [" + arg + "]";
  for (const auto& [name, value] : command.options) {
    text += " " + name + ":" + value;
  }
  return text;
}

TEST(TranscriptTest, ParsesWordsOptionsAndQuotes) {
  EXPECT_EQ(Echo(ParseTranscriptCommand("put  foo bar limit=2 end=")),
            "put [foo] [bar] end: limit:2");
  EXPECT_EQ(Echo(ParseTranscriptCommand(R"(put "a b" "x=y" end="c d" \x41)")),
            "put [a b] [x=y] [A] end:c d");
  EXPECT_EQ(ParseTranscriptCommand("get x rev=-3").Number("rev"), -3);
  EXPECT_EQ(ParseTranscriptCommand("get x").Number("rev", 7), 7);
}

TEST(TranscriptTest, ReplacesAnswersAndKeepsTheRest) {
  const std::string text =
      "# a story\n"
      "one\n"
      "two x\n"
      "----\n"
      "an old answer\n"
      "\n"
      "three\n"
      "----\n";
  EXPECT_EQ(AnswerTranscript(text, Echo),
            "# a story\none\ntwo x\n----\none\ntwo [x]\n\n"
            "three\n----\nthree\n");
}

TEST(TranscriptTest, AnAnswerWithEmptyLinesIsFenced) {
  const auto handler = [](const TranscriptCommand&) { return "a\n\nb"; };
  const std::string once = AnswerTranscript("x\n----\n\ny\n----\n", handler);
  EXPECT_EQ(once,
            "x\n----\n----\na\n\nb\n----\n----\n\n"
            "y\n----\n----\na\n\nb\n----\n----\n");
  EXPECT_EQ(AnswerTranscript(once, handler), once);
}

}  // namespace
}  // namespace strata
