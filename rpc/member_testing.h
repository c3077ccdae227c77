#ifndef STRATA_RPC_MEMBER_TESTING_H_
#define STRATA_RPC_MEMBER_TESTING_H_

#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "engine/level.h"
#include "rpc/http/handler.h"
#include "rpc/services.h"
#include "server/node.h"

// For tests: a member with its services, and HTTP without a server.
namespace strata {

// A member on a fresh directory of its own, kept in memory but for its log.
class TestMember {
 public:
  explicit TestMember(Level level);
  ~TestMember();  // stops it

  Node* node() { return node_.get(); }
  Services* services() { return services_.get(); }
  Loop* worker() { return worker_.get(); }
  Loop* hasher() { return hasher_.get(); }

 private:
  std::unique_ptr<Loop> loop_ = NewThreadedLoop("node");
  std::unique_ptr<Loop> flusher_ = NewThreadedLoop("flusher");
  std::unique_ptr<Loop> background_ = NewThreadedLoop("background");
  std::unique_ptr<Loop> worker_ = NewThreadedLoop("worker");
  std::unique_ptr<Node> node_;
  std::unique_ptr<Loop> claims_ = NewThreadedLoop("claims");
  std::unique_ptr<Loop> hasher_ = NewThreadedLoop("hasher");
  std::unique_ptr<Services> services_;
};

// What a client has got so far.
struct TestAnswer {
  int status = 0;  // 0: nothing yet
  std::vector<HttpRequest::Header> headers = {};
  std::string body = {};
  bool over = false;
  bool aborted = false;

  // The first value of a header; empty if there is none.
  std::string Header(const std::string& name) const;
};

// One exchange with the handler that `routes` have for it. Used by one thread.
class TestExchange {
 public:
  // Begins with the head alone.
  TestExchange(const std::vector<HttpRoute>& routes, HttpRequest request);
  ~TestExchange();  // as a client that goes away

  // Whether the handler wants more at once.
  bool Send(const std::string& body);
  void EndBody();
  // Waits until it is over, or the body has `lines` lines; a test fails after
  // ten seconds of it.
  TestAnswer Wait(size_t lines = SIZE_MAX);

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
  std::shared_ptr<HttpHandler> handler_;
};

// A whole exchange. `target` may have a query.
TestAnswer Ask(const std::vector<HttpRoute>& routes, const std::string& method,
               const std::string& target, const std::string& body = "",
               std::vector<HttpRequest::Header> headers = {});

}  // namespace strata

#endif  // STRATA_RPC_MEMBER_TESTING_H_
