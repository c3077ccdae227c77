#ifndef STRATA_RPC_PREFACE_H_
#define STRATA_RPC_PREFACE_H_

#include <algorithm>
#include <string_view>

// How HTTP/2 begins (RFC 9113, 3.4): fixed bytes, then a SETTINGS frame, whose
// head is 9 bytes with the frame's type as the fourth.
namespace strata {

inline constexpr std::string_view kHttp2Preface =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kHttp2FrameHeadBytes = 9;
// A client that has sent so many means it.
inline constexpr size_t kHttp2FirstBytes =
    kHttp2Preface.size() + kHttp2FrameHeadBytes;

enum class Protocol { kUnknown, kHttp1, kHttp2 };

// What a connection that began with `bytes` is; kUnknown: more are needed.
inline Protocol ProtocolOf(std::string_view bytes) {
  const size_t size = std::min(bytes.size(), kHttp2Preface.size());
  if (bytes.substr(0, size) != kHttp2Preface.substr(0, size)) {
    return Protocol::kHttp1;
  }
  return bytes.size() < kHttp2FirstBytes ? Protocol::kUnknown
                                         : Protocol::kHttp2;
}

}  // namespace strata

#endif  // STRATA_RPC_PREFACE_H_
