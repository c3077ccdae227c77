#include "rpc/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <limits>
#include <utility>

namespace strata {

namespace http = boost::beast::http;

RequestParser::RequestParser(uint64_t max_head_bytes, OnBody on_body)
    : max_head_bytes_(max_head_bytes), on_body_(std::move(on_body)) {
  header_limit(static_cast<uint32_t>(max_head_bytes));
  // The route has one, and which route it is is not known yet.
  body_limit(std::numeric_limits<uint64_t>::max());
  eager(false);
}

size_t RequestParser::Parse(std::string_view bytes, Outcome* outcome) {
  size_t used = 0;
  for (;;) {
    if (is_done()) {
      *outcome = head_seen_ ? Outcome::kEnd : Outcome::kHead;
      head_seen_ = true;
      return used;
    }
    if (is_header_done() && !head_seen_) {
      head_seen_ = true;
      *outcome = Outcome::kHead;
      return used;
    }
    Error error;
    const size_t taken = put({bytes.data() + used, bytes.size() - used}, error);
    used += taken;
    if (!head_seen_) head_bytes_ += taken;
    // Also what comes after the head in lines: extensions, trailers.
    if (head_bytes_ > max_head_bytes_ ||
        (error == http::error::need_more &&
         bytes.size() - used > max_head_bytes_)) {
      *outcome = Outcome::kHeadTooLong;
      return used;
    }
    if (error) {
      *outcome = OutcomeOf(error);
      return used;
    }
    if (used == bytes.size() && !is_done() &&
        (head_seen_ || !is_header_done())) {
      *outcome = Outcome::kNeedMore;
      return used;
    }
  }
}

uint64_t RequestParser::announced_bytes() const {
  return content_length().value_or(0);
}

bool RequestParser::expects_continue() const {
  const std::string* const expect = head_.Find("Expect");
  return expect != nullptr && boost::beast::iequals(*expect, "100-continue");
}

RequestParser::Outcome RequestParser::OutcomeOf(const Error& error) const {
  if (error == http::error::need_more) return Outcome::kNeedMore;
  if (error == http::error::need_buffer) return Outcome::kPaused;
  if (error == http::error::header_limit) return Outcome::kHeadTooLong;
  return Outcome::kMalformed;
}

void RequestParser::on_request_impl(http::verb, View method_name, View target,
                                    int version, Error&) {
  version_ = version;
  head_.method = std::string(method_name);
  target_ = std::string(target);
}

void RequestParser::on_response_impl(int, View, int, Error&) {}

void RequestParser::on_field_impl(http::field, View name_string, View value,
                                  Error&) {
  if (head_seen_) return;  // a trailer, which nobody asked for
  head_.headers.emplace_back(std::string(name_string), std::string(value));
}

void RequestParser::on_header_impl(Error&) {}

void RequestParser::on_body_init_impl(const boost::optional<uint64_t>&,
                                      Error&) {}

size_t RequestParser::on_body_impl(View body, Error& error) {
  if (!body.empty() && !on_body_({body.data(), body.size()})) {
    error = http::error::need_buffer;
  }
  return body.size();
}

void RequestParser::on_chunk_header_impl(uint64_t, View, Error&) {}

size_t RequestParser::on_chunk_body_impl(uint64_t, View body, Error& error) {
  return on_body_impl(body, error);
}

void RequestParser::on_finish_impl(Error&) {}

namespace {

// "%2F" -> '/'; false if it is no escape.
bool Unescape(std::string_view text, std::string* out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out->push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return false;
    unsigned value = 0;
    const char* const end = text.data() + i + 3;
    const auto [parsed, error] =
        std::from_chars(text.data() + i + 1, end, value, /*base=*/16);
    if (error != std::errc() || parsed != end) return false;
    out->push_back(static_cast<char>(value));
    i += 2;
  }
  return true;
}

}  // namespace

bool SplitTarget(std::string_view target, HttpRequest* request) {
  if (!target.starts_with('/')) {
    const size_t host = target.find("://");
    if (host == std::string_view::npos) {
      request->path = std::string(target);
      return target == "*";
    }
    const size_t path = target.find_first_of("/?", host + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  const size_t question = target.find('?');
  if (question != std::string_view::npos) {
    request->query = std::string(target.substr(question + 1));
  }
  return Unescape(target.substr(0, question), &request->path);
}

}  // namespace strata
