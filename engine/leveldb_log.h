#ifndef STRATA_ENGINE_LEVELDB_LOG_H_
#define STRATA_ENGINE_LEVELDB_LOG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/env.h"
#include "base/status.h"

namespace strata {

// LevelDB's record format, used by its logs and its manifest:
//
//   log      = block*                     ; of 32 KiB; the last may be short
//   block    = fragment* zero*            ; less than 7 bytes left: zeros
//   fragment = crc:u32 bytes:u16 type:u8 payload
//              ; crc: CRC-32C of type and payload, masked
//              ; type 1 a whole record, 2 its first fragment, 3 one between,
//              ;      4 its last; 0 with 0 bytes: space never written
//
// What a power loss left of such a file. Batches that were not synced survive
// in any subset of their sectors, so that sound records may stand behind a
// broken one: only those before it are a state that once was.
struct LeveldbLogExtent {
  uint64_t sound_bytes = 0;  // up to the end of the last sound record
  uint64_t records = 0;      // in them
  // Whether something other than zeros follows: a torn or damaged record.
  bool torn = false;
  // Where a sound record begins behind that; 0 if there is none.
  uint64_t sound_after = 0;
};

// Gives `record` each of the sound records.
StatusOr<LeveldbLogExtent> MeasureLeveldbLog(
    const File& file,
    const std::function<void(std::string_view)>& record = nullptr);

// A record of the manifest:
//
//   edit = (1 name | 2 log:v | 3 next_file:v | 4 last_sequence:v |
//           5 level:v key | 6 level:v file:v | 9 previous_log:v |
//           7 level:v file:v bytes:v key key)*     ; v and tags are varints
//   name, key = size:v byte*
//
// The first log that is still needed, if the record says so.
std::optional<uint64_t> LogNumberOfManifestEdit(std::string_view record);

// The checksum that LevelDB stores for one computed over data.
uint32_t LeveldbMaskedCrc(uint32_t crc);

}  // namespace strata

#endif  // STRATA_ENGINE_LEVELDB_LOG_H_
