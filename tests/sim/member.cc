#include "tests/sim/member.h"

#include <string_view>
#include <utility>
#include <vector>

namespace strata::sim {
namespace {

// A byte of a file, 0 if it cannot be read.
char ByteAt(Env* env, const std::string& path, uint64_t offset) {
  char byte = 0;
  const auto file = env->Open(path, OpenMode::kReadOnly);
  if (file.ok()) (*file)->ReadAt(offset, 1, &byte).IgnoreError();
  return byte;
}

// What a start reads.
std::vector<std::string> FilesThatCount(Env* env) {
  std::vector<std::string> files;
  for (const std::string directory : {"data/member/wal", "data/member/snap"}) {
    const auto names = env->List(directory);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      const std::string_view end =
          std::string_view(name).substr(name.rfind('.') + 1);
      if (name == "db" || end == "wal" || end == "snap") {
        files.push_back(directory + "/" + name);
      }
    }
  }
  return files;
}

}  // namespace

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
  flipped_.reset();
}

bool Member::Rot(Random* random) {
  const std::vector<std::string> files = FilesThatCount(env_.get());
  if (files.empty()) return false;
  Unflip();
  const std::string path = files[random->Below(files.size())];
  const auto file = env_->Open(path, OpenMode::kReadOnly);
  const auto size = file.ok() ? (*file)->Size() : file.status();
  if (!size.ok() || *size == 0) return false;
  // Most of a file is zeros, which mean little.
  uint64_t offset = random->Below(*size);
  for (int i = 0; i < 50 && ByteAt(env_.get(), path, offset) == 0; ++i) {
    offset = random->Below(*size);
  }
  const int bit = static_cast<int>(random->Below(8));
  env_->FlipBit(path, offset, bit);
  flipped_ = Flipped{.path = path,
                     .offset = offset,
                     .bit = bit,
                     .byte = ByteAt(env_.get(), path, offset)};
  return true;
}

void Member::FlipBack() {
  if (!flipped_) return;
  ++rots_found_;
  Unflip();
}

// If it is still there: what nobody read may have been written anew.
void Member::Unflip() {
  if (!flipped_) return;
  const Flipped flipped = *std::exchange(flipped_, std::nullopt);
  if (ByteAt(env_.get(), flipped.path, flipped.offset) == flipped.byte) {
    env_->FlipBit(flipped.path, flipped.offset, flipped.bit);
  }
}

bool Member::IsOfRot(const Status& status) {
  if (!flipped_ || status.code() != Code::kDataLoss) return false;
  rot_met_ = true;
  return true;
}

Status Member::Start() {
  if (rot_met_) FlipBack();
  const Status started = StartOnce();
  if (started.ok() || !flipped_ || powered_off()) return started;
  FlipBack();
  return StartOnce();
}

Status Member::StartOnce() {
  Kill();
  rot_met_ = false;
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

void Member::Resume(bool timers_first) {
  clock_.paused = false;
  for (auto* loop : {&loop_, &log_, &flusher_, &background_}) {
    if (*loop != nullptr) (*loop)->Resume(timers_first);
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
