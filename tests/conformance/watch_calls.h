#ifndef STRATA_TESTS_CONFORMANCE_WATCH_CALLS_H_
#define STRATA_TESTS_CONFORMANCE_WATCH_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>

#include "rpc/proto/rpc.grpc.pb.h"

namespace strata::testing {

// Raw watch streams, by name, driven by text:
//
//   create_request { key: "a" }   a request, sent at once
//   wait 3      the next responses until 3 events, or answers without events,
//               have come; those of one watcher together, by its id
//   quiet       what comes in 300 ms, which should be nothing
//   half_close  nothing more will be sent
//   end         the client cancels; what the call ended with
class WatchCalls {
 public:
  explicit WatchCalls(const std::shared_ptr<grpc::Channel>& channel);
  ~WatchCalls();

  // False if the text cannot be read; else what there is to print.
  bool Run(const std::string& stream, const std::string& text,
           std::string* out);

 private:
  class Stream;

  const std::unique_ptr<etcdserverpb::Watch::Stub> stub_;
  std::map<std::string, std::unique_ptr<Stream>> streams_;
};

}  // namespace strata::testing

#endif  // STRATA_TESTS_CONFORMANCE_WATCH_CALLS_H_
