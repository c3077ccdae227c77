#ifndef STRATA_RPC_PEER_ZSTD_STREAM_H_
#define STRATA_RPC_PEER_ZSTD_STREAM_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace strata::peer {

// A stream of zstd (RFC 8878), piece by piece. Used by one thread.
class ZstdWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;

  explicit ZstdWriter(Sink sink);
  ~ZstdWriter();
  ZstdWriter(const ZstdWriter&) = delete;
  ZstdWriter& operator=(const ZstdWriter&) = delete;

  Status Write(std::string_view bytes);
  // That was all.
  Status Finish();

 private:
  Status Compress(std::string_view bytes, bool end);

  const Sink sink_;
  ZSTD_CCtx_s* const context_;
  std::string out_;
};

class ZstdReader {
 public:
  using Sink = ZstdWriter::Sink;

  explicit ZstdReader(Sink sink);
  ~ZstdReader();
  ZstdReader(const ZstdReader&) = delete;
  ZstdReader& operator=(const ZstdReader&) = delete;

  // DataLoss if it is no zstd.
  Status Write(std::string_view bytes);
  // Whether the stream has come to its own end.
  bool whole() const { return whole_; }

 private:
  const Sink sink_;
  ZSTD_DCtx_s* const context_;
  std::string out_;
  bool whole_ = false;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_ZSTD_STREAM_H_
