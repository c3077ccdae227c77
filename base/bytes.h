#ifndef STRATA_BASE_BYTES_H_
#define STRATA_BASE_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace strata {

// Bytes are std::string_view when borrowed and std::string when owned. Numbers
// are stored little-endian in pages and frames, big-endian in keys, so that
// keys sort as the numbers do.

inline uint16_t LoadLittle16(const char* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline uint32_t LoadLittle32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline uint64_t LoadLittle64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline uint64_t LoadBig64(const char* p) {
  return __builtin_bswap64(LoadLittle64(p));
}
inline uint32_t LoadBig32(const char* p) {
  return __builtin_bswap32(LoadLittle32(p));
}
inline void StoreLittle16(char* p, uint16_t v) { std::memcpy(p, &v, sizeof v); }
inline void StoreLittle32(char* p, uint32_t v) { std::memcpy(p, &v, sizeof v); }
inline void StoreLittle64(char* p, uint64_t v) { std::memcpy(p, &v, sizeof v); }
inline void StoreBig64(char* p, uint64_t v) {
  StoreLittle64(p, __builtin_bswap64(v));
}
inline void StoreBig32(char* p, uint32_t v) {
  StoreLittle32(p, __builtin_bswap32(v));
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the loads above are for little-endian machines");

void AppendLittle64(std::string* out, uint64_t v);
void AppendBig64(std::string* out, uint64_t v);
// Protobuf's varint.
void AppendVarint64(std::string* out, uint64_t v);
// Takes a varint off the front of `in`; false if there is none or it is longer
// than 10 bytes.
bool ConsumeVarint64(std::string_view* in, uint64_t* value);

// "6b6579" of "key", and back; false if it is not hexadecimal.
std::string ToHex(std::string_view bytes);
bool FromHex(std::string_view hex, std::string* bytes);
// Lower-case hexadecimal without leading zeros, as etcd prints ids.
std::string HexId(uint64_t id);

// For messages to people: printable ASCII but '\' stays, the rest becomes \xNN;
// at most `limit` characters, then "...".
std::string Printable(std::string_view bytes, size_t limit = 64);

}  // namespace strata

#endif  // STRATA_BASE_BYTES_H_
