#include "rpc/bootstrap/srv_cluster.h"

#include <map>
#include <set>
#include <utility>

namespace strata {
namespace {

std::string JoinHostPort(const std::string& host, const std::string& port) {
  const bool bare_v6 = host.find(':') != std::string::npos;
  return bare_v6 ? "[" + host + "]:" + port : host + ":" + port;
}

struct PeerUrl {
  std::string scheme = {};
  std::string host = {};
  std::string port = {};
};

StatusOr<PeerUrl> ParseUrl(const std::string& url) {
  const size_t mark = url.find("://");
  PeerUrl parsed;
  if (mark != std::string::npos) {
    parsed.scheme = url.substr(0, mark);
    std::string rest = url.substr(mark + 3);
    if (rest.ends_with('/')) rest.pop_back();
    const size_t colon = rest.rfind(':');
    if (colon != std::string::npos) {
      parsed.host = rest.substr(0, colon);
      parsed.port = rest.substr(colon + 1);
    }
  }
  if (parsed.host.empty()) {
    return InvalidArgumentError("\"" + url + "\" is no peer URL");
  }
  if (parsed.host.starts_with('[') && parsed.host.ends_with(']')) {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  }
  return parsed;
}

// One look at DNS.
class Finder {
 public:
  Finder(Dns* dns, const SrvRequest& request, Logger* logger)
      : dns_(dns), request_(request), logger_(logger) {}

  // Where this member is, to recognise it among the records.
  Status ResolveSelf() {
    for (const std::string& url : request_.advertise_peer_urls) {
      ASSIGN_OR_RETURN(const PeerUrl parsed, ParseUrl(url));
      ASSIGN_OR_RETURN(const auto addresses, dns_->LookupHost(parsed.host));
      for (const std::string& address : addresses) {
        self_[JoinHostPort(address, parsed.port)] = parsed.scheme;
      }
    }
    return Status::Ok();
  }

  // The error, if no record of the service is of use.
  Status Add(const std::string& scheme, const std::string& service) {
    const std::string name = "_" + service + "._tcp." + request_.domain;
    ASSIGN_OR_RETURN(const auto records, dns_->LookupSrv(name));
    Status last;
    size_t found = 0;
    for (const SrvRecord& record : records) {
      Status added = AddRecord(scheme, name, record);
      if (added.ok()) {
        ++found;
      } else {
        logger_->Warn("passed over an SRV record",
                      {{"target", record.target}, {"error", added}});
        last = std::move(added);
      }
    }
    return found == 0 ? last : Status::Ok();
  }

  const std::string& cluster() const { return cluster_; }
  bool found_self() const { return found_self_; }

 private:
  Status AddRecord(const std::string& scheme, const std::string& service,
                   const SrvRecord& record) {
    const std::string port = std::to_string(record.port);
    ASSIGN_OR_RETURN(const auto addresses, dns_->LookupHost(record.target));
    std::string name;
    const std::string url = scheme + "://" + JoinHostPort(record.target, port);
    for (const std::string& address : addresses) {
      const auto self = self_.find(JoinHostPort(address, port));
      if (self == self_.end()) continue;
      if (self->second != scheme) {
        return FailedPreconditionError(
            "bootstrap at " + url + " from DNS for " + service +
            " has scheme mismatch with expected peer " + self->second + "://" +
            self->first);
      }
      name = request_.name;
      found_self_ = true;
    }
    if (name.empty()) name = std::to_string(unnamed_++);
    cluster_ += (cluster_.empty() ? "" : ",") + name + "=" + url;
    logger_->Info("got bootstrap from DNS for etcd-server",
                  {{"node", name + "=" + url}});
    return Status::Ok();
  }

  Dns* const dns_;
  const SrvRequest& request_;
  Logger* const logger_;
  std::map<std::string, std::string> self_;  // address -> scheme
  std::string cluster_;
  bool found_self_ = false;
  int unnamed_ = 0;
};

}  // namespace

StatusOr<std::string> FindSrvCluster(Dns* dns, const SrvRequest& request,
                                     Logger* logger) {
  Finder finder(dns, request, logger);
  RETURN_IF_ERROR(finder.ResolveSelf());
  const std::string suffix =
      request.service_suffix.empty() ? "" : "-" + request.service_suffix;
  const Status secure = finder.Add("https", "etcd-server-ssl" + suffix);
  const Status plain = finder.Add("http", "etcd-server" + suffix);
  if (finder.cluster().empty()) {
    return FailedPreconditionError(
        "error querying DNS SRV records for _etcd-server-ssl" + suffix + " " +
        secure.message() + "; error querying DNS SRV records for _etcd-server" +
        suffix + " " + plain.message());
  }
  if (!finder.found_self()) {
    return FailedPreconditionError("cannot find local etcd member \"" +
                                   request.name + "\" in SRV records");
  }
  return finder.cluster();
}

}  // namespace strata
