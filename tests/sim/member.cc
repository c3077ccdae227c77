#include "tests/sim/member.h"

#include <utility>

namespace strata::sim {

Member::Member(SimWorld* world, Network* network, MemberId id,
               NodeOptions options, uint64_t seed)
    : world_(world),
      network_(network),
      id_(id),
      options_(std::move(options)),
      seed_(seed) {
  options_.data_dir = "data";
  options_.btree.initial_mmap_bytes = 1 << 20;
  Wipe();
}

Member::~Member() { Kill(); }

void Member::Wipe() {
  Kill();
  env_ = std::make_unique<FakeEnv>(
      FakeEnvOptions{.file_bytes_max = uint64_t{64} << 20});
}

Status Member::Start() {
  Kill();
  if (env_->powered_off()) env_->Crash(PowerLoss::Random(seed_ + lives_));
  ++lives_;
  fatal_ = Status::Ok();
  const auto new_loop = [&](const char* name) {
    return std::make_unique<MemberLoop>(world_, name, &clock_);
  };
  loop_ = new_loop("node");
  log_ = new_loop("log");
  flusher_ = new_loop("flusher");
  background_ = new_loop("background");
  SetDiskDelay(log_delay_, backend_delay_);
  transport_ = network_->NewTransport(id_);
  leader_client_ = network_->NewLeaderClient(id_);
  const NodeWorld world{.env = env_.get(),
                        .loop = loop_.get(),
                        .flusher = flusher_.get(),
                        .background = background_.get(),
                        .transport = transport_.get(),
                        .log = log_.get(),
                        .leader_client = leader_client_.get(),
                        .random_seed = seed_ + lives_,
                        .logger = Logger::Null(),
                        .on_fatal = [this](const Status& status) {
                          if (fatal_.ok()) fatal_ = status;
                        }};
  auto opened = Node::Open(options_, world);
  if (!opened.ok()) {
    fatal_ = opened.status();
    Kill();
    return opened.status();
  }
  node_ = std::move(*opened);
  network_->SetNode(id_, node_.get());
  return Status::Ok();
}

void Member::Kill() {
  network_->SetNode(id_, nullptr);
  for (auto* loop : {&loop_, &log_, &flusher_, &background_}) {
    if (*loop != nullptr) (*loop)->Halt();
  }
  node_.reset();
  transport_.reset();
  leader_client_.reset();
  background_.reset();
  flusher_.reset();
  log_.reset();
  loop_.reset();
  clock_.paused = false;
}

void Member::LosePower(uint64_t seed) {
  Kill();
  env_->Crash(PowerLoss::Random(seed));
}

void Member::Resume() {
  clock_.paused = false;
  for (auto* loop : {&loop_, &log_, &flusher_, &background_}) {
    if (*loop != nullptr) (*loop)->Resume();
  }
}

void Member::SetDiskDelay(Duration log, Duration backend) {
  log_delay_ = log;
  backend_delay_ = backend;
  if (log_ != nullptr) log_->SetDelay(log);
  if (flusher_ != nullptr) flusher_->SetDelay(backend);
}

void Member::StallDisk(Duration duration) {
  const Time until = world_->Now() + duration;
  if (log_ != nullptr) log_->StallUntil(until);
  if (flusher_ != nullptr) flusher_->StallUntil(until);
}

}  // namespace strata::sim
