#include "checkers/http_answer.hpp"

#include "display.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>

namespace health {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr std::size_t header_cap = 64 * 1024;
constexpr int most_interim_answers = 8;

/// A body for Beast's parser that keeps no more than a cap. Not string_body: that
/// reserves whatever the server announces.
struct CappedBody {
  struct value_type {
    rouse::BufferPool* pool = nullptr;
    std::size_t cap = 0;
    Body bytes;
    bool cut = false;
  };

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t all = 0;
      for (const boost::asio::const_buffer part : boost::beast::buffers_range_ref(buffers)) {
        keep({static_cast<const char*>(part.data()), part.size()});
        all += part.size();
      }
      return all;
    }

    void finish(error_code& error) { error = {}; }

   private:
    void keep(std::string_view part) {
      const std::size_t kept = std::min(part.size(), body_.cap - body_.bytes.text().size());
      body_.bytes.append(part.substr(0, kept), *body_.pool);
      body_.cut = body_.cut || kept < part.size();
    }

    value_type& body_;
  };
};

using Parser = http::response_parser<CappedBody>;

/// What has been received and not parsed.
class Input {
 public:
  explicit Input(Stream& stream) : stream_(stream) {}

  /// Parses one message to its end, or until its body is cut.
  void parse(Parser& parser) {
    while (!parser.is_done() && !parser.get().body().cut) {
      if (!step(parser) && !parser.is_done()) receive(parser);
    }
  }

 private:
  /// False when the parser needs more than there is.
  bool step(Parser& parser) {
    if (pending_.empty()) return false;
    error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(pending_), error);
    pending_.erase(0, used);
    if (error && error != http::error::need_more) {
      throw TargetError("not a valid HTTP answer: " + error.message());
    }
    return used > 0;
  }

  void receive(Parser& parser) {
    // The parser takes header fields and chunk lines only as a whole.
    if (pending_.size() > header_cap) throw TargetError("a header of the answer is too long");
    std::array<char, 4096> buffer;
    const std::size_t got = stream_.read(buffer);
    pending_.append(buffer.data(), got);
    received_ = received_ || got > 0;
    if (got > 0) return;
    if (!received_) throw TargetError("the connection was closed without an answer");
    error_code error;
    if (parser.got_some()) parser.put_eof(error);
    if (error || !parser.is_done()) throw TargetError("the answer ends too early");
  }

  Stream& stream_;
  std::string pending_;
  bool received_ = false;
};

std::vector<HttpHeader> headers_of(const http::fields& fields) {
  std::vector<HttpHeader> headers;
  for (const auto& field : fields) {
    const std::string name(field.name_string());
    headers.push_back({lower(name), std::string(field.value())});
  }
  return headers;
}

}  // namespace

HttpAnswer read_http_answer(Stream& stream, bool to_head, const BodyLimits& limits) {
  Input input(stream);
  for (int interim = 0; interim <= most_interim_answers; ++interim) {
    Parser parser;
    parser.eager(true);
    parser.skip(to_head);
    parser.header_limit(header_cap);
    parser.body_limit(boost::none);  // CappedBody has its own
    parser.get().body().pool = &limits.pool;
    parser.get().body().cap = std::min(limits.cap, limits.pool.block_size());
    input.parse(parser);
    auto& message = parser.get();
    const auto status = static_cast<int>(message.result_int());
    if (status / 100 == 1 && status != 101) continue;
    return {.status = status,
            .reason = std::string(message.reason()),
            .headers = headers_of(message.base()),
            .body = std::move(message.body().bytes),
            .cut = message.body().cut};
  }
  throw TargetError("interim answers (1xx) without end");
}

}  // namespace health
