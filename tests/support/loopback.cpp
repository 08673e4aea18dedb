#include "support/loopback.hpp"

#include "support/fail.hpp"
#include "support/find_program.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rouse::test {
namespace {

// On a free port of 127.0.0.1.
FileDescriptor bound_socket() {
  FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd.get() < 0 ||
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("bind");
  }
  return fd;
}

std::uint16_t port_of(const FileDescriptor& fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("getsockname");
  }
  return ntohs(address.sin_port);
}

std::string nginx_server(const std::string& listen, const std::string& locations) {
  return "  server {\n    listen 127.0.0.1:" + listen + ";\n" + locations +
         "    location / { default_type text/plain; return 200 \"all is well\"; }\n  }\n";
}

// Paths are meant from the folder that -p names.
std::string nginx_config(const std::vector<std::uint16_t>& ports, const std::string& locations) {
  std::string servers = nginx_server(std::to_string(ports[0]), locations);
  for (std::size_t i = 1; i < ports.size(); ++i) {
    const std::string files = std::to_string(i - 1);
    servers += nginx_server(std::to_string(ports[i]) + " ssl",
                            "    ssl_certificate " + files + ".pem;\n    ssl_certificate_key " +
                                files + ".key;\n" + locations);
  }
  return R"(daemon off;
worker_processes 1;
error_log stderr notice;
pid nginx.pid;
lock_file nginx.lock;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path client_body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
)" + servers +
         "}\n";
}

// All different: they are free at the same time.
std::vector<std::uint16_t> free_ports(std::size_t count) {
  std::vector<FileDescriptor> sockets;
  std::vector<std::uint16_t> ports;
  while (ports.size() < count) ports.push_back(port_of(sockets.emplace_back(bound_socket())));
  return ports;
}

}  // namespace

RollCall::RollCall(const TemporaryDirectory& folder) : path_(folder.path() / "roll-call") {
  if (::mkfifo(path_.c_str(), 0600) != 0) fail("mkfifo");
  // For writing too: so it has no end of file, and nobody's open blocks.
  fd_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (fd_.get() < 0) fail("open a FIFO");
}

std::size_t RollCall::count() {
  std::array<char, 256> bytes;
  for (;;) {
    const ssize_t got = ::read(fd_.get(), bytes.data(), bytes.size());
    if (got <= 0) return count_;
    count_ += static_cast<std::size_t>(got);
  }
}

void RollCall::reset() {
  static_cast<void>(count());
  count_ = 0;
}

SilentServer::SilentServer() : listener_(bound_socket()), port_(port_of(listener_)) {
  if (::listen(listener_.get(), SOMAXCONN) != 0) fail("listen");
}

std::size_t SilentServer::accept() {
  for (;;) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) {
      connections_.emplace_back(fd);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return connections_.size();
    }
  }
}

Nginx::Nginx(const NginxOptions& options) : program_(find_program("nginx")) {
  for (std::size_t i = 0; i < options.tls.size(); ++i) {
    folder_.write(std::to_string(i) + ".pem", options.tls[i].certificates);
    folder_.write(std::to_string(i) + ".key", options.tls[i].key);
  }
  std::ostringstream said;
  // Between our look at a free port and nginx's, somebody else may take it.
  for (int attempt = 0; attempt < 5; ++attempt) {
    ports_ = free_ports(1 + options.tls.size());
    folder_.write("nginx.conf", nginx_config(ports_, options.locations));
    if (try_start()) return;
    said << *process_;
  }
  throw std::runtime_error("nginx does not start: " + said.str());
}

bool Nginx::try_start() {
  process_ = std::make_unique<ChildProcess>(std::vector<std::string>{
      program_, "-p", folder_.path().string(), "-c", folder_ / "nginx.conf"});
  // It listens before it starts its workers.
  return process_->wait_for_output("start worker process ");
}

void Nginx::start() {
  std::ostringstream said;
  const auto limit = std::chrono::steady_clock::now() + child_limit;
  do {
    if (try_start()) return;
    said << *process_;
  } while (std::chrono::steady_clock::now() < limit);
  throw std::runtime_error("nginx does not start again: " + said.str());
}

}  // namespace rouse::test
