// Makes raw gRPC calls that are written as text, one a line on stdin:
//
//   KV/Range key: "a" range_end: "z" limit: -1
//
// A line is a method and a request in protobuf's text form. For each call it
// prints the reply in that form, or "error CODE: text", and a line "----".
// "Watch/NAME ..." is about the watch stream of that name (watch_calls.h).
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "google/protobuf/text_format.h"
#include "rpc/proto/election.grpc.pb.h"
#include "rpc/proto/health.grpc.pb.h"
#include "rpc/proto/lock.grpc.pb.h"
#include "rpc/proto/rpc.grpc.pb.h"
#include "tests/conformance/watch_calls.h"

namespace {

using google::protobuf::TextFormat;

constexpr auto kDeadline = std::chrono::seconds(20);

// Whether the request could be read; what to print, if so.
using Call = std::function<bool(const std::string& request, std::string* out)>;

std::string Print(const google::protobuf::Message& message) {
  std::string text;
  TextFormat::PrintToString(message, &text);
  return text;
}

// The call of one unary method of one service's stub.
template <typename Stub, typename Request, typename Reply>
Call Unary(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                    const Request&, Reply*)) {
  return [=](const std::string& text, std::string* out) {
    Request request;
    if (!TextFormat::ParseFromString(text, &request)) return false;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    Reply reply;
    const grpc::Status status = (stub->*method)(&context, request, &reply);
    *out = status.ok() ? Print(reply)
                       : "error " + std::to_string(status.error_code()) + ": " +
                             status.error_message() + "\n";
    return true;
  };
}

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : kv(etcdserverpb::KV::NewStub(channel)),
        lease(etcdserverpb::Lease::NewStub(channel)),
        maintenance(etcdserverpb::Maintenance::NewStub(channel)),
        cluster(etcdserverpb::Cluster::NewStub(channel)),
        lock(v3lockpb::Lock::NewStub(channel)),
        election(v3electionpb::Election::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}

  const std::unique_ptr<etcdserverpb::KV::Stub> kv;
  const std::unique_ptr<etcdserverpb::Lease::Stub> lease;
  const std::unique_ptr<etcdserverpb::Maintenance::Stub> maintenance;
  const std::unique_ptr<etcdserverpb::Cluster::Stub> cluster;
  const std::unique_ptr<v3lockpb::Lock::Stub> lock;
  const std::unique_ptr<v3electionpb::Election::Stub> election;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

std::map<std::string, Call> Methods(const Stubs& stubs) {
  using etcdserverpb::KV;
  using etcdserverpb::Lease;
  using etcdserverpb::Maintenance;
  using v3electionpb::Election;
  using v3lockpb::Lock;
  KV::Stub* const kv = stubs.kv.get();
  Lease::Stub* const lease = stubs.lease.get();
  Maintenance::Stub* const maintenance = stubs.maintenance.get();
  Election::Stub* const election = stubs.election.get();
  return {
      {"KV/Range", Unary(kv, &KV::Stub::Range)},
      {"KV/Put", Unary(kv, &KV::Stub::Put)},
      {"KV/DeleteRange", Unary(kv, &KV::Stub::DeleteRange)},
      {"KV/Txn", Unary(kv, &KV::Stub::Txn)},
      {"KV/Compact", Unary(kv, &KV::Stub::Compact)},
      {"Lease/LeaseGrant", Unary(lease, &Lease::Stub::LeaseGrant)},
      {"Lease/LeaseRevoke", Unary(lease, &Lease::Stub::LeaseRevoke)},
      {"Lease/LeaseTimeToLive", Unary(lease, &Lease::Stub::LeaseTimeToLive)},
      {"Lease/LeaseLeases", Unary(lease, &Lease::Stub::LeaseLeases)},
      {"Maintenance/Status", Unary(maintenance, &Maintenance::Stub::Status)},
      {"Maintenance/HashKV", Unary(maintenance, &Maintenance::Stub::HashKV)},
      {"Maintenance/Downgrade",
       Unary(maintenance, &Maintenance::Stub::Downgrade)},
      {"Maintenance/Alarm", Unary(maintenance, &Maintenance::Stub::Alarm)},
      {"Cluster/MemberList",
       Unary(stubs.cluster.get(), &etcdserverpb::Cluster::Stub::MemberList)},
      {"Lock/Lock", Unary(stubs.lock.get(), &Lock::Stub::Lock)},
      {"Lock/Unlock", Unary(stubs.lock.get(), &Lock::Stub::Unlock)},
      {"Election/Campaign", Unary(election, &Election::Stub::Campaign)},
      {"Election/Proclaim", Unary(election, &Election::Stub::Proclaim)},
      {"Election/Leader", Unary(election, &Election::Stub::Leader)},
      {"Election/Resign", Unary(election, &Election::Stub::Resign)},
      {"Health/Check",
       Unary(stubs.health.get(), &grpc::health::v1::Health::Stub::Check)},
  };
}

int Run(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto channel = grpc::CreateCustomChannel(
      endpoint, grpc::InsecureChannelCredentials(), arguments);

  const Stubs stubs(channel);
  const std::map<std::string, Call> methods = Methods(stubs);
  strata::testing::WatchCalls watches(channel);
  const std::string watch = "Watch/";

  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string text = space == line.npos ? "" : line.substr(space);
    const auto method = methods.find(name);
    std::string out;
    const bool read =
        name.starts_with(watch)
            ? watches.Run(name.substr(watch.size()), text, &out)
            : method != methods.end() && method->second(text, &out);
    if (!read) {
      std::cerr << "cannot read: " << line.substr(0, 200) << "\n";
      return 2;
    }
    std::cout << out << "----" << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: rpc_calls HOST:PORT < calls\n";
    return 2;
  }
  return Run(argv[1]);
}
