#include "base/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strata::wire {
namespace {

// All fields, or none if the bytes are no message.
std::vector<Field> Parse(std::string_view bytes, bool* ok) {
  std::vector<Field> fields;
  Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) fields.push_back(field);
  *ok = reader.ok();
  return fields;
}

bool IsMessage(std::string_view bytes) {
  bool ok = false;
  Parse(bytes, &ok);
  return ok;
}

TEST(Wire, TheBytesThatProtobufWrites) {
  std::string out;
  AppendUint(&out, 1, 150);  // the guide's examples
  EXPECT_EQ("\x08\x96\x01", out);
  out.clear();
  AppendBytes(&out, 2, "testing");
  EXPECT_EQ("\x12\x07testing", out);
  out.clear();
  AppendInt(&out, 1, -2);
  EXPECT_EQ("\x08\xfe" + std::string(8, '\xff') + "\x01", out);
  out.clear();
  AppendUint(&out, 3, 0);
  EXPECT_EQ(std::string("\x18\0", 2), out) << "zeros are written";
}

TEST(Wire, RoundTrip) {
  std::string out;
  AppendUint(&out, 1, UINT64_MAX);
  AppendInt(&out, 16, -1);
  AppendBytes(&out, (1 << 29) - 1, "");
  AppendTag(&out, 4, Type::kFixed64);
  AppendLittle64(&out, 0x0102030405060708);
  AppendTag(&out, 5, Type::kFixed32);
  out.append("\1\0\0\0", 4);
  bool ok = false;
  const auto fields = Parse(out, &ok);
  ASSERT_TRUE(ok);
  ASSERT_EQ(5u, fields.size());
  EXPECT_EQ(1u, fields[0].number);
  EXPECT_EQ(Type::kVarint, fields[0].type);
  EXPECT_EQ(UINT64_MAX, fields[0].varint);
  EXPECT_EQ(16u, fields[1].number);
  EXPECT_EQ(-1, static_cast<int64_t>(fields[1].varint));
  EXPECT_EQ(536870911u, fields[2].number);
  EXPECT_EQ(Type::kBytes, fields[2].type);
  EXPECT_EQ("", fields[2].bytes);
  EXPECT_EQ(0x0102030405060708u, fields[3].varint);
  EXPECT_EQ(Type::kFixed32, fields[4].type);
  EXPECT_EQ(1u, fields[4].varint);
}

TEST(Wire, TheEmptyMessage) { EXPECT_TRUE(IsMessage("")); }

TEST(Wire, EveryCutInsideAFieldIsSeen) {
  const std::vector<std::string> fields = {
      std::string("\x08\x96\x01", 3),
      std::string("\x12\x03"
                  "abc"),
      std::string("\x21\1\2\3\4\5\6\7\10", 9), std::string("\x2d\1\2\3\4", 5)};
  for (const std::string& field : fields) {
    EXPECT_TRUE(IsMessage(field));
    for (size_t n = 1; n < field.size(); ++n) {
      EXPECT_FALSE(IsMessage(field.substr(0, n))) << n;
    }
  }
}

TEST(Wire, MalformedTags) {
  EXPECT_FALSE(IsMessage(std::string("\x00\x00", 2))) << "field 0";
  for (const char type : {3, 4, 6, 7}) {
    EXPECT_FALSE(IsMessage(std::string(1, static_cast<char>(1 << 3 | type)) +
                           std::string(8, '\0')))
        << int{type};
  }
  std::string out;
  AppendVarint64(&out, uint64_t{1} << 32);  // field number 2^29
  EXPECT_FALSE(IsMessage(out + std::string(1, '\0')));
}

TEST(Wire, ALengthBeyondTheEnd) {
  EXPECT_FALSE(
      IsMessage("\x12\x04"
                "abc"));
  std::string out = "\x12";
  AppendVarint64(&out, UINT64_MAX);
  EXPECT_FALSE(IsMessage(out + "abc"));
}

TEST(Wire, NothingMoreAfterAnError) {
  const std::string bytes("\x08\x01\x00\x08\x02", 5);
  Reader reader(bytes);
  Field field;
  EXPECT_TRUE(reader.Next(&field));
  EXPECT_FALSE(reader.Next(&field));
  EXPECT_FALSE(reader.Next(&field));
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace strata::wire
