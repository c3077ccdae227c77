#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "server/errors.h"
#include "server/node_impl.h"
#include "server/opening.h"

// The cluster's version: what all members can do. The leader's affair.
namespace strata {
namespace {

// Of a new cluster whose members are not all known after some looks.
constexpr char kLeastVersion[] = "3.0.0";
constexpr Duration kFirstPeriod = std::chrono::milliseconds(500);
constexpr int kFirstLooks = 20;

// Major and minor.
using Release = std::array<int, 2>;

// Of "3.4", "3.4.0" and "3.4.0-rc.1"; nothing if it is no version.
std::optional<Release> ParseRelease(std::string_view text) {
  Release release = {};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < release.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
    const auto [next, error] = std::from_chars(at, end, release[i]);
    if (error != std::errc() || release[i] < 0) return std::nullopt;
    at = next;
  }
  if (at == end) return release;
  int patch = 0;
  if (*at++ != '.') return std::nullopt;
  const auto [next, error] = std::from_chars(at, end, patch);
  const bool whole = next == end || *next == '-' || *next == '+';
  if (error != std::errc() || !whole) return std::nullopt;
  return release;
}

std::string ToVersion(const Release& release) {
  return std::to_string(release[0]) + "." + std::to_string(release[1]) + ".0";
}

}  // namespace

void NodeImpl::WatchVersions() {
  Later(options_.downgrade_check_period, [this] { WatchVersions(); });
  LookAtVersions();
}

// Asks all others for theirs.
void NodeImpl::LookAtVersions() {
  if (raft() != nullptr && ReignTerm() == Term()) return;
  struct Look {
    std::vector<std::string> versions;
    size_t waiting = 0;
    bool all = true;
  };
  const auto look = std::make_shared<Look>();
  look->versions.push_back(level_.ClusterVersion());
  const Term term = ReignTerm();
  const Membership membership = cluster_.membership();
  look->waiting = membership.members.size() - 1;
  if (look->waiting == 0) return DecideVersion(look->versions, true);
  if (world_.leader_client == nullptr) return;
  for (const auto& [id, member] : membership.members) {
    if (id == member_id_) continue;
    world_.leader_client->Version(
        id, [this, look, term](StatusOr<std::string> version) {
          world_.loop->Post([this, look, term, version = std::move(version)] {
            // The next leader looks for itself.
            if (stopping_ || ReignTerm() != term) return;
            look->all = look->all && version.ok();
            if (version.ok()) look->versions.push_back(*version);
            if (--look->waiting == 0) DecideVersion(look->versions, look->all);
          });
        });
  }
}

// It is the lowest of the members' versions, and falls for a downgrade alone.
void NodeImpl::DecideVersion(const std::vector<std::string>& versions,
                             bool all) {
  std::vector<Release> releases;
  for (const std::string& version : versions) {
    const std::optional<Release> release = ParseRelease(version);
    if (release) releases.push_back(*release);
  }
  all = all && releases.size() == versions.size();
  const std::string now = cluster_.membership().cluster_version;
  if (!all) {
    if (!now.empty()) return;
    if (++first_looks_ > kFirstLooks) return ProposeVersion(kLeastVersion);
    return Later(kFirstPeriod, [this] { LookAtVersions(); });
  }
  const auto [lowest, highest] = std::ranges::minmax(releases);
  const std::optional<Release> current = ParseRelease(now);
  const Downgrade downgrade = cluster_.downgrade();
  if (!downgrade.enabled) {
    if (!current || *current < lowest) ProposeVersion(ToVersion(lowest));
    return;
  }
  const std::optional<Release> target = ParseRelease(downgrade.target);
  if (!target || !current) return;
  if (*target < *current) return ProposeVersion(ToVersion(*target));
  // Members of 3.4 do not know the request: there a client says it later.
  if (lowest == *target && highest == *target && level_ >= Level::V3_5()) {
    world_.logger->Info("the cluster has been downgraded",
                        {{"cluster-version", now}});
    ProposeDowngrade({}, [](const Status&) {});
  }
}

void NodeImpl::ProposeVersion(const std::string& version) {
  world_.logger->Info("setting the cluster's version", {{"version", version}});
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>(
      ClusterVersionRequest(level_, version));
  ProposeOwn(
      request, [](const Status&) {}, ReignTerm());
}

// --- downgrades ---

// To the release before that of the cluster.
Status NodeImpl::CheckDowngrade(const std::string& target) const {
  const std::optional<Release> release = ParseRelease(target);
  if (!release) return errors::WrongDowngradeFormat();
  const std::optional<Release> current =
      ParseRelease(cluster_.membership().cluster_version);
  if (!current) return errors::ClusterVersionNotFound();
  const Release before = {(*current)[0], (*current)[1] - 1};
  if (*release != before) return errors::InvalidDowngradeTarget();
  if (cluster_.downgrade().enabled) return errors::DowngradeInProgress();
  return Status::Ok();
}

void NodeImpl::ValidateDowngrade(const std::string& target,
                                 std::function<void(const Status&)> done) {
  if (!ParseRelease(target)) return done(errors::WrongDowngradeFormat());
  ReadIndex([this, target, done = std::move(done)](const Status& read) {
    done(read.ok() ? CheckDowngrade(target) : read);
  });
}

void NodeImpl::EnableDowngrade(const std::string& target,
                               std::function<void(const Status&)> done) {
  ValidateDowngrade(
      target, [this, target, done = std::move(done)](const Status& valid) {
        if (!valid.ok()) return done(valid);
        ProposeDowngrade(
            {.enabled = true, .target = ToVersion(*ParseRelease(target))},
            [this, done](const Status& enabled) {
              if (enabled.ok()) LookAtVersions();
              done(enabled);
            });
      });
}

void NodeImpl::CancelDowngrade(std::function<void(const Status&)> done) {
  ReadIndex([this, done = std::move(done)](const Status& read) {
    if (!read.ok()) return done(read);
    if (!cluster_.downgrade().enabled) return done(errors::NoDowngrade());
    ProposeDowngrade({}, done);
  });
}

void NodeImpl::ProposeDowngrade(const Downgrade& downgrade,
                                std::function<void(const Status&)> done) {
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  auto* const set = request->mutable_downgrade_info_set();
  set->set_enabled(downgrade.enabled);
  set->set_ver(downgrade.target);
  ProposeOwn(request, std::move(done));
}

}  // namespace strata
