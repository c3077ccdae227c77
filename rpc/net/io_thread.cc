#include "rpc/net/io_thread.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <future>
#include <utility>

#include "base/check.h"

namespace strata {
namespace {

namespace asio = boost::asio;

// A peer that is gone is an error of a write, not a signal. OpenSSL writes
// without MSG_NOSIGNAL.
void BlockPipeSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

struct IoThread::Impl {
  Impl(const std::string& name, ThreadPriority priority)
      : loop(NewThreadedLoop(name, priority)) {}

  asio::io_context context{/*concurrency_hint=*/1};
  asio::executor_work_guard<asio::io_context::executor_type> work =
      asio::make_work_guard(context);
  std::unique_ptr<Loop> loop;  // the thread: joined first
};

IoThread::IoThread(const std::string& name, ThreadPriority priority)
    : scratch_(std::make_unique<char[]>(kScratchBytes)),
      impl_(std::make_unique<Impl>(name, priority)) {
  impl_->loop->Post([this] {
    BlockPipeSignal();
    impl_->context.run();
  });
}

IoThread::~IoThread() { impl_->work.reset(); }

void IoThread::Post(std::function<void()> function) {
  asio::post(impl_->context, std::move(function));
}

void IoThread::Run(const std::function<void()>& function) {
  CHECK(!InThread()) << "it would wait for itself";
  std::promise<void> done;
  Post([&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

bool IoThread::InThread() const { return impl_->loop->InLoop(); }

Time IoThread::Now() const { return impl_->loop->Now(); }

int64_t IoThread::WallNow() const { return impl_->loop->WallNow(); }

asio::io_context* IoThread::context() { return &impl_->context; }

// The timer runs on to what was the deadline when it was started, and only then
// looks at what it is by now.
struct Deadline::Timer : std::enable_shared_from_this<Timer> {
  Timer(IoThread* t, std::function<void()> p)
      : thread(t), passed(std::move(p)), timer(*t->context()) {}

  void Start() {
    running_until = due;
    timer.expires_at(std::chrono::steady_clock::time_point(due));
    timer.async_wait(
        [self = shared_from_this()](const boost::system::error_code& error) {
          if (!error) self->Fire();
        });
  }
  void Fire() {
    running_until = Time::max();
    if (due == Time::max()) return;
    if (thread->Now() < due) return Start();
    due = Time::max();
    // A copy: it may destroy the deadline.
    if (const auto call = passed) call();
  }

  IoThread* const thread;
  std::function<void()> passed;
  asio::steady_timer timer;
  Time due = Time::max();            // max: none
  Time running_until = Time::max();  // max: the timer does not run
};

Deadline::Deadline(IoThread* thread, std::function<void()> passed)
    : timer_(std::make_shared<Timer>(thread, std::move(passed))) {}

Deadline::~Deadline() {
  timer_->passed = nullptr;
  timer_->due = Time::max();
  timer_->timer.cancel();
}

void Deadline::Set(Duration from_now) {
  timer_->due = timer_->thread->Now() + from_now;
  // An earlier one needs the timer anew; starting it cancels the old wait.
  if (timer_->due < timer_->running_until) timer_->Start();
}

void Deadline::Clear() { timer_->due = Time::max(); }

}  // namespace strata
