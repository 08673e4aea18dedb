#pragma once
// HttpConnection: the server's end of a connection: requests are read, answers are written, and
// whoever is too slow, too long or not HTTP is refused.
//
//   HttpConnection connection(std::move(socket), limits);
//   while (const std::optional<Request> request = connection.read()) {
//     connection.send({.status = 200, .body = "hello\n"});
//   }
//
// Thread safety: one thread at a time. Every wait ends at that thread's stop (rouse::Stopped).
// Errors: a request that cannot be answered properly is a Refusal; send() tells the client why, and
// the connection ends with it. A client that has gone or does not read is a TargetError.

#include "checkers/socket.hpp"
#include "server/target.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace health {

struct HttpLimits {
  std::size_t header = std::size_t{8} * 1024;  ///< Bytes of a request; it has no body.
  std::size_t requests = 1000;                 ///< Of a connection.
  std::chrono::milliseconds header_time = std::chrono::seconds(5);  ///< For all of a request.
  std::chrono::milliseconds idle_time = std::chrono::seconds(15);   ///< Between two of them.
  std::chrono::milliseconds write_time = std::chrono::seconds(10);  ///< For each 64 KiB.
  /// For all of an answer that is no stream.
  std::chrono::milliseconds answer_time = std::chrono::seconds(60);
  /// For what a client that was refused still sends: linger().
  std::chrono::milliseconds linger_time = std::chrono::seconds(1);
};

struct Request {
  bool head = false;  ///< HEAD; otherwise it is a GET.
  std::string target = {};
  std::optional<std::string> host = {};
  std::string authorization = {};
};

struct Response {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

class HttpConnection {
 public:
  HttpConnection(Socket socket, const HttpLimits& limits);

  /// Nothing if the client has closed, has been idle for too long, or was told that this is the
  /// end. Throws Refusal (400, 405, 408, 413, 431).
  std::optional<Request> read();

  /// Answers the request that was read last.
  void send(const Response& response);
  /// The same, and it is the last.
  void send_last(const Response& response);
  /// After the last answer: reads what the client still sends, for a while. If that were unread
  /// when the connection is closed, the system would reset it, and the answer might never be seen.
  void linger();

  /// Begins an answer without end; its body is what is written from now on.
  void begin_stream(const Response& head);
  void write(std::string_view data);

  /// What the last request was, for a log: its first line, or what there was of it.
  [[nodiscard]] const std::string& first_line() const noexcept { return first_line_; }
  [[nodiscard]] int fd() const noexcept { return socket_.fd(); }

 private:
  Request parse();
  bool receive();
  void write(std::string_view data, std::chrono::steady_clock::time_point end);
  [[nodiscard]] std::string header_of(const Response& response, bool stream) const;

  Socket socket_;
  const HttpLimits& limits_;
  std::string pending_;  // received and not parsed
  std::string first_line_;
  std::size_t served_ = 0;
  bool head_ = false;
  bool last_ = false;
};

}  // namespace health
