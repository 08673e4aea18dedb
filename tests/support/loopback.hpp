#pragma once
// What process tests talk to on this machine: a FIFO, a server that accepts and
// never answers, nginx.

#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rouse::test {

/// A FIFO into which processes of others say that they have come up: one byte each.
class RollCall {
 public:
  explicit RollCall(const TemporaryDirectory& folder);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// How many have come since the last reset. Never blocks.
  std::size_t count();
  void reset();

 private:
  std::string path_;
  FileDescriptor fd_;
  std::size_t count_ = 0;
};

/// Listens on 127.0.0.1, accepts, and never says a word. It has no thread: accept() must be called.
class SilentServer {
 public:
  SilentServer();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int fd() const noexcept { return listener_.get(); }
  /// Accepts whoever waits; returns how many connections are held. Never blocks.
  std::size_t accept();
  void hang_up() noexcept { connections_.clear(); }

 private:
  FileDescriptor listener_;
  std::uint16_t port_ = 0;
  std::vector<FileDescriptor> connections_;
};

struct NginxOptions {
  /// For each a port with TLS: the certificate, and what else it sends of the chain, with the key.
  struct Tls {
    std::string certificates;  ///< PEM
    std::string key;           ///< PEM
  };
  std::vector<Tls> tls = {};
  std::string locations = {};  ///< More of nginx's configuration, for all its ports.
};

/// nginx on 127.0.0.1, in a folder of its own: every page is "all is well". It works for any user
/// and dies with the test.
class Nginx {
 public:
  /// Throws std::runtime_error, with what nginx said, if it does not come up.
  explicit Nginx(const NginxOptions& options = {});

  [[nodiscard]] std::uint16_t port() const noexcept { return ports_[0]; }
  [[nodiscard]] std::uint16_t tls_port(std::size_t index = 0) const { return ports_.at(index + 1); }
  [[nodiscard]] std::string pid_file() const { return folder_.path() / "nginx.pid"; }

  /// Connections are refused from now on.
  void stop() { process_.reset(); }
  /// On the same port again; if somebody has it meanwhile, once it is free.
  void start();

 private:
  [[nodiscard]] bool try_start();

  const std::string program_;
  TemporaryDirectory folder_;
  std::vector<std::uint16_t> ports_;  // plain, then with TLS
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace rouse::test
