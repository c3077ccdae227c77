#ifndef STRATA_RPC_HTTP_REQUEST_PARSER_H_
#define STRATA_RPC_HTTP_REQUEST_PARSER_H_

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "rpc/http/handler.h"

namespace strata {

// One request, from bytes as they come. Used by one thread. Knows Beast: only
// for the .cc files of this folder.
class RequestParser : private boost::beast::http::basic_parser<true> {
 public:
  // Takes a piece of the body; false: no more for now.
  using OnBody = std::function<bool(std::string_view)>;

  enum class Outcome {
    kNeedMore,     // all that was of use is parsed
    kHead,         // the head is whole, seen once; go on with the rest
    kPaused,       // OnBody returned false
    kEnd,          // the request is whole
    kMalformed,    // no HTTP
    kHeadTooLong,  // more than `max_head_bytes`
  };

  RequestParser(uint64_t max_head_bytes, OnBody on_body);

  // Returns how many of `bytes` are done with; the rest must come again, with
  // what follows.
  size_t Parse(std::string_view bytes, Outcome* outcome);

  // Once the head is whole. Without the path's and query's splitting.
  HttpRequest& head() { return head_; }
  const std::string& target() const { return target_; }
  bool http_1_0() const { return version_ < 11; }
  bool keeps_alive() const { return keep_alive(); }
  // What the head says: 0 if the body comes in chunks.
  uint64_t announced_bytes() const;
  bool expects_continue() const;
  // Whether something has come of it.
  bool begun() const { return got_some(); }
  bool head_done() const { return head_seen_; }

 private:
  using Base = boost::beast::http::basic_parser<true>;
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb method, View method_name,
                       View target, int version, Error& error) override;
  void on_response_impl(int code, View reason, int version,
                        Error& error) override;
  void on_field_impl(boost::beast::http::field name, View name_string,
                     View value, Error& error) override;
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<uint64_t>& content_length,
                         Error& error) override;
  size_t on_body_impl(View body, Error& error) override;
  void on_chunk_header_impl(uint64_t size, View extensions,
                            Error& error) override;
  size_t on_chunk_body_impl(uint64_t remain, View body, Error& error) override;
  void on_finish_impl(Error& error) override;

  Outcome OutcomeOf(const Error& error) const;

  const uint64_t max_head_bytes_;
  const OnBody on_body_;
  HttpRequest head_;
  std::string target_;
  int version_ = 11;
  uint64_t head_bytes_ = 0;
  bool head_seen_ = false;
};

// Splits "/a%20b?c=d", or "http://host/a?c=d", into path and query; false if it
// is neither.
bool SplitTarget(std::string_view target, HttpRequest* request);

}  // namespace strata

#endif  // STRATA_RPC_HTTP_REQUEST_PARSER_H_
