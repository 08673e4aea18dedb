#include "server/server.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/wait_status.hpp"

#include "checkers/wait.hpp"
#include "display.hpp"
#include "server/api.hpp"
#include "server/check_metrics.hpp"
#include "server/page.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <exception>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace health {
namespace {

// As the threads of checks: what runs deepest stays far below.
constexpr std::size_t thread_stack = std::size_t{256} * 1024;

ServerOptions checked(ServerOptions options) {
  if (options.max_connections == 0 || options.limits.requests == 0) {
    throw std::invalid_argument("a limit of the server is 0");
  }
  return options;
}

bool is_open(std::string_view path) {
  return path == "/" || path == "/healthz" || path == "/readyz";
}

Response as_text(int status, std::string_view text) {
  return {.status = status, .body = std::string(text) + "\n"};
}

Response as_json(std::string text) { return {.type = "application/json", .body = std::move(text)}; }

// What is in an answer is of this moment and for this asker only.
Response hardened(Response response, std::string policy) {
  response.headers.insert(response.headers.end(), {{"Cache-Control", "no-store"},
                                                   {"Content-Security-Policy", std::move(policy)},
                                                   {"Cross-Origin-Resource-Policy", "same-origin"},
                                                   {"Referrer-Policy", "no-referrer"},
                                                   {"X-Content-Type-Options", "nosniff"},
                                                   {"X-Frame-Options", "DENY"}});
  return response;
}

Response hardened(Response response) {
  return hardened(std::move(response), "default-src 'none'; frame-ancestors 'none'");
}

}  // namespace

/// One of a bounded number of places, from its taking to its end.
class Server::Slot {
 public:
  static std::optional<Slot> take(std::atomic<std::size_t>& taken, std::size_t most) {
    if (taken.fetch_add(1) < most) return Slot(taken);
    --taken;
    return std::nullopt;
  }
  Slot(Slot&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  Slot& operator=(Slot&&) = delete;
  ~Slot() {
    if (taken_ != nullptr) --*taken_;
  }

 private:
  explicit Slot(std::atomic<std::size_t>& taken) noexcept : taken_(&taken) {}

  std::atomic<std::size_t>* taken_;
};

Server::Server(ServerOptions options, ServerSources sources, Log& log)
    : options_(checked(std::move(options))),
      sources_(std::move(sources)),
      log_(log),
      gate_(options_.address, options_.token),
      refusals_(log),
      listener_(options_.address, options_.port),
      news_(sources_.results, options_.news_interval),
      pool_({.min_threads = 1,
             .max_threads = options_.max_connections,
             .name = "http",
             .idle_timeout = std::chrono::seconds(30),
             .stack_size = thread_stack}),
      acceptor_([this] { accept_all(); }, {.name = "http-accept"}) {
  if (!gate_.loopback() && options_.token.empty()) {
    log_.warning("http: " + listener_.address() + " can be read by everybody who reaches it");
  }
  acceptor_.start();
}

rouse::StopReport Server::stop(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  rouse::StopReport report = rouse::stop_all(std::array{&acceptor_, &news_.thread()}, deadline);
  if (!acceptor_.running()) listener_.close();
  rouse::StopReport connections = pool_.stop_for(deadline - std::chrono::steady_clock::now());
  report.stopped += connections.stopped;
  report.elapsed += connections.elapsed;
  std::move(connections.stragglers.begin(), connections.stragglers.end(),
            std::back_inserter(report.stragglers));
  return report;
}

void Server::accept_all() {
  constexpr std::chrono::milliseconds pause{100};
  do {
    std::string peer;
    try {
      while (std::optional<Listener::Accepted> accepted = listener_.accept()) {
        peer = accepted->peer.to_string();
        take(*std::move(accepted), peer);
        peer.clear();
      }
      return;
    } catch (const std::exception& error) {
      // No room for a thread, say; the next one may have more luck.
      tell_failure(peer.empty() ? "the next connection" : peer, error);
    }
  } while (rouse::sleep_for(pause) != rouse::WaitStatus::stopped);
}

void Server::take(Listener::Accepted accepted, const std::string& peer) {
  Socket socket(std::move(accepted.fd));
  std::optional<Slot> slot = Slot::take(connections_, options_.max_connections);
  if (!slot) return turn_away(socket, peer);
  pool_.post([this, slot = *std::move(slot), socket = std::move(socket), peer]() mutable {
    serve(std::move(socket), peer);
  });
}

void Server::tell_failure(const std::string& what, const std::exception& error) noexcept {
  try {
    refusals_.tell(what + ": " + error.what());
  } catch (const std::exception&) {
    // There is no memory even for this.
  }
}

void Server::turn_away(Socket& socket, const std::string& peer) {
  constexpr std::string_view full =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\n"
      "too many connections\n";
  // The acceptor waits for nobody: a new connection has room for this, or is not worth it.
  (void)::send(socket.fd(), full.data(), full.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  count(503);
  refusals_.tell(peer + ": 503: too many connections");
}

void Server::serve(Socket socket, const std::string& peer) {
  HttpConnection connection(std::move(socket), options_.limits);
  try {
    while (const std::optional<Request> request = connection.read()) {
      serve_request(connection, *request, peer);
    }
  } catch (const Refusal& refusal) {
    refuse(connection, refusal, peer);
  } catch (const TargetError& error) {
    log_.debug("http: " + peer + ": " + error.what());
  } catch (const rouse::Stopped&) {
    // So ends the connection.
  } catch (const std::exception& error) {
    tell_failure(peer, error);
  }
}

void Server::refuse(HttpConnection& connection, const Refusal& refusal, const std::string& peer) {
  try {
    refusals_.tell(peer + ": " + std::to_string(refusal.status()) + ": " + refusal.what() + ": " +
                   connection.first_line());
    count(refusal.status());
    Response response = hardened(as_text(refusal.status(), refusal.what()));
    if (refusal.status() == 405) response.headers.emplace_back("Allow", "GET, HEAD");
    connection.send_last(response);
    connection.linger();
  } catch (const TargetError&) {
    // It has not waited for it.
  } catch (const rouse::Stopped&) {
    // As above.
  } catch (const std::exception& error) {
    tell_failure(peer, error);
  }
}

void Server::serve_request(HttpConnection& connection, const Request& request,
                           const std::string& peer) {
  if (!gate_.knows_host(request.host)) throw Refusal(421, "a Host that is not this one");
  const Target target = parse_target(request.target);
  if (!is_open(target.path) && !gate_.admits(request.authorization)) {
    // A browser without the token yet is no news; a wrong one is.
    if (!request.authorization.empty()) refusals_.tell(peer + ": 401: a wrong token");
    count(401);
    Response response = hardened(as_text(401, "a token is needed"));
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"health\"");
    return connection.send(response);
  }
  if (target.path == "/api/v1/events") return stream(connection, request.head);
  if (target.path == "/") {
    Page page = make_page();
    count(200);
    return connection.send(
        hardened({.type = "text/html; charset=utf-8", .body = std::move(page.html)},
                 std::move(page.policy)));
  }
  const Response response = answer(target);
  count(response.status);
  connection.send(hardened(response));
}

Response Server::answer(const Target& target) {
  if (target.path == "/api/v1/status") {
    std::uint64_t seen = 0;
    return as_json(status_json(sources_.results.changes_since(seen)));
  }
  if (target.path == "/api/v1/check") return check(target);
  if (target.path == "/api/v1/history") return histories(target);
  if (target.path == "/metrics") return metrics();
  if (target.path == "/healthz") return as_text(200, "ok");
  if (target.path == "/readyz") {
    const bool ready = !sources_.ready || sources_.ready();
    return ready ? as_text(200, "ready") : as_text(503, "not ready");
  }
  throw Refusal(404, "there is nothing");
}

Response Server::check(const Target& target) const {
  const std::vector<std::string> names = target.values("name");
  if (names.size() != 1) return as_text(400, "one name is needed: ?name=...");
  const std::optional<Row> row = sources_.results.row(names.front());
  if (!row) return as_text(404, "there is no such check");
  return as_json(check_json(*row, sources_.results.history(names.front())));
}

Response Server::histories(const Target& target) const {
  constexpr std::size_t most = 100;
  const std::vector<std::string> names = target.values("name");
  if (names.size() > most) return as_text(400, "more than 100 names");
  std::vector<std::pair<std::string, std::vector<History::Bucket>>> histories;
  for (const std::string& name : names) {
    auto history = sources_.results.history(name);
    if (!history.empty()) histories.emplace_back(name, std::move(history));
  }
  return as_json(histories_json(histories));
}

Response Server::metrics() {
  MetricsWriter writer;
  write_check_metrics(writer, sources_.results.rows());
  if (sources_.metrics) sources_.metrics(writer);
  writer.gauge("health_http_connections", "Open connections.",
               static_cast<double>(connections_.load()));
  writer.gauge("health_http_streams", "How many of them are streams of events.",
               static_cast<double>(streams_.load()));
  writer.counter("health_http_refusals_total", "Requests that were refused.",
                 static_cast<double>(refusals_.count()));
  {
    const std::lock_guard guard(statuses_mutex_);
    for (const auto& [status, times] : statuses_) {
      writer.counter("health_http_answers_total", "Answers that were given.",
                     static_cast<double>(times), {{"status", std::to_string(status)}});
    }
  }
  write_process_metrics(writer);
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = writer.text()};
}

void Server::stream(HttpConnection& connection, bool head) {
  const std::optional<Slot> slot = Slot::take(streams_, options_.max_streams);
  if (!slot) {
    count(503);
    Response full = hardened(as_text(503, "too many streams"));
    full.headers.emplace_back("Retry-After", "5");
    return connection.send(full);
  }
  count(200);
  const Response opening = hardened({.type = "text/event-stream"});
  if (head) return connection.send_last(opening);

  // From before the first look, so that nothing is missed between the two.
  News::Listener news(news_);
  connection.begin_stream(opening);
  std::uint64_t seen = 0;
  for (;;) {
    news.clear();
    const Results::Changes changes = sources_.results.changes_since(seen);
    if (changes.all || !changes.rows.empty()) {
      connection.write("data: " + changes_json(changes) + "\n\n");
    }
    std::array polled{pollfd{news.fd(), POLLIN, 0}, pollfd{connection.fd(), POLLIN | POLLRDHUP, 0}};
    rouse::WaitStatus status = rouse::wait_fds_for(polled, options_.heartbeat);
    while (status == rouse::WaitStatus::timeout) {
      connection.write(": quiet\n\n");
      status = rouse::wait_fds_for(polled, options_.heartbeat);
    }
    require_ready(status);
    // It has gone, or says what it has no reason to say.
    if (polled[1].revents != 0) return;
  }
}

void Server::count(int status) {
  const std::lock_guard guard(statuses_mutex_);
  ++statuses_[status];
}

}  // namespace health
