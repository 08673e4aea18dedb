#pragma once
// HttpClient: a connection to an HTTP server on 127.0.0.1, for requests of any kind.
//
/// @code
///   HttpClient client(port);
///   client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
///   EXPECT_EQ(client.read_answer().status, 200);
/// @endcode
//
// Every wait ends after a limit, as if the server had closed.
// Thread safety: one thread at a time.

#include "support/child_process.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rouse::test {

struct HttpReply {
  int status = 0;  ///< 0: none came.
  std::string header;
  std::string body;

  /// Of the first header field of this name, in any case of letters; empty if there is none.
  [[nodiscard]] std::string field(std::string_view name) const;
};

class HttpClient {
 public:
  /// Throws std::system_error if nobody listens.
  explicit HttpClient(std::uint16_t port, ChildProcess::Duration limit = child_limit);

  /// False if the server has closed.
  bool send(std::string_view data);
  /// No more will be sent.
  void half_close();

  /// One answer with a Content-Length; `to_head`: without a body in spite of it.
  HttpReply read_answer(bool to_head = false);
  /// Everything up to and with `end`; less if the server closes.
  std::string read_until(std::string_view end);
  /// Everything until the server closes.
  std::string read_all();

  /// Sends a GET with these lines of header, each with its line end, and reads the answer.
  HttpReply get(std::string_view target, std::string_view header = {});

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  bool receive();

  const ChildProcess::Duration limit_;
  FileDescriptor fd_;
  std::string pending_;
};

/// Of a connection of its own.
HttpReply http_get(std::uint16_t port, std::string_view target, std::string_view header = {});

}  // namespace rouse::test
