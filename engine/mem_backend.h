#ifndef STRATA_ENGINE_MEM_BACKEND_H_
#define STRATA_ENGINE_MEM_BACKEND_H_

#include <memory>

#include "engine/backend.h"

namespace strata {

// std::map per table: the reference the other backends are tested against.
// Durable for as long as the process lives.
std::unique_ptr<Backend> NewMemBackend();

}  // namespace strata

#endif  // STRATA_ENGINE_MEM_BACKEND_H_
