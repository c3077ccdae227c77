#ifndef STRATA_ENGINE_RW_LOCK_H_
#define STRATA_ENGINE_RW_LOCK_H_

#include <pthread.h>

#include "base/check.h"

namespace strata {

// A lock that many may share, where one who wants it alone goes before those
// who come to share it later: std::shared_mutex would let a stream of readers
// keep a writer out for ever. For std::unique_lock and std::shared_lock. Not
// recursive, shared or not.
class RwLock {
 public:
  RwLock() {
    pthread_rwlockattr_t attributes;
    CHECK_EQ(pthread_rwlockattr_init(&attributes), 0);
    CHECK_EQ(pthread_rwlockattr_setkind_np(
                 &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP),
             0);
    CHECK(pthread_rwlock_init(&lock_, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~RwLock() { pthread_rwlock_destroy(&lock_); }
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  void lock() { CHECK(pthread_rwlock_wrlock(&lock_) == 0); }
  void unlock() { CHECK(pthread_rwlock_unlock(&lock_) == 0); }
  void lock_shared() { CHECK(pthread_rwlock_rdlock(&lock_) == 0); }
  void unlock_shared() { CHECK(pthread_rwlock_unlock(&lock_) == 0); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_RW_LOCK_H_
