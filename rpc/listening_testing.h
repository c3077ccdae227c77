#ifndef STRATA_RPC_LISTENING_TESTING_H_
#define STRATA_RPC_LISTENING_TESTING_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "rpc/front.h"

namespace strata {

// A port for a gRPC server of a test.
class ListeningForTest {
 public:
  ~ListeningForTest() { Stop(); }

  // Returns the port.
  int Listen(GrpcServer* server) {
    auto front = Front::Start(&thread_, {},
                              {{.address = "127.0.0.1:0", .grpc = server}});
    EXPECT_TRUE(front.ok()) << front.status();
    front_ = std::move(*front);
    return front_->ports().front();
  }
  // Before the server ends.
  void Stop() {
    if (front_ != nullptr) front_->Shutdown();
    front_ = nullptr;
  }

 private:
  IoThread thread_{"front-test"};
  std::unique_ptr<Front> front_;
};

}  // namespace strata

#endif  // STRATA_RPC_LISTENING_TESTING_H_
