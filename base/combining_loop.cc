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
  // A runner looks again, and so does a caller that is awake.
  if (posted_.empty() || !Nobody() || callers_ > 0) return;
  if (sleepers_.empty()) {
    lock.unlock();
    helper_->Post([this] { RunRest(); });
    return;
  }
  const std::shared_ptr<Sleeper> next = std::move(sleepers_.back());
  sleepers_.pop_back();
  ++callers_;
  lock.unlock();
  next->woken.release();
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
  Sleepers finished;
  Lock lock(mutex_);
  // What a runner does is seen only once it has ended: `done` needs no lock.
  while (!Nobody() || !*done) {
    if (Nobody() && !posted_.empty()) {
      Wake(&finished);
      RunBatch(&lock, &finished);
      continue;
    }
    Wake(&finished);
    const auto self = std::make_shared<Sleeper>(done);
    sleepers_.push_back(self);
    --callers_;
    lock.unlock();
    self->woken.acquire();
    if (self->finished) return;
    lock.lock();
  }
  --callers_;
  // The next runner first: it has the disk to start.
  FindRunner(std::move(lock));
  Wake(&finished);
}

void CombiningLoop::Wake(Sleepers* sleepers) {
  for (const auto& sleeper : *sleepers) sleeper->woken.release();
  sleepers->clear();
}

bool CombiningLoop::RunAfter(const std::function<void()>& start) {
  {
    const Lock lock(mutex_);
    ++callers_;
  }
  start();
  Lock lock(mutex_);
  const bool runs = Nobody() && !posted_.empty();
  Sleepers finished;
  if (runs) RunBatch(&lock, &finished);
  --callers_;
  FindRunner(std::move(lock));
  Wake(&finished);
  return runs;
}

bool RunAfter(Loop* loop, const std::function<void()>& start) {
  auto* const combining = dynamic_cast<CombiningLoop*>(loop);
  if (combining != nullptr) return combining->RunAfter(start);
  start();
  return false;
}

void CombiningLoop::RunBatch(Lock* lock, Sleepers* finished) {
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
  std::erase_if(sleepers_, [&](const std::shared_ptr<Sleeper>& sleeper) {
    if (!*sleeper->done) return false;
    sleeper->finished = true;
    finished->push_back(sleeper);
    return true;
  });
}

void CombiningLoop::RunRest() {
  Sleepers finished;
  Lock lock(mutex_);
  while (Nobody() && !posted_.empty()) {
    RunBatch(&lock, &finished);
    Wake(&finished);
  }
}

}  // namespace strata
