#include "rpc/h2/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "server/errors.h"

namespace strata {
namespace {

// With more calls being served, replies are gathered.
constexpr int kServedDirectly = 2;
// So are messages of streams that come sooner after the one before.
constexpr Duration kBurst = std::chrono::microseconds(50);
// Once calls were seen to come in together, so many are not carried through by
// the poller: they would wait for each other instead of sharing a sync.
constexpr int kCrowdCalls = 64;
// A poller that has not come back after one to two of these is replaced. Other
// calls may wait for it so long, once.
constexpr Duration kCheckInterval = std::chrono::milliseconds(2);
constexpr size_t kReadBytes = 64 << 10;
constexpr int kSocketEvents = 64;
// While it stops, a worker looks this often whether all was sent.
constexpr int kStoppingPollMs = 5;

Status StoppedError() { return UnavailableError("etcdserver: server stopped"); }

}  // namespace

GrpcWorker::GrpcWorker(GrpcShared* shared)
    : shared_(shared), buffer_(std::make_unique<char[]>(kReadBytes)) {}

GrpcWorker::~GrpcWorker() {
  if (epoll_ >= 0) close(epoll_);
  if (wake_ >= 0) close(wake_);
  for (const int fd : mail_.sockets) close(fd);
}

Status GrpcWorker::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return ErrnoError("epoll_create1", errno);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return ErrnoError("eventfd", errno);
  epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    return ErrnoError("epoll_ctl", errno);
  }
  return Status::Ok();
}

void GrpcWorker::Run(Loop* poller, Loop* standby) {
  clock_ = poller;
  poller_ = poller;
  standby_ = standby;
  poller->Post([this] { Poll(/*turn=*/0); });
}

// --- What other threads ask for ---

template <typename Fill>
void GrpcWorker::Leave(const Fill& fill) {
  {
    const std::lock_guard lock(mail_mutex_);
    fill(&mail_);
  }
  // Once: until it has looked, it is awake.
  if (!awake_.exchange(true)) eventfd_write(wake_, 1);
}

void GrpcWorker::Adopt(int fd) {
  Leave([fd](Mail* mail) { mail->sockets.push_back(fd); });
}

void GrpcWorker::FinishStreams() {
  Leave([&](Mail* mail) {
    mail->tasks.push_back([this] {
      finish_streams_ = true;
      for (const auto& [key, stream] : streams_) {
        stream.call->connection()->End(stream.call.get(), StoppedError());
      }
    });
  });
}

void GrpcWorker::FinishStreamsForLeader() {
  Leave([&](Mail* mail) {
    mail->tasks.push_back([this] {
      for (const auto& [key, stream] : streams_) {
        if (!stream.call->head().asks_for_leader) continue;
        stream.call->connection()->End(stream.call.get(), errors::NoLeader());
      }
    });
  });
}

void GrpcWorker::Shutdown(Duration grace) {
  Leave([&](Mail* mail) {
    mail->tasks.push_back([this, grace] {
      stopping_ = true;
      cut_off_ = clock_->Now() + grace;
      for (const auto& [key, connection] : connections_) connection->GoAway();
    });
  });
}

void GrpcWorker::WaitUntilDone() {
  std::unique_lock lock(turn_mutex_);
  done_changed_.wait(lock, [this] { return done_; });
}

void GrpcWorker::Post(std::vector<CallEvent> events) {
  Leave([&](Mail* mail) {
    std::move(events.begin(), events.end(), std::back_inserter(mail->events));
  });
}

void GrpcWorker::AskFlush(std::shared_ptr<GrpcConnection> connection) {
  if (InRound()) return dirty_.push_back(std::move(connection));
  Leave([&](Mail* mail) { mail->flushes.push_back(std::move(connection)); });
}

bool GrpcWorker::InRound() const {
  return thread_.load(std::memory_order_relaxed) ==
             std::this_thread::get_id() &&
         !in_lead_.load(std::memory_order_relaxed);
}

bool GrpcWorker::SendsNow() {
  if (InRound()) return false;
  if (awake_.load(std::memory_order_relaxed) &&
      !in_lead_.load(std::memory_order_relaxed)) {
    return false;
  }
  const Time now = clock_->Now();
  return now - sent_now_.exchange(now, std::memory_order_relaxed) > kBurst;
}

bool GrpcWorker::AnswersNow() const {
  return serving_.load(std::memory_order_relaxed) <= kServedDirectly ||
         thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

// --- Polling ---

void GrpcWorker::Poll(uint64_t turn) {
  thread_ = std::this_thread::get_id();
  in_lead_ = false;
  while (!HasEnded()) {
    if (!Round(turn)) return;
  }
  const std::lock_guard lock(turn_mutex_);
  done_ = true;
  done_changed_.notify_all();
}

bool GrpcWorker::Round(uint64_t turn) {
  awake_ = false;
  {
    // What was left before is found here; what is left after wakes us.
    const std::lock_guard lock(mail_mutex_);
    if (!mail_.empty()) awake_ = true;
  }
  Wait(awake_ ? 0 : WaitTime());
  awake_ = true;
  TakeMail();
  if (!HandleEvents(turn)) return false;
  Flush();
  // As many as there are now, so that mail is looked at in between.
  for (size_t left = readable_.size(); left > 0; --left) {
    if (serving_ >= static_cast<int>(limits::kMaxCallsPerPoller)) break;
    if (!ReadNext(turn)) return false;
  }
  Tick();
  return true;
}

bool GrpcWorker::ReadNext(uint64_t turn) {
  const std::shared_ptr<GrpcConnection> connection =
      std::move(readable_.front());
  readable_.pop_front();
  connection->poll.queued = false;
  connection->poll.jammed = connection->Jammed();
  // Until its socket takes bytes again, which is an event, or for good.
  if (connection->poll.jammed && !connection->poll.ending) return true;
  using Outcome = GrpcConnection::ReadOutcome;
  const Outcome outcome = connection->poll.jammed
                              ? Outcome::kEnd
                              : connection->Read(buffer_.get(), kReadBytes,
                                                 clock_->Now(), &read_events_);
  std::move(read_events_.begin(), read_events_.end(),
            std::back_inserter(events_));
  read_events_.clear();
  if (outcome == Outcome::kEnd) {
    End(connection.get());
  } else if (outcome == Outcome::kMore || connection->poll.ending) {
    Queue(connection.get());
  }
  if (!HandleEvents(turn)) return false;
  Flush();
  return true;
}

bool GrpcWorker::HandleEvents(uint64_t turn) {
  while (!events_.empty()) {
    const std::shared_ptr<GrpcCall> call = std::move(events_.front().call);
    const GrpcCall::Event event = events_.front().event;
    std::string bytes = std::move(events_.front().bytes);
    events_.pop_front();
    call->Happened(event, std::move(bytes));
    if (turn_.load(std::memory_order_relaxed) != turn) return false;
  }
  return true;
}

void GrpcWorker::Wait(int timeout_ms) {
  std::array<epoll_event, kSocketEvents> events;
  const int count =
      epoll_wait(epoll_, events.data(), kSocketEvents, timeout_ms);
  CHECK(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    auto* const connection = static_cast<GrpcConnection*>(events[i].data.ptr);
    if (connection == nullptr) continue;  // mail
    const uint32_t what = events[i].events;
    if ((what & EPOLLOUT) != 0) connection->CanWrite();
    connection->poll.ending |= (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if ((what & ~EPOLLOUT) != 0 || connection->poll.jammed) Queue(connection);
  }
}

int GrpcWorker::WaitTime() const {
  if (!events_.empty() || !dirty_.empty()) return 0;
  if (stopping_) return kStoppingPollMs;
  if (!readable_.empty() &&
      serving_ < static_cast<int>(limits::kMaxCallsPerPoller)) {
    return 0;
  }
  Time next = next_tick_;
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  if (next == Time::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(next - clock_->Now(), Duration::zero()));
  return static_cast<int>(std::min<int64_t>(left.count(), INT_MAX));
}

void GrpcWorker::TakeMail() {
  Mail mail;
  {
    const std::lock_guard lock(mail_mutex_);
    std::swap(mail, mail_);
  }
  for (const int fd : mail.sockets) Begin(fd);
  for (const auto& task : mail.tasks) task();
  std::move(mail.flushes.begin(), mail.flushes.end(),
            std::back_inserter(dirty_));
  std::move(mail.events.begin(), mail.events.end(),
            std::back_inserter(events_));
}

void GrpcWorker::Flush() {
  for (const auto& connection : std::exchange(dirty_, {})) connection->Flush();
}

void GrpcWorker::Begin(int fd) {
  const Time now = clock_->Now();
  auto connection = std::make_shared<GrpcConnection>(this, shared_, fd, now);
  if (stopping_) return;  // closes it
  epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                       .data = {.ptr = connection.get()}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return;
  connection->Start();
  Time again = Time::max();
  connection->Tick(now, &again);
  next_tick_ = std::min(next_tick_, again);
  connections_[connection.get()] = std::move(connection);
}

void GrpcWorker::End(GrpcConnection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, connection->fd(), nullptr);
  connection->Close(&read_events_);
  std::move(read_events_.begin(), read_events_.end(),
            std::back_inserter(events_));
  read_events_.clear();
  connections_.erase(found);
}

void GrpcWorker::Queue(GrpcConnection* connection) {
  if (std::exchange(connection->poll.queued, true)) return;
  readable_.push_back(connection->shared_from_this());
}

void GrpcWorker::Tick() {
  const Time now = clock_->Now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const Stream& stream = streams_.at(deadlines_.begin()->second);
    events_.push_back({stream.call, GrpcCall::Event::kExpired});
    deadlines_.erase(deadlines_.begin());
  }
  if (now < next_tick_) return;
  next_tick_ = Time::max();
  std::vector<GrpcConnection*> bad;
  for (const auto& [key, connection] : connections_) {
    Time again = Time::max();
    if (!connection->Tick(now, &again)) bad.push_back(key);
    next_tick_ = std::min(next_tick_, again);
  }
  for (GrpcConnection* connection : bad) End(connection);
}

bool GrpcWorker::HasEnded() {
  if (!stopping_) return false;
  const bool late = clock_->Now() >= cut_off_;
  std::vector<GrpcConnection*> drained;
  for (const auto& [key, connection] : connections_) {
    if (late || connection->Drained()) drained.push_back(key);
  }
  for (GrpcConnection* connection : drained) End(connection);
  return connections_.empty() && streams_.empty() && events_.empty() &&
         serving_ == 0;
}

// --- Calls ---

void GrpcWorker::Opened(const std::shared_ptr<GrpcCall>& stream) {
  Time deadline = Time::max();
  if (stream->head().timeout.has_value()) {
    deadline = clock_->Now() + *stream->head().timeout;
    deadlines_.emplace(deadline, stream.get());
  }
  streams_[stream.get()] = {.call = stream, .deadline = deadline};
  if (finish_streams_) stream->connection()->End(stream.get(), StoppedError());
}

void GrpcWorker::Closed(const GrpcCall* stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  deadlines_.erase({found->second.deadline, stream});
  streams_.erase(found);
}

void GrpcWorker::Serve(GrpcUnaryCall* call) {
  shared_->idle_poll.Touch();
  serving_.fetch_add(1, std::memory_order_relaxed);
  if (unanswered_.fetch_add(1, std::memory_order_relaxed) > 0) {
    crowd_ = kCrowdCalls;
  }
  ShouldLead(*call) ? Lead(call) : call->Serve();
}

bool GrpcWorker::ShouldLead(const GrpcUnaryCall& call) {
  if (standby_ == nullptr || stopping_ || !call.through_log()) return false;
  if (crowd_ > 0) {
    --crowd_;
    return false;
  }
  Wait(/*timeout_ms=*/0);
  if (!events_.empty() || !readable_.empty()) crowd_ = kCrowdCalls;
  return crowd_ == 0;
}

void GrpcWorker::Lead(GrpcUnaryCall* call) {
  Flush();
  uint64_t turn = 0;
  {
    const std::lock_guard lock(turn_mutex_);
    turn = turn_;
    leading_ = true;
    in_lead_ = true;
    ++leads_;
    if (!checking_) CheckLater(leads_);
  }
  shared_->loops.RunNodeAndLog([call] { call->Serve(); });
  const std::lock_guard lock(turn_mutex_);
  if (turn_ != turn) return;
  leading_ = false;
  in_lead_ = false;
}

void GrpcWorker::CheckLater(uint64_t lead) {
  checking_ = true;
  standby_->After(kCheckInterval, [this, lead] { CheckOnPoller(lead); });
}

void GrpcWorker::CheckOnPoller(uint64_t lead) {
  uint64_t turn = 0;
  {
    const std::lock_guard lock(turn_mutex_);
    checking_ = false;
    // As long as there are leads this goes on, so that none has to wake us.
    if (leads_ != lead) return CheckLater(leads_);
    if (!leading_) return;
    leading_ = false;
    std::swap(poller_, standby_);
    turn = ++turn_;
  }
  Poll(turn);
}

}  // namespace strata
