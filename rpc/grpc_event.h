#ifndef STRATA_RPC_GRPC_EVENT_H_
#define STRATA_RPC_GRPC_EVENT_H_

namespace strata {

// What comes back from a completion queue: an object of ours, told what
// happened.
class GrpcEvent {
 public:
  virtual ~GrpcEvent() = default;
  virtual void Happened(bool ok) = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_EVENT_H_
