#include "base/combining_loop.h"

#include <utility>

#include "base/check.h"

namespace strata {

CombiningLoop::CombiningLoop(const std::string& name)
    : helper_(NewThreadedLoop(name)) {}

CombiningLoop::~CombiningLoop() {
  CHECK(!InLoop()) << "a loop cannot wait for its own end";
  helper_->Post([this] { RunRest(); });
  helper_.reset();
}

void CombiningLoop::Post(Function function) {
  Lock lock(mutex_);
  posted_.push_back(std::move(function));
  FindRunner(std::move(lock));
}

void CombiningLoop::FindRunner(Lock lock) {
  // A runner looks again, and so does a caller that has not slept yet.
  if (posted_.empty() || !Nobody() || callers_ > sleepers_) return;
  if (sleepers_ > 0) {
    wake_.notify_one();
  } else {
    lock.unlock();
    helper_->Post([this] { RunRest(); });
  }
}

Loop::TimerId CombiningLoop::After(Duration delay, Function function) {
  return helper_->After(delay,
                        [this, function = std::move(function)]() mutable {
                          Post(std::move(function));
                        });
}

bool CombiningLoop::InLoop() const {
  const Lock lock(mutex_);
  return runner_ == std::this_thread::get_id();
}

void CombiningLoop::RunUntilDone(const bool* done,
                                 const std::function<void()>& start) {
  {
    const Lock lock(mutex_);
    ++callers_;
  }
  start();
  Lock lock(mutex_);
  // What a runner does is seen only once it has ended: `done` needs no lock.
  while (!Nobody() || !*done) {
    if (Nobody() && !posted_.empty()) {
      RunBatch(&lock);
    } else {
      ++sleepers_;
      wake_.wait(lock);
      --sleepers_;
    }
  }
  --callers_;
  FindRunner(std::move(lock));
}

bool CombiningLoop::RunAfter(const std::function<void()>& start) {
  {
    const Lock lock(mutex_);
    ++callers_;
  }
  start();
  Lock lock(mutex_);
  const bool runs = Nobody() && !posted_.empty();
  if (runs) RunBatch(&lock);
  --callers_;
  FindRunner(std::move(lock));
  return runs;
}

void CombiningLoop::RunBatch(Lock* lock) {
  runner_ = std::this_thread::get_id();
  batch_.swap(posted_);
  lock->unlock();
  for (Function& function : batch_) {
    function();
    function = nullptr;  // what it holds dies here, on the loop
  }
  batch_.clear();
  lock->lock();
  runner_ = std::thread::id();
  if (sleepers_ > 0) wake_.notify_all();
}

void CombiningLoop::RunRest() {
  Lock lock(mutex_);
  while (Nobody() && !posted_.empty()) RunBatch(&lock);
}

}  // namespace strata
