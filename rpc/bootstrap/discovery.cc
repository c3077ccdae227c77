#include "rpc/bootstrap/discovery.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/strings.h"

namespace strata {
namespace {

constexpr std::string_view kPrefix = "/_etcd/registry/";
// Others may take their time; who is there is looked at so often.
constexpr Duration kLook = std::chrono::milliseconds(500);
// As etcd: 2 s, 4 s and so on after calls that failed.
constexpr int kMaxDoublings = 8;

std::string Trimmed(std::string text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  size_t begin = 0;
  while (begin < text.size() && is_space(text[begin])) ++begin;
  return text.substr(begin);
}

class Joiner {
 public:
  Joiner(Registry* registry, const std::string& token, MemberId id,
         const Pause& pause, Logger* logger)
      : registry_(registry),
        size_key_(std::string(kPrefix) + token + "/_config/size"),
        members_(std::string(kPrefix) + token + "/members/"),
        self_key_(members_ + HexId(id.value())),
        pause_(pause),
        logger_(logger) {}

  StatusOr<std::string> Join(const std::string& self) {
    RETURN_IF_ERROR(Check());
    RETURN_IF_ERROR(Again("register member itself",
                          [&] { return registry_->Put(self_key_, self); }));
    RETURN_IF_ERROR(Check());
    logger_->Info("waiting for peers from discovery service",
                  {{"clusterSize", size_}, {"found-peers", rows_.size()}});
    while (rows_.size() < size_) {
      if (pause_(kLook)) return Stopped();
      RETURN_IF_ERROR(Again("cluster status check", [&] { return List(); }));
    }
    std::string cluster;
    for (size_t i = 0; i < size_; ++i) {
      cluster += (i == 0 ? "" : ",") + rows_[i].value;
    }
    return cluster;
  }

 private:
  static Status Stopped() {
    return UnavailableError("discovery: stopped while waiting for others");
  }

  // Until it succeeds.
  Status Again(const std::string& what,
               const std::function<Status()>& attempt) {
    for (int doublings = 1;;
         doublings = std::min(doublings + 1, kMaxDoublings)) {
      Status status = attempt();
      if (status.ok() || status.code() == Code::kFailedPrecondition) {
        return status;
      }
      const Duration backoff = std::chrono::seconds(1 << doublings);
      logger_->Warn("retry connecting to discovery service",
                    {{"reason", what},
                     {"error", status},
                     {"backoff-seconds", uint64_t{1} << doublings}});
      if (pause_(backoff)) return Stopped();
    }
  }

  // Whether this member is, or can still be, one of the cluster.
  Status Check() {
    RETURN_IF_ERROR(Again("cluster status check", [&]() -> Status {
      RETURN_IF_ERROR(ReadSize());
      return List();
    }));
    const auto end =
        rows_.begin() + static_cast<ptrdiff_t>(std::min(size_, rows_.size()));
    const bool among = std::any_of(rows_.begin(), end, [&](const auto& row) {
      return row.key == self_key_;
    });
    if (!among && rows_.size() >= size_) {
      return FailedPreconditionError("discovery: cluster is full");
    }
    return Status::Ok();
  }

  Status ReadSize() {
    ASSIGN_OR_RETURN(const auto rows, registry_->Range(size_key_, ""));
    if (rows.empty()) {
      return FailedPreconditionError("discovery: size key not found");
    }
    const std::string& text = rows.front().value;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), size_);
    if (error != std::errc() || end != text.data() + text.size() ||
        size_ == 0) {
      return FailedPreconditionError("discovery: size key is bad");
    }
    return Status::Ok();
  }

  Status List() {
    ASSIGN_OR_RETURN(auto rows,
                     registry_->Range(members_, PathPrefixEnd(members_)));
    rows_.clear();
    for (Registry::Row& row : rows) {
      row.value = Trimmed(std::move(row.value));
      if (row.value.find('=') == std::string::npos) {
        logger_->Warn("invalid peer info returned from discovery service",
                      {{"memberKey", row.key}, {"memberInfo", row.value}});
        continue;
      }
      rows_.push_back(std::move(row));
    }
    std::ranges::sort(rows_, {}, &Registry::Row::create_revision);
    return Status::Ok();
  }

  Registry* const registry_;
  const std::string size_key_;
  const std::string members_;
  const std::string self_key_;
  const Pause& pause_;
  Logger* const logger_;
  size_t size_ = 0;
  std::vector<Registry::Row> rows_;  // the first ones first
};

}  // namespace

StatusOr<std::string> JoinByDiscovery(Registry* registry,
                                      const std::string& token, MemberId id,
                                      const std::string& self,
                                      const Pause& pause, Logger* logger) {
  return Joiner(registry, token, id, pause, logger).Join(self);
}

}  // namespace strata
