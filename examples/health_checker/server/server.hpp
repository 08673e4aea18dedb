#pragma once
// Server: the state of all checks over HTTP, for people, scripts and Prometheus.
//
//   Server server({.port = 8080}, {.results = results, .ready = [&] { return up; }}, log);
//   ...
//   const rouse::StopReport report = server.stop(1s);
//
//   /                         the status page
//   /api/v1/status            all checks
//   /api/v1/check?name=N      one of them, with its history
//   /api/v1/history?name=N&…  the histories of up to 100
//   /api/v1/events            all checks, then what changes, as server-sent events
//   /metrics                  for Prometheus
//   /healthz, /readyz         whether it lives, and whether it is ready
//
// GET and HEAD only: nothing can be changed through it. Only /, which has no data in it, /healthz
// and /readyz are served without the token.
// A connection has a thread of a pool while it lasts. What is beyond `max_connections` is answered
// 503 and closed: in the backlog it would wait for as long as the others like.
// Thread safety: one thread owns and stops it; the other functions from any.

#include "rouse/exec/thread_pool.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include "log.hpp"
#include "results.hpp"
#include "server/gate.hpp"
#include "server/http_connection.hpp"
#include "server/listener.hpp"
#include "server/metrics_writer.hpp"
#include "server/news.hpp"
#include "server/refusal_log.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace health {

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< Of this machine.
  std::uint16_t port = 0;             ///< 0: any that is free.
  std::string token = {};             ///< Asked for as a bearer token. Empty: none is needed.
  std::size_t max_connections = 64;
  std::size_t max_streams = 32;  ///< How many of them may be streams of events.
  HttpLimits limits = {};
  std::chrono::milliseconds news_interval = std::chrono::seconds(1);  ///< Between two events.
  std::chrono::milliseconds heartbeat = std::chrono::seconds(15);     ///< In a quiet stream.
};

/// What it serves. The functions are called by several threads at a time.
struct ServerSources {
  Results& results;
  std::function<bool()> ready = {};                  ///< Empty: always.
  std::function<void(MetricsWriter&)> metrics = {};  ///< Adds the figures of the engine.
};

class Server {
 public:
  /// Serves from here on. Throws std::invalid_argument if the address is none or a limit is 0,
  /// std::system_error if it cannot be listened on, or there is no room for the threads. `log` and
  /// what is in `sources` outlive it.
  Server(ServerOptions options, ServerSources sources, Log& log);

  [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
  /// "http://127.0.0.1:8080/"
  [[nodiscard]] std::string url() const { return "http://" + listener_.address() + "/"; }
  /// Those that are open.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.load(); }

  /// Accepts nobody any more, and ends all connections, whatever they wait for. If some of its
  /// threads do not end in time, the destructor waits for them.
  rouse::StopReport stop(std::chrono::milliseconds patience);

 private:
  class Slot;

  void accept_all();
  void take(Listener::Accepted accepted, const std::string& peer);
  void serve(Socket socket, const std::string& peer);
  void serve_request(HttpConnection& connection, const Request& request, const std::string& peer);
  void refuse(HttpConnection& connection, const Refusal& refusal, const std::string& peer);
  void tell_failure(const std::string& what, const std::exception& error) noexcept;
  void turn_away(Socket& socket, const std::string& peer);
  Response answer(const Target& target);
  Response check(const Target& target) const;
  Response histories(const Target& target) const;
  Response metrics();
  void stream(HttpConnection& connection, bool head);
  void count(int status);

  const ServerOptions options_;
  const ServerSources sources_;
  Log& log_;
  const Gate gate_;
  RefusalLog refusals_;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> streams_ = 0;
  std::mutex statuses_mutex_;
  std::map<int, std::uint64_t> statuses_;  // how often each was the answer
  Listener listener_;
  News news_;
  // Last, in this order: they use what is above.
  rouse::ThreadPool pool_;
  rouse::StoppableThread acceptor_;
};

}  // namespace health
