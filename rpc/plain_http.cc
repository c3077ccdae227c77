#include "rpc/plain_http.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "rpc/header.h"
#include "rpc/http/text.h"
#include "rpc/proto/rpc.pb.h"

namespace strata {
namespace {

using Json = nlohmann::ordered_json;

// These requests have no body worth reading.
constexpr uint64_t kMaxBodyBytes = 64 << 10;
// As etcd's: two election timeouts and five seconds.
constexpr Duration kReadTimeout = std::chrono::seconds(7);

HttpResponse JsonResponse(std::string body, std::string type) {
  return {.status = 200,
          .headers = {{"Content-Type", std::move(type)}},
          .body = std::move(body)};
}

// Why an alarm makes us unwell; nullopt if none that counts is raised.
std::optional<std::string> AlarmReason(const std::vector<AlarmRecord>& alarms,
                                       const std::set<std::string>& excluded) {
  for (const AlarmRecord& alarm : alarms) {
    const auto type = static_cast<etcdserverpb::AlarmType>(alarm.type);
    const std::string name = etcdserverpb::AlarmType_Name(type);
    if (excluded.contains(name)) continue;
    return "ALARM " + (name.empty() ? "UNKNOWN" : name);
  }
  return std::nullopt;
}

// Values that are said, of a name that may be given more than once.
std::set<std::string> NonEmpty(const HttpRequest& request,
                               std::string_view name) {
  std::set<std::string> values;
  for (std::string& value : QueryValues(request.query, name)) {
    if (!value.empty()) values.insert(std::move(value));
  }
  return values;
}

// Calls back once, with whichever comes first.
class Once {
 public:
  explicit Once(std::function<void(const Status&)> done)
      : done_(std::move(done)) {}

  bool Call(const Status& status) {
    if (called_.exchange(true)) return false;
    done_(status);
    return true;
  }

 private:
  std::atomic<bool> called_ = false;
  const std::function<void(const Status&)> done_;
};

using Serve = std::function<void(const HttpRequest&, const HttpReply&)>;

HttpRoute GetRoute(std::string path, Serve serve) {
  return WholeBodyRoute(
      std::move(path), kMaxBodyBytes,
      [serve = std::move(serve)](const HttpRequest& request, const std::string&,
                                 const HttpReply& reply) {
        if (auto refusal = RefuseAllButGet(request)) {
          return reply(std::move(*refusal));
        }
        serve(request, reply);
      });
}

}  // namespace

// The lines of one set of checks.
struct PlainHttp::Report {
  bool ok = true;
  std::string lines;
};

PlainHttp::PlainHttp(PlainHttpOptions options) : options_(std::move(options)) {}

std::vector<HttpRoute> PlainHttp::MetricsRoutes() {
  std::vector<HttpRoute> routes = {GetRoute(
      "/health", [this](const HttpRequest& request, const HttpReply& reply) {
        ServeHealth(request, reply);
      })};
  if (options_.metrics != nullptr) {
    routes.push_back(WholeBodyRoute(
        "/metrics", kMaxBodyBytes,
        [this](const HttpRequest&, const std::string&, const HttpReply& reply) {
          reply(JsonResponse(options_.metrics(),
                             "text/plain; version=0.0.4; charset=utf-8"));
        }));
  }
  if (!options_.node->level().ExplainsHealth()) return routes;
  const auto read = [this](bool serializable) {
    return [this, serializable](auto done) {
      ReadInTime(serializable, std::move(done));
    };
  };
  const Check no_corruption = [this](const auto& done) {
    for (const AlarmRecord& alarm : options_.node->alarms()) {
      if (alarm.type == etcdserverpb::CORRUPT) {
        return done(DataLossError("alarm activated: CORRUPT"));
      }
    }
    done(Status::Ok());
  };
  const Check no_learner = [this](const auto& done) {
    const Membership membership = options_.node->membership();
    const auto self = membership.members.find(options_.node->member_id());
    const bool learns =
        self != membership.members.end() && self->second.is_learner;
    done(learns ? FailedPreconditionError("not supported for learner")
                : Status::Ok());
  };
  AddChecks("livez", {{"serializable_read", read(true)}}, &routes);
  AddChecks("readyz",
            {{"data_corruption", no_corruption},
             {"serializable_read", read(true)},
             {"linearizable_read", read(false)},
             {"non_learner", no_learner}},
            &routes);
  return routes;
}

std::vector<HttpRoute> PlainHttp::Routes() {
  std::vector<HttpRoute> routes = MetricsRoutes();
  routes.push_back(
      GetRoute("/version", [this](const HttpRequest&, const HttpReply& reply) {
        reply(JsonResponse(VersionText(), "application/json"));
      }));
  routes.push_back(GetRoute(
      "/debug/vars", [this](const HttpRequest&, const HttpReply& reply) {
        reply(JsonResponse(DebugVars(), "application/json; charset=utf-8"));
      }));
  return routes;
}

HealthCounts PlainHttp::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void PlainHttp::ServeHealth(const HttpRequest& request,
                            const HttpReply& reply) {
  const std::vector<std::string> flag =
      QueryValues(request.query, "serializable");
  const bool serializable = !flag.empty() && flag.front() == "true";
  if (const auto reason =
          AlarmReason(options_.node->alarms(), NonEmpty(request, "exclude"))) {
    return AnswerHealth(*reason, reply);
  }
  if (!serializable && options_.node->replication().leader == MemberId(0)) {
    return AnswerHealth("RAFT NO LEADER", reply);
  }
  ReadInTime(serializable, [this, reply](const Status& status) {
    AnswerHealth(status.ok() ? "" : "RANGE ERROR:" + status.message(), reply);
  });
}

// An empty reason: all is well.
void PlainHttp::AnswerHealth(const std::string& reason,
                             const HttpReply& reply) {
  {
    const std::lock_guard lock(mutex_);
    ++(reason.empty() ? counts_.succeeded : counts_.failed);
  }
  Json body = {{"health", reason.empty() ? "true" : "false"}};
  if (options_.node->level().ExplainsHealth()) body["reason"] = reason;
  if (reason.empty()) {
    return reply(
        {.status = 200, .headers = {PlainText()}, .body = body.dump()});
  }
  options_.logger->Warn("/health error",
                        {{"output", body.dump()}, {"status-code", 503}});
  reply(TextError(503, body.dump()));
}

void PlainHttp::AddChecks(const std::string& type,
                          const std::vector<NamedCheck>& checks,
                          std::vector<HttpRoute>* routes) {
  routes->push_back(CheckRoute("/" + type, type, checks));
  for (const NamedCheck& check : checks) {
    routes->push_back(CheckRoute("/" + type + "/" + check.name, type, {check}));
  }
}

HttpRoute PlainHttp::CheckRoute(const std::string& path,
                                const std::string& type,
                                std::vector<NamedCheck> checks) {
  const bool all = path == "/" + type;
  return GetRoute(path, [this, path, type, all, checks = std::move(checks)](
                            const HttpRequest& request,
                            const HttpReply& reply) {
    std::vector<NamedCheck> chosen = checks;
    if (all) {
      const std::set<std::string> excluded = NonEmpty(request, "exclude");
      std::erase_if(chosen, [&](const NamedCheck& check) {
        return excluded.contains(check.name);
      });
    }
    const bool verbose = !QueryValues(request.query, "verbose").empty();
    RunChecks(
        type, std::move(chosen),
        [this, path, verbose, reply](const Report& report) {
          if (report.ok) {
            return reply({.status = 200,
                          .headers = {PlainText(), NoSniff()},
                          .body = (verbose ? report.lines : "") + "ok\n"});
          }
          options_.logger->Error(
              "Health check error",
              {{"path", path}, {"reason", report.lines}, {"status-code", 503}});
          reply(TextError(503, report.lines));
        });
  });
}

// One after another.
void PlainHttp::RunChecks(const std::string& type,
                          std::vector<NamedCheck> checks,
                          std::function<void(const Report&)> done) {
  struct Run {
    std::vector<NamedCheck> left;
    Report report;
    std::function<void(const Report&)> done;
  };
  const auto run = std::make_shared<Run>();
  run->left = std::move(checks);
  run->done = std::move(done);
  std::ranges::reverse(run->left);
  // Holds itself while a check is under way, not longer.
  const auto next = std::make_shared<std::function<void()>>();
  *next = [this, type, run, weak = std::weak_ptr(next)] {
    if (run->left.empty()) return run->done(run->report);
    const NamedCheck check = std::move(run->left.back());
    run->left.pop_back();
    check.run([this, type, run, name = check.name,
               go_on = weak.lock()](const Status& status) {
      Count(type, name, status.ok());
      run->report.ok = run->report.ok && status.ok();
      run->report.lines +=
          status.ok() ? "[+]" + name + " ok\n"
                      : "[-]" + name + " failed: " + status.message() + "\n";
      (*go_on)();
    });
  };
  (*next)();
}

// Any key will do; there is none with an empty name.
void PlainHttp::Read(bool serializable,
                     const std::function<void(const Status&)>& done) const {
  const auto read = [node = options_.node, done](const Status& status) {
    if (!status.ok()) return done(status);
    done(node->store()->Range({.limit = 1, .keys_only = true}).status());
  };
  serializable ? read(Status::Ok()) : options_.node->ReadIndex(read);
}

void PlainHttp::ReadInTime(bool serializable,
                           std::function<void(const Status&)> done) const {
  const auto once = std::make_shared<Once>(std::move(done));
  const Loop::TimerId timer = options_.loop->After(kReadTimeout, [once] {
    once->Call(UnavailableError("etcdserver: request timed out"));
  });
  Read(serializable, [once, timer, loop = options_.loop](const Status& status) {
    if (once->Call(status)) loop->Cancel(timer);
  });
}

std::string PlainHttp::VersionText() const {
  const std::string version = options_.node->level().ClusterVersion();
  const std::string cluster = options_.node->membership().cluster_version;
  Json text = {{"etcdserver", version},
               {"etcdcluster", cluster.empty() ? "not_decided" : cluster}};
  if (options_.node->level().StoresStorageVersion()) text["storage"] = version;
  return text.dump();
}

std::string PlainHttp::DebugVars() const {
  const ReplicatorStatus raft = options_.node->replication();
  const std::string self = HexId(options_.node->member_id().value());
  const bool leads = raft.leader == options_.node->member_id();
  const Json status = {{"id", self},
                       {"term", raft.term.value()},
                       {"commit", raft.committed.value()},
                       {"lead", HexId(raft.leader.value())},
                       {"raftState", leads ? "StateLeader" : "StateFollower"},
                       {"applied", options_.node->store()->applied().value()}};
  std::vector<std::string> command = options_.command_line;
  command.insert(command.begin(), "stratad");
  const Json vars = {{"cmdline", command},
                     {"file_descriptor_limit", options_.file_descriptor_limit},
                     {"raft.status", status}};
  return vars.dump(/*indent=*/0) + "\n";
}

void PlainHttp::Count(const std::string& type, const std::string& name,
                      bool ok) {
  const std::lock_guard lock(mutex_);
  HealthCounts::Check& check = counts_.checks[{type, name}];
  check.ok = ok;
  ++(ok ? check.succeeded : check.failed);
}

}  // namespace strata
