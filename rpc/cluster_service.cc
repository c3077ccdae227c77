#include "rpc/cluster_service.h"

#include "rpc/header.h"

namespace strata {
namespace {

void FillMember(const MemberRecord& member, etcdserverpb::Member* out) {
  out->set_id(member.id.value());
  out->set_name(member.name);
  for (const std::string& url : member.peer_urls) out->add_peerurls(url);
  for (const std::string& url : member.client_urls) out->add_clienturls(url);
  out->set_islearner(member.is_learner);
}

// No key is involved: etcd leaves the revision out.
void FillClusterHeader(Node* node, etcdserverpb::ResponseHeader* out) {
  ResponseHeader header = CurrentHeader(node);
  header.revision = Revision(0);
  FillHeader(header, out);
}

template <typename Response>
std::string MembersAnswer(Node* node, const Membership& membership) {
  Response response;
  FillClusterHeader(node, response.mutable_header());
  for (const auto& [id, member] : membership.members) {
    FillMember(member, response.add_members());
  }
  return response.SerializeAsString();
}

template <typename Response>
Node::MembersReply AnswerWith(Node* node, Reply reply) {
  return [node, reply = std::move(reply)](const StatusOr<Membership>& members) {
    if (!members.ok()) return reply(members.status());
    reply(MembersAnswer<Response>(node, *members));
  };
}

template <typename Request>
std::vector<std::string> UrlsOf(const Request& request) {
  return {request.peerurls().begin(), request.peerurls().end()};
}

Status NewVoterIsNotThere(const Status& why) {
  return FailedPreconditionError(
      "etcdserver: the new member does not answer (" + why.message() +
      "), and until it did there would be no quorum; add it as a learner, "
      "start it, and promote it");
}

}  // namespace

std::vector<UnaryMethod> ClusterService::Methods() {
  const std::string cluster = "/etcdserverpb.Cluster/";
  return {
      MakeUnary(cluster + "MemberAdd", this, &ClusterService::MemberAdd),
      MakeUnary(cluster + "MemberRemove", this, &ClusterService::MemberRemove),
      MakeUnary(cluster + "MemberUpdate", this, &ClusterService::MemberUpdate),
      MakeUnary(cluster + "MemberList", this, &ClusterService::MemberList),
      MakeUnary(cluster + "MemberPromote", this,
                &ClusterService::MemberPromote)};
}

bool ClusterService::NeedsNewVoterAtOnce() const {
  if (options_.is_active == nullptr || options_.probe == nullptr) return false;
  size_t voters = 0;
  size_t active = 0;
  for (const auto& [id, member] : node_->membership().members) {
    if (member.is_learner) continue;
    ++voters;
    if (id == node_->member_id() || options_.is_active(id)) ++active;
  }
  // Refused in any case, and then in etcd's words.
  if (options_.strict && active < voters) return false;
  const size_t quorum_with_it = (voters + 1) / 2 + 1;
  return active < quorum_with_it;
}

void ClusterService::MemberAdd(etcdserverpb::MemberAddRequest* request,
                               Reply reply) {
  const std::vector<std::string> urls = UrlsOf(*request);
  if (request->islearner() || urls.empty() || !NeedsNewVoterAtOnce()) {
    return Add(urls, request->islearner(), std::move(reply));
  }
  options_.probe(urls,
                 [this, urls, reply = std::move(reply)](const Status& answers) {
                   if (!answers.ok()) return reply(NewVoterIsNotThere(answers));
                   Add(urls, /*is_learner=*/false, reply);
                 });
}

void ClusterService::Add(const std::vector<std::string>& urls, bool is_learner,
                         Reply reply) const {
  node_->AddMember(
      urls, is_learner,
      [node = node_,
       reply = std::move(reply)](const StatusOr<MemberRecord>& added) {
        if (!added.ok()) return reply(added.status());
        etcdserverpb::MemberAddResponse response;
        FillClusterHeader(node, response.mutable_header());
        FillMember(*added, response.mutable_member());
        for (const auto& [id, member] : node->membership().members) {
          FillMember(member, response.add_members());
        }
        reply(response.SerializeAsString());
      });
}

void ClusterService::MemberRemove(etcdserverpb::MemberRemoveRequest* request,
                                  Reply reply) {
  node_->RemoveMember(
      MemberId(request->id()),
      AnswerWith<etcdserverpb::MemberRemoveResponse>(node_, std::move(reply)));
}

void ClusterService::MemberUpdate(etcdserverpb::MemberUpdateRequest* request,
                                  Reply reply) {
  node_->UpdateMember(
      MemberId(request->id()), UrlsOf(*request),
      AnswerWith<etcdserverpb::MemberUpdateResponse>(node_, std::move(reply)));
}

void ClusterService::MemberPromote(etcdserverpb::MemberPromoteRequest* request,
                                   Reply reply) {
  node_->PromoteMember(
      MemberId(request->id()),
      AnswerWith<etcdserverpb::MemberPromoteResponse>(node_, std::move(reply)));
}

void ClusterService::MemberList(etcdserverpb::MemberListRequest* request,
                                Reply reply) {
  if (!request->linearizable()) return AnswerMemberList(reply);
  node_->ReadIndex([this, reply = std::move(reply)](const Status& status) {
    if (!status.ok()) return reply(status);
    AnswerMemberList(reply);
  });
}

void ClusterService::AnswerMemberList(const Reply& reply) const {
  reply(MembersAnswer<etcdserverpb::MemberListResponse>(node_,
                                                        node_->membership()));
}

}  // namespace strata
