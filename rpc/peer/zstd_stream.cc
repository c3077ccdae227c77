#include "rpc/peer/zstd_stream.h"

#include <zstd.h>

#include <utility>

#include "base/check.h"

namespace strata::peer {
namespace {

// The fastest: a leader has better things to do, and links are fast.
constexpr int kLevel = 1;

}  // namespace

ZstdWriter::ZstdWriter(Sink sink)
    : sink_(std::move(sink)), context_(ZSTD_createCCtx()) {
  CHECK(context_ != nullptr);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel);
  out_.resize(ZSTD_CStreamOutSize());
}

ZstdWriter::~ZstdWriter() { ZSTD_freeCCtx(context_); }

Status ZstdWriter::Compress(std::string_view bytes, bool end) {
  ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer out = {out_.data(), out_.size(), 0};
    const size_t left = ZSTD_compressStream2(
        context_, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) {
      return InternalError(std::string("zstd: ") + ZSTD_getErrorName(left));
    }
    if (out.pos > 0) {
      RETURN_IF_ERROR(sink_(std::string_view(out_).substr(0, out.pos)));
    }
    if (end ? left == 0 : in.pos == in.size) return Status::Ok();
  }
}

Status ZstdWriter::Write(std::string_view bytes) {
  return Compress(bytes, /*end=*/false);
}

Status ZstdWriter::Finish() { return Compress({}, /*end=*/true); }

ZstdReader::ZstdReader(Sink sink)
    : sink_(std::move(sink)), context_(ZSTD_createDCtx()) {
  CHECK(context_ != nullptr);
  out_.resize(ZSTD_DStreamOutSize());
}

ZstdReader::~ZstdReader() { ZSTD_freeDCtx(context_); }

Status ZstdReader::Write(std::string_view bytes) {
  ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
  for (bool full = false; in.pos < in.size || full;) {
    ZSTD_outBuffer out = {out_.data(), out_.size(), 0};
    const size_t left = ZSTD_decompressStream(context_, &out, &in);
    if (ZSTD_isError(left) != 0) {
      return DataLossError(std::string("zstd: ") + ZSTD_getErrorName(left));
    }
    whole_ = left == 0;
    full = out.pos == out.size;
    if (out.pos > 0) {
      RETURN_IF_ERROR(sink_(std::string_view(out_).substr(0, out.pos)));
    }
  }
  return Status::Ok();
}

}  // namespace strata::peer
