#include "rpc/bootstrap/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace strata {
namespace {

constexpr int kTries = 2;  // of each server

Status DnsError(const std::string& name, int code) {
  const std::string text = "lookup " + name + ": " + ares_strerror(code);
  return code == ARES_ENOTFOUND || code == ARES_ENODATA
             ? NotFoundError(text)
             : UnavailableError(text);
}

std::string AddressText(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const void* const bytes =
      address->sa_family == AF_INET
          ? static_cast<const void*>(
                &reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
          : &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  inet_ntop(address->sa_family, bytes, text.data(), text.size());
  return text.data();
}

// What a callback of the library leaves.
struct SrvAnswer {
  int code = ARES_SUCCESS;
  std::vector<SrvRecord> records = {};
};

void TakeSrv(void* argument, int code, int /*timeouts*/, unsigned char* bytes,
             int size) {
  auto* const answer = static_cast<SrvAnswer*>(argument);
  ares_srv_reply* list = nullptr;
  answer->code = code;
  if (code == ARES_SUCCESS) {
    answer->code = ares_parse_srv_reply(bytes, size, &list);
  }
  for (const ares_srv_reply* one = list; one != nullptr; one = one->next) {
    SrvRecord record{
        .target = one->host, .port = one->port, .priority = one->priority};
    if (record.target.ends_with('.')) record.target.pop_back();
    answer->records.push_back(std::move(record));
  }
  ares_free_data(list);
}

struct HostAnswer {
  int code = ARES_SUCCESS;
  std::vector<std::string> addresses = {};
};

void TakeHost(void* argument, int code, int /*timeouts*/,
              ares_addrinfo* found) {
  auto* const answer = static_cast<HostAnswer*>(argument);
  answer->code = code;
  if (found == nullptr) return;
  for (const ares_addrinfo_node* node = found->nodes; node != nullptr;
       node = node->ai_next) {
    answer->addresses.push_back(AddressText(node->ai_addr));
  }
  ares_freeaddrinfo(found);
}

}  // namespace

struct Dns::Channel {
  ares_channel ares = nullptr;
  bool library = false;

  ~Channel() {
    if (ares != nullptr) ares_destroy(ares);
    if (library) ares_library_cleanup();
  }

  // Until all that was asked is answered, or has timed out.
  void Run() {
    for (;;) {
      std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets = {};
      const unsigned mask = static_cast<unsigned>(
          ares_getsock(ares, sockets.data(), ARES_GETSOCK_MAXNUM));
      std::vector<pollfd> wanted;
      for (unsigned i = 0; i < sockets.size(); ++i) {
        const bool read = ARES_GETSOCK_READABLE(mask, i) != 0;
        const bool write = ARES_GETSOCK_WRITABLE(mask, i) != 0;
        if (!read && !write) continue;
        wanted.push_back({.fd = sockets[i],
                          .events = static_cast<int16_t>((read ? POLLIN : 0) |
                                                         (write ? POLLOUT : 0)),
                          .revents = 0});
      }
      if (wanted.empty()) return;
      timeval longest = {.tv_sec = 1, .tv_usec = 0};
      timeval left = {};
      const timeval* const until = ares_timeout(ares, &longest, &left);
      poll(wanted.data(), wanted.size(),
           static_cast<int>(until->tv_sec * 1000 + until->tv_usec / 1000 + 1));
      for (const pollfd& one : wanted) {
        const bool read = (one.revents & ~POLLOUT) != 0;
        const bool write = (one.revents & POLLOUT) != 0;
        ares_process_fd(ares, read ? one.fd : ARES_SOCKET_BAD,
                        write ? one.fd : ARES_SOCKET_BAD);
      }
      ares_process_fd(ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // its timers
    }
  }
};

Dns::Dns(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}
Dns::~Dns() = default;

StatusOr<std::unique_ptr<Dns>> Dns::New(const std::string& servers,
                                        Duration timeout) {
  auto channel = std::make_unique<Channel>();
  if (const int code = ares_library_init(ARES_LIB_INIT_ALL);
      code != ARES_SUCCESS) {
    return InternalError(std::string("c-ares: ") + ares_strerror(code));
  }
  channel->library = true;
  ares_options options = {};
  options.timeout = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  options.tries = kTries;
  if (const int code = ares_init_options(&channel->ares, &options,
                                         ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
      code != ARES_SUCCESS) {
    return InternalError(std::string("c-ares: ") + ares_strerror(code));
  }
  if (!servers.empty()) {
    const int code = ares_set_servers_ports_csv(channel->ares, servers.c_str());
    if (code != ARES_SUCCESS) {
      return InvalidArgumentError("DNS servers \"" + servers +
                                  "\": " + ares_strerror(code));
    }
  }
  return std::unique_ptr<Dns>(new Dns(std::move(channel)));
}

StatusOr<std::vector<SrvRecord>> Dns::LookupSrv(const std::string& name) {
  SrvAnswer answer;
  ares_query(channel_->ares, name.c_str(), ns_c_in, ns_t_srv, TakeSrv, &answer);
  channel_->Run();
  if (answer.code != ARES_SUCCESS) return DnsError(name, answer.code);
  if (answer.records.empty()) return DnsError(name, ARES_ENODATA);
  std::ranges::sort(answer.records, [](const auto& a, const auto& b) {
    return std::tie(a.priority, a.target, a.port) <
           std::tie(b.priority, b.target, b.port);
  });
  return std::move(answer.records);
}

StatusOr<std::vector<std::string>> Dns::LookupHost(const std::string& host) {
  HostAnswer answer;
  ares_addrinfo_hints hints = {};
  hints.ai_family = AF_UNSPEC;
  ares_getaddrinfo(channel_->ares, host.c_str(), nullptr, &hints, TakeHost,
                   &answer);
  channel_->Run();
  if (answer.code != ARES_SUCCESS) return DnsError(host, answer.code);
  if (answer.addresses.empty()) return DnsError(host, ARES_ENODATA);
  return std::move(answer.addresses);
}

}  // namespace strata
